// What the colours mean, from one end to the other.
import { strings } from "../strings";
import { type Attribution, unsigned } from "./attribution";
import { tint } from "./tint";

const t = strings.why;
const STOPS = [-1, -0.5, 0, 0.5, 1];

export function Legend({ attribution }: { attribution: Attribution }) {
  const [least, most] = unsigned(attribution.method)
    ? t.size
    : attribution.label === null
      ? t.ofQuantity
      : t.ofLabel;
  const stops = STOPS.filter((share) => share >= 0 || !unsigned(attribution.method));
  return (
    <p class="legend" data-testid="why-legend">
      <span>{least}</span>
      <span
        class="scale"
        aria-hidden="true"
        style={{ background: `linear-gradient(to right, ${stops.map(tint).join(", ")})` }}
      />
      <span>{most}</span>
    </p>
  );
}
