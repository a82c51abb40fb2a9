// A box to write in. The answer follows every change.
import type { TextInput } from "../api/card";
import { useModel } from "../live/useModel";
import { textTensor } from "../model/encode";
import { strings } from "../strings";
import { Answer } from "./Answer";
import { Refusal } from "./Refusal";
import { RoundTripTime } from "./RoundTripTime";
import type { TryProps } from "./TryIt";

const t = strings.attempt;

export function TextTry({ card, alive, onAway, how }: TryProps & { how: TextInput }) {
  const { reading, trip, refusal, ask, forget } = useModel(card, alive, onAway);
  const labels = card.postprocess?.type === "classification" ? card.postprocess.labels : [];
  const changed = (text: string) => (text.trim() ? ask(textTensor(how, text)) : forget());

  return (
    <section class="try" aria-label={t.write}>
      <header class="try-head">
        <h2>{t.write}</h2>
        <RoundTripTime trip={trip} />
      </header>
      <div class="side-by-side">
        <form class="fields" onSubmit={(event) => event.preventDefault()}>
          <label>
            <span>{how.input}</span>
            <textarea
              rows={8}
              data-testid="text"
              onInput={(event) => changed(event.currentTarget.value)}
            />
          </label>
        </form>
        <Answer labels={labels} reading={reading} />
      </div>
      <Refusal error={refusal} />
    </section>
  );
}
