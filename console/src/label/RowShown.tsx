// The row to be labelled: a picture or the fields of a table, and what the model thinks of it.
import type { Row } from "../api/label";
import { percent } from "../format";
import { strings } from "../strings";

const t = strings.label;

export function RowShown({ row }: { row: Row }) {
  return (
    <div class="label-row" data-testid="label-row">
      {row.picture ? (
        <img src={row.picture} alt={row.origin} />
      ) : (
        <dl>
          {Object.entries(row.fields ?? {}).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value ?? t.missing}</dd>
            </div>
          ))}
        </dl>
      )}
      <div>
        <p class="faint">{row.origin}</p>
        <ul class="label-guesses" aria-label={t.guesses}>
          {row.guesses.map(({ label, probability }) => (
            <li key={label}>
              <span>{label}</span>
              <meter value={probability} />
              <span class="faint">{percent(probability)}</span>
            </li>
          ))}
        </ul>
        <p class="faint">{t.doubt(percent(row.doubt))}</p>
      </div>
    </div>
  );
}
