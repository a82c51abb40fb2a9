// Rows one behind the other, pasted as a table; the answer follows every change.
import { useState } from "preact/hooks";
import type { WindowInput } from "../api/card";
import { useModel } from "../live/useModel";
import { type Fields, withRows } from "../model/question";
import { rowsOf } from "../model/rows";
import { strings } from "../strings";
import { Legend } from "../why/Legend";
import { StepGrid } from "../why/StepGrid";
import { WhyPanel } from "../why/WhyPanel";
import { WhySwitch } from "../why/WhySwitch";
import { Answer } from "./Answer";
import type { Attempt } from "./attempt";
import { Refusal } from "./Refusal";
import { RoundTripTime } from "./RoundTripTime";

const t = strings.attempt;

export function WindowTry({ card, alive, onAway, how }: Attempt & { how: WindowInput }) {
  const { reading, trip, refusal, why, ask, forget } = useModel<Fields[]>(card, alive, onAway);
  const header = `${how.columns.map(({ name }) => name).join(",")}\n`;
  const [text, setText] = useState(header);
  const labels = card.postprocess?.type === "classification" ? card.postprocess.labels : [];
  const rows = rowsOf(text);

  const changed = (now: string) => {
    setText(now);
    const given = rowsOf(now);
    if (given.length) ask(withRows(given));
    else forget();
  };

  return (
    <section class="try" aria-label={t.paste}>
      <header class="try-head">
        <h2>{t.paste}</h2>
        <WhySwitch why={why} />
        <RoundTripTime trip={trip} />
      </header>
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
        <Answer labels={labels} reading={reading} why={why} />
      </div>
      <WhyPanel card={card} why={why}>
        {why.told && (
          <>
            <StepGrid how={how} values={why.told.attribution.values} rows={why.told.given} />
            <Legend attribution={why.told.attribution} />
          </>
        )}
      </WhyPanel>
      <Refusal error={refusal} />
    </section>
  );
}
