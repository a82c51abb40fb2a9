// Labelling, made for the keyboard: the row the model is least sure of, and a key for each label.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { finishLabels, giveLabel, keysOf, type Labelling, lookAtLabels, undoLabel } from "../api/label";
import { CopyButton } from "../page/CopyButton";
import { Loading } from "../page/States";
import { strings } from "../strings";
import { Refusal } from "../try/Refusal";
import { RowShown } from "./RowShown";
import { useHeard } from "./useHeard";

const t = strings.label;

export function LabelPage() {
  const [state, setState] = useState<Labelling | null>(null);
  const [refusal, setRefusal] = useState<Error | null>(null);
  const [adding, setAdding] = useState(false);
  const busy = useRef(false);
  const touched = useRef(false);

  const go = async (call: () => Promise<Labelling>) => {
    if (busy.current) return; // a second press is not for the row that comes next
    busy.current = true;
    touched.current = state !== null;
    try {
      setState(await call());
      setRefusal(null);
    } catch (error) {
      setRefusal(error as Error);
    }
    busy.current = false;
  };
  useEffect(() => void go(lookAtLabels), []);

  const row = state?.row ?? null;
  const keys = keysOf(state?.labels ?? []);
  const heard = useHeard(row?.shown ?? null, touched.current);
  const sounds = row?.shown.type === "sound";
  const give = (label: string | null) => row && go(() => giveLabel(row.key, label));

  const finish = async () => {
    setAdding(true);
    await go(finishLabels);
    setAdding(false);
  };

  // Before the row is seen, or a quick press would be for the one that was there.
  useLayoutEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const key = event.key.toLowerCase();
      const place = keys.indexOf(key);
      const space = key === " ";
      // A button that was reached by the keyboard is pressed by it, a text is scrolled.
      if (space && (event.target as Element).closest?.(":focus-visible:is(button, .label-scroll)")) return;
      if (place >= 0) give(state!.labels[place]!);
      else if (space && sounds) heard.player.toggle();
      else if (space || key === "s") give(null);
      else if (key === "backspace" || key === "u") go(undoLabel);
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  });

  if (!state) return refusal ? <Refusal error={refusal} /> : <Loading />;
  const done = state.labelled + state.skipped;
  return (
    <section class="try label" aria-label={t.title(state.dataset)}>
      <header class="try-head">
        <h2>{t.title(state.dataset)}</h2>
        <span class="faint" role="status" data-testid="label-count">
          {t.count(done, state.total)}
        </span>
      </header>
      <progress max={Math.max(state.total, 1)} value={done} aria-label={t.count(done, state.total)} />
      {row ? (
        <RowShown row={row} heard={heard} />
      ) : (
        <p class="label-done" data-testid="label-done">
          {t.done}
        </p>
      )}
      {row && (
        <div class="label-keys" role="group" aria-label={t.labels}>
          {state.labels.map((label, place) => (
            <button type="button" class="button" key={label} onClick={() => give(label)}>
              {label}
              {keys[place] && keys[place] !== label.toLowerCase() && <kbd>{keys[place].toUpperCase()}</kbd>}
            </button>
          ))}
        </div>
      )}
      <footer class="label-foot">
        <button type="button" class="button" disabled={!row} onClick={() => give(null)}>
          {t.skip} <kbd>{!sounds ? t.space : keys.includes("s") ? "" : "S"}</kbd>
        </button>
        <button type="button" class="button" disabled={!done} onClick={() => go(undoLabel)}>
          {t.undo} <kbd>⌫</kbd>
        </button>
        <button
          type="button"
          class="button primary"
          data-testid="label-finish"
          disabled={!state.labelled || adding}
          onClick={finish}
        >
          {adding ? t.adding : t.finish(state.labelled)}
        </button>
      </footer>
      {state.added && <Added version={state.added} model={state.model} />}
      <p class="faint">{t.how(state.model)}</p>
      <Refusal error={refusal} />
    </section>
  );
}

/** What became of the labels, and what to do next. */
function Added({ version, model }: { version: string; model: string }) {
  const command = t.train(model.split("@")[0]!, version);
  return (
    <p class="label-added" role="status" data-testid="label-added">
      {t.added(version)} <code>{command}</code> <CopyButton text={command} what={command} />
    </p>
  );
}
