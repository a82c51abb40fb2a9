// A window's rows, the latest last, each value behind its colour.
import type { Column, WindowInput } from "../api/card";
import type { Fields } from "../model/question";
import { quantity } from "../format";
import { strings } from "../strings";
import type { Attribution } from "./attribution";
import { Legend } from "./Legend";
import { perStep } from "./parts";
import { shares, tintBehindText } from "./tint";

interface StepGridProps {
  how: WindowInput;
  attribution: Attribution;
  rows: Fields[];
}

export function StepGrid({ how: { columns, steps }, attribution, rows }: StepGridProps) {
  const given = rows.slice(-steps);
  const amounts = perStep(attribution.values, columns, steps).slice(steps - given.length);
  const parts = shares(amounts.flat());
  return (
    <>
      <div class="grid" tabIndex={0} role="group" aria-label={strings.why.grid}>
        <table data-testid="why-grid">
          <thead>
            <tr>
              <td />
              {columns.map(({ name }: Column) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {given.map((row, step) => (
              <tr key={step}>
                <th scope="row">{strings.why.step(given.length - 1 - step)}</th>
                {columns.map(({ name }, place) => (
                  <td
                    key={name}
                    title={quantity(+amounts[step]![place]!.toPrecision(3))}
                    style={{ background: tintBehindText(parts[step * columns.length + place]!) }}
                  >
                    {row[name] || strings.attempt.nothing}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Legend attribution={attribution} />
    </>
  );
}
