// The switch that asks why; only models that can say so have one.
import type { Why } from "../live/useWhy";
import { strings } from "../strings";

const t = strings.why;

export function WhySwitch({ why }: { why: Why<unknown> }) {
  if (!why.methods.length) return null;
  return (
    <button
      type="button"
      class="switch"
      role="switch"
      aria-checked={why.on}
      title={t.meaning}
      data-testid="why-switch"
      onClick={why.toggle}
    >
      <span class="knob" aria-hidden="true" />
      {t.title}
    </button>
  );
}
