// A curve of one kind of metric over the epochs: of training rows, and of those kept aside.
import type { JobEvent } from "../api/jobs";
import { metric } from "../format";
import { strings } from "../strings";
import { HEIGHT, path, range, seriesOf, WIDTH } from "./curve";

interface CurveProps {
  events: JobEvent[];
  /** The metric, such as `loss`. */
  of: string;
  epochs: number;
}

export function Curve({ events, of, epochs }: CurveProps) {
  const series = seriesOf(events, of).filter(({ points }) => points.length);
  if (!series.length) return null;
  const span = range(series);
  return (
    <figure class="curve" data-testid={`curve-${of}`}>
      <figcaption>
        {series.map(({ name, points }) => (
          <span key={name} class={name.startsWith("val_") ? "aside" : ""}>
            {strings.jobs.metric(name)} <strong>{metric(of, points[points.length - 1]![1])}</strong>
          </span>
        ))}
      </figcaption>
      <svg viewBox={`-4 -4 ${WIDTH + 8} ${HEIGHT + 8}`} role="img" aria-label={strings.jobs.curve(of)}>
        <path class="grid" d={`M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}`} />
        {series.map((one) => (
          <path
            key={one.name}
            class={one.name.startsWith("val_") ? "line aside" : "line"}
            d={path(one, epochs, span)}
          />
        ))}
      </svg>
      <p class="scale">
        <span>{metric(of, span[0])}</span>
        <span>{metric(of, span[1])}</span>
      </p>
    </figure>
  );
}
