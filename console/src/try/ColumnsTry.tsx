// A form with a field for each column. Once all that must be there is filled in, the answer follows
// every change.
import { useRef } from "preact/hooks";
import type { Column, ColumnsInput } from "../api/card";
import { useModel } from "../live/useModel";
import { type Fields, withFields } from "../model/question";
import { strings } from "../strings";
import { SignedBars } from "../why/SignedBars";
import { partsOf } from "../why/parts";
import { WhyPanel } from "../why/WhyPanel";
import { Answer } from "./Answer";
import type { Attempt } from "./attempt";
import { Refusal } from "./Refusal";
import { TryHead } from "./TryHead";

const t = strings.attempt;
const DATE = String.raw`\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?`;

export function ColumnsTry({ card, alive, onAway, table }: Attempt & { table: ColumnsInput }) {
  const { reading, trip, refusal, why, ask } = useModel<Fields>(card, alive, onAway);
  const form = useRef<HTMLFormElement>(null);
  const whole = !card.signature.inputs.some(({ missing }) => missing);

  const send = () => {
    const fields = Object.fromEntries(new FormData(form.current!)) as Fields;
    ask(withFields(fields));
  };
  const submitted = (event: Event) => {
    event.preventDefault();
    send();
  };
  const changed = () => {
    if (form.current!.checkValidity()) send();
  };

  return (
    <section class="try" aria-label={t.fields}>
      <TryHead title={t.fields} why={why} trip={trip} />
      <div class="side-by-side">
        <form ref={form} class="fields" data-testid="fields" onSubmit={submitted} onInput={changed}>
          {table.columns.map((column) => (
            <Field key={column.name} column={column} required={whole} />
          ))}
          <div class="fields-foot">
            <button type="submit" class="button primary" data-testid="predict">
              {t.predict}
            </button>
            {!whole && <span class="faint">{t.mayLack}</span>}
          </div>
        </form>
        <Answer card={card} reading={reading} why={why} />
      </div>
      <WhyPanel
        card={card}
        why={why}
        show={(attribution, asked) => <SignedBars parts={partsOf(attribution, table.columns, asked)} />}
      />
      <Refusal error={refusal} />
    </section>
  );
}

function Field({ column, required }: { column: Column; required: boolean }) {
  return (
    <label class={column.words ? "wide" : undefined}>
      <span>{column.name}</span>
      <Entry column={column} required={required} />
    </label>
  );
}

function Entry({ column: { name, categories, date, words }, required }: { column: Column; required: boolean }) {
  const own = { name, required, "data-testid": `field-${name}` };
  if (words) return <textarea {...own} required={false} rows={3} />; // no words are words, too
  if (date) return <input {...own} pattern={DATE} placeholder={t.date} title={t.date} />;
  if (!categories) return <input {...own} type="number" step="any" />;
  return (
    <select {...own}>
      <option value="">{required ? t.choose : strings.label.missing}</option>
      {categories.map((category) => (
        <option key={category}>{category}</option>
      ))}
    </select>
  );
}
