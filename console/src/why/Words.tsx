// The pieces of a text as the model cuts it, each behind its colour.
import { quantity } from "../format";
import type { Attribution } from "./attribution";
import { Legend } from "./Legend";
import { shares, tintBehindText } from "./tint";

const GOES_ON = /^##/; // how word pieces say that they belong to the piece before

export function Words({ attribution }: { attribution: Attribution }) {
  const { tokens, values } = attribution;
  const said = tokens.flatMap((token, place) => (token ? [{ token, value: values[place] ?? 0 }] : []));
  const parts = shares(said.map(({ value }) => value));
  return (
    <>
      <p class="words" data-testid="why-words">
        {said.map(({ token, value }, place) => (
          <span
            key={place}
            class={GOES_ON.test(token) ? "on" : undefined}
            title={quantity(+value.toPrecision(3))}
            style={{ background: tintBehindText(parts[place]!) }}
          >
            {token.replace(GOES_ON, "")}
          </span>
        ))}
      </p>
      <Legend attribution={attribution} />
    </>
  );
}
