// A bar to either side for each of the largest parts, and one for what all others add up to.
import { quantity } from "../format";
import { strings } from "../strings";
import { largest, type Part, sum } from "./parts";
import { tint } from "./tint";

const SHOWN = 12;
const FULL = 0.85; // length says how much; the colour only which way

export function SignedBars({ parts }: { parts: Part[] }) {
  const { shown, others } = largest(parts, SHOWN);
  const rest = sum(others.map(({ value }) => value));
  const rows = others.length ? [...shown, { name: strings.why.rest(others.length), said: "", value: rest }] : shown;
  const values = rows.map(({ value }) => value);
  const least = Math.min(0, ...values);
  const span = Math.max(0, ...values) - least || 1;
  const zero = (-least / span) * 100;
  return (
    <ul class="signed" data-testid="why-bars">
      {rows.map(({ name, said, value, spread }: Part) => (
        <li key={name} data-testid={`why-bar-${name}`}>
          <span class="name" title={said}>
            {name}
            {said && <span>{` = ${said}`}</span>}
          </span>
          <span class="axis" aria-hidden="true" style={{ "--zero": `${zero}%` }}>
            <span
              style={{
                width: `${(Math.abs(value) / span) * 100}%`,
                left: `${zero + (Math.min(value, 0) / span) * 100}%`,
                background: tint(value < 0 ? -FULL : FULL),
              }}
            />
          </span>
          <span class="amount">
            {value > 0 && "+"}
            {quantity(+value.toPrecision(3))}
            {spread !== undefined && <small>{` ± ${quantity(+spread.toPrecision(2))}`}</small>}
          </span>
        </li>
      ))}
    </ul>
  );
}
