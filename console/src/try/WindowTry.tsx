// Rows one behind the other, pasted as a table; the answer follows every change.
import { useState } from "preact/hooks";
import type { WindowInput } from "../api/card";
import { useModel } from "../live/useModel";
import { type Fields, withRows } from "../model/question";
import { rowsOf } from "../model/rows";
import { strings } from "../strings";
import { StepGrid } from "../why/StepGrid";
import { WhyPanel } from "../why/WhyPanel";
import { Answer } from "./Answer";
import type { Attempt } from "./attempt";
import { Refusal } from "./Refusal";
import { TryHead } from "./TryHead";

const t = strings.attempt;

export function WindowTry({ card, alive, onAway, how }: Attempt & { how: WindowInput }) {
  const { reading, trip, refusal, why, ask, forget } = useModel<Fields[]>(card, alive, onAway);
  const header = `${how.columns.map(({ name }) => name).join(",")}\n`;
  const [text, setText] = useState(header);
  const rows = rowsOf(text);

  const changed = (now: string) => {
    setText(now);
    const given = rowsOf(now);
    if (given.length) ask(withRows(given));
    else forget();
  };

  return (
    <section class="try" aria-label={t.paste}>
      <TryHead title={t.paste} why={why} trip={trip} />
      <div class="side-by-side">
        <div class="writing rows">
          <textarea
            rows={8}
            wrap="off"
            spellcheck={false}
            value={text}
            aria-label={t.paste}
            data-testid="rows"
            onInput={(event) => changed(event.currentTarget.value)}
          />
          <div class="pad-foot">
            <span class="faint" data-testid="row-count">
              {t.rows(rows.length, how.steps)}
            </span>
            <button
              type="button"
              class="button"
              data-testid="clear"
              disabled={text === header}
              onClick={() => changed(header)}
            >
              {t.clear}
            </button>
          </div>
        </div>
        <Answer card={card} reading={reading} why={why} />
      </div>
      <WhyPanel
        card={card}
        why={why}
        show={(attribution, asked) => <StepGrid how={how} attribution={attribution} rows={asked} />}
      />
      <Refusal error={refusal} />
    </section>
  );
}
