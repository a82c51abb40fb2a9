// A sheet to write on. The answer follows as soon as the hand rests for a moment.
import { useEffect, useRef, useState } from "preact/hooks";
import type { TextInput } from "../api/card";
import { useModel } from "../live/useModel";
import { textTensor } from "../model/encode";
import { withTensor } from "../model/question";
import { strings } from "../strings";
import { WhyPanel } from "../why/WhyPanel";
import { Words } from "../why/Words";
import { Answer } from "./Answer";
import type { Attempt } from "./attempt";
import { Refusal } from "./Refusal";
import { TryHead } from "./TryHead";

const t = strings.attempt;
const REST_MS = 120;

export function TextTry({ card, alive, onAway, how }: Attempt & { how: TextInput }) {
  const { reading, trip, refusal, why, ask, forget } = useModel<null>(card, alive, onAway);
  const [text, setText] = useState("");
  const box = useRef<HTMLTextAreaElement>(null);
  const timer = useRef(0);

  useEffect(() => () => clearTimeout(timer.current), []);
  const changed = (now: string) => {
    setText(now);
    clearTimeout(timer.current);
    if (!now.trim()) return forget();
    timer.current = window.setTimeout(() => ask(withTensor(textTensor(how, now), null)), REST_MS);
  };
  const clear = () => {
    changed("");
    box.current!.focus();
  };

  return (
    <section class="try" aria-label={t.write}>
      <TryHead title={t.write} why={why} trip={trip} />
      <div class="side-by-side">
        <div class="writing">
          <textarea
            ref={box}
            rows={8}
            value={text}
            aria-label={how.input}
            placeholder={t.hintText}
            data-testid="text"
            onInput={(event) => changed(event.currentTarget.value)}
          />
          <div class="pad-foot">
            <span class="faint" data-testid="text-count">
              {t.words(text.trim() ? text.trim().split(/\s+/).length : 0, text.length)}
            </span>
            <button type="button" class="button" data-testid="clear" disabled={!text} onClick={clear}>
              {t.clear}
            </button>
          </div>
        </div>
        <Answer card={card} reading={reading} why={why} />
      </div>
      <WhyPanel card={card} why={why} show={(attribution) => <Words attribution={attribution} />} />
      <Refusal error={refusal} />
    </section>
  );
}
