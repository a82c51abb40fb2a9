// A form with a field for each column. Once all are filled in, the answer follows every change.
import { useRef } from "preact/hooks";
import type { Column, ColumnsInput } from "../api/card";
import { useModel } from "../live/useModel";
import { rowTensor } from "../model/encode";
import { strings } from "../strings";
import { Answer } from "./Answer";
import { Refusal } from "./Refusal";
import { RoundTripTime } from "./RoundTripTime";
import type { TryProps } from "./TryIt";

const t = strings.attempt;

export function ColumnsTry({ card, alive, onAway, table }: TryProps & { table: ColumnsInput }) {
  const { reading, trip, refusal, ask } = useModel(card, alive, onAway);
  const form = useRef<HTMLFormElement>(null);
  const labels = card.postprocess?.type === "classification" ? card.postprocess.labels : [];

  const send = () => {
    const fields = Object.fromEntries(new FormData(form.current!)) as Record<string, string>;
    ask(rowTensor(card, table, fields));
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
      <header class="try-head">
        <h2>{t.fields}</h2>
        <RoundTripTime trip={trip} />
      </header>
      <div class="side-by-side">
        <form ref={form} class="fields" data-testid="fields" onSubmit={submitted} onInput={changed}>
          {table.columns.map((column) => (
            <Field key={column.name} column={column} />
          ))}
          <button type="submit" class="button primary" data-testid="predict">
            {t.predict}
          </button>
        </form>
        <Answer labels={labels} reading={reading} />
      </div>
      <Refusal error={refusal} />
    </section>
  );
}

function Field({ column: { name, categories } }: { column: Column }) {
  return (
    <label>
      <span>{name}</span>
      {categories ? (
        <select name={name} required data-testid={`field-${name}`}>
          <option value="">{t.choose}</option>
          {categories.map((category) => (
            <option key={category}>{category}</option>
          ))}
        </select>
      ) : (
        <input type="number" name={name} step="any" required data-testid={`field-${name}`} />
      )}
    </label>
  );
}
