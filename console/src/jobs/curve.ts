// Numbers an epoch as the path of a curve. Nothing here draws; missing and infinite numbers break
// the line.
import type { JobEvent } from "../api/jobs";

export interface Series {
  name: string;
  /** [epoch, value] */
  points: [number, number][];
}

export const WIDTH = 320;
export const HEIGHT = 120;

/** The series of all metrics whose name ends like this, such as `loss` and `val_loss`. */
export function seriesOf(events: JobEvent[], ending: string): Series[] {
  const found = new Map<string, [number, number][]>();
  for (const { kind, epoch, metrics } of events) {
    if (kind !== "epoch" || epoch === undefined) continue;
    for (const [name, value] of Object.entries(metrics ?? {})) {
      if (!name.endsWith(ending)) continue;
      const points = found.get(name) ?? found.set(name, []).get(name)!;
      // An epoch that is done again after a crash replaces what was told of it before.
      while (points.length && points[points.length - 1]![0] >= epoch) points.pop();
      if (value !== null && Number.isFinite(value)) points.push([epoch, value]);
    }
  }
  return [...found].map(([name, points]) => ({ name, points }));
}

/** The least and the greatest value of all series, never the same. */
export function range(series: Series[]): [number, number] {
  const values = series.flatMap(({ points }) => points.map(([, value]) => value));
  if (!values.length) return [0, 1];
  const low = Math.min(...values);
  const high = Math.max(...values);
  return high > low ? [low, high] : [low - 0.5, high + 0.5];
}

export function path({ points }: Series, epochs: number, [low, high]: [number, number]): string {
  const x = (epoch: number) => (epochs > 1 ? ((epoch - 1) / (epochs - 1)) * WIDTH : WIDTH / 2);
  const y = (value: number) => HEIGHT - ((value - low) / (high - low)) * HEIGHT;
  return points
    .map(([epoch, value], place) => `${place ? "L" : "M"}${x(epoch).toFixed(1)} ${y(value).toFixed(1)}`)
    .join("");
}
