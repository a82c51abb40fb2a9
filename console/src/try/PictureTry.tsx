// Give a picture, and see what the model makes of it: dropped, chosen or pasted, sent as it is.
import { useEffect, useState } from "preact/hooks";
import { useAddress } from "../live/useAddress";
import { useModel } from "../live/useModel";
import { withFile } from "../model/question";
import { strings } from "../strings";
import { Answer } from "./Answer";
import type { Attempt } from "./attempt";
import { FileButton, useDrop } from "./files";
import { Refusal } from "./Refusal";
import { RoundTripTime } from "./RoundTripTime";
import { useClearKeys } from "./useClearKeys";

const t = strings.picture;

export function PictureTry({ card, alive, onAway }: Attempt) {
  const { reading, trip, refusal, ask, forget } = useModel(card, alive, onAway);
  const [file, setFile] = useState<File | null>(null);
  const address = useAddress(file);
  const labels = card.postprocess?.type === "classification" ? card.postprocess.labels : [];

  const open = (given: File | undefined) => {
    if (!given) return;
    setFile(given);
    ask(withFile(given, given.type || "application/octet-stream"));
  };
  const clear = () => {
    setFile(null);
    forget();
  };
  const { over, ...drop } = useDrop(open);
  useClearKeys(clear);
  useEffect(() => {
    const pasted = (event: ClipboardEvent) => open(event.clipboardData?.files[0]);
    window.addEventListener("paste", pasted);
    return () => window.removeEventListener("paste", pasted);
  }, []);

  return (
    <section class={over ? "try over" : "try"} aria-label={t.title} {...drop}>
      <header class="try-head">
        <h2>{t.title}</h2>
        <RoundTripTime trip={trip} />
      </header>
      <div class="side-by-side">
        <div class="giving">
          <div class="stage">
            {address ? (
              <img src={address} alt={file!.name} data-testid="picture" />
            ) : (
              <p class="stage-hint">{t.hint}</p>
            )}
          </div>
          <div class="stage-foot">
            <FileButton label={strings.attempt.file} accept="image/*" primary open={open} />
            <button type="button" class="button" disabled={!file} data-testid="clear" onClick={clear}>
              {strings.attempt.clear} <kbd>Esc</kbd>
            </button>
          </div>
          <Refusal error={refusal} />
        </div>
        <Answer labels={labels} reading={reading} />
      </div>
    </section>
  );
}
