// Which model: a row of links for a few, a select for many.
import type { Card } from "../api/card";
import { strings } from "../strings";

const A_FEW = 6;

export function ModelPicker({ cards, chosen }: { cards: Card[]; chosen: string }) {
  if (cards.length > A_FEW) {
    return (
      <label class="picker">
        <span>{strings.models}</span>
        <select
          value={chosen}
          data-testid="model-picker"
          onChange={(event) => (location.hash = encodeURIComponent(event.currentTarget.value))}
        >
          {cards.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
    );
  }
  return (
    <nav class="picker" aria-label={strings.models} data-testid="model-picker">
      {cards.map(({ name }) => (
        <a
          key={name}
          href={`#${encodeURIComponent(name)}`}
          aria-current={name === chosen ? "page" : undefined}
        >
          {name}
        </a>
      ))}
    </nav>
  );
}
