// From attributions, a number for each of a model's inputs, to those of what a person gave: numbers
// that stand for one pixel, one column or one moment are summed.
import type { Column, ImageInput } from "../api/card";
import type { Fields } from "../model/question";
import type { Attribution } from "./attribution";

const DATE_PARTS = 5; // days, month, day, weekday, hour

/** How many numbers a column becomes. */
export function widthOf({ date, words }: Column): number {
  return date ? DATE_PARTS : words || 1;
}

/** What each column of one row has. */
export function perColumn(values: readonly number[], columns: readonly Column[]): number[] {
  let start = 0;
  return columns.map((column) => sum(values.slice(start, (start += widthOf(column)))));
}

/** What each column has in each step of a window. */
export function perStep(values: readonly number[], columns: readonly Column[], steps: number): number[][] {
  const width = values.length / steps;
  return Array.from({ length: steps }, (_, step) =>
    perColumn(values.slice(step * width, (step + 1) * width), columns),
  );
}

/** What each pixel has, row by row: its colours are summed. */
export function perPixel(values: readonly number[], image: ImageInput): number[] {
  const { height, width, channels, layout } = image;
  const count = height * width;
  const [apart, step] = layout === "chw" ? [count, 1] : [1, channels];
  return Array.from({ length: count }, (_, pixel) => {
    let total = 0;
    for (let channel = 0; channel < channels; channel++) total += values[pixel * step + channel * apart]!;
    return total;
  });
}

/** What lies between each two neighbouring edges. */
export function perPiece(values: readonly number[], edges: readonly number[]): number[] {
  const places = edges.map((edge) => Math.max(0, Math.round(edge)));
  return places.slice(1).map((end, piece) => sum(values.slice(places[piece], end)));
}

export interface Part {
  name: string;
  /** What it was, such as a field's text. */
  said: string;
  value: number;
  /** How uncertain the value is, where that is known. */
  spread?: number;
}

/** What each column of one row has, with what was in its field. */
export function partsOf(
  { values, spread }: Pick<Attribution, "values" | "spread">,
  columns: readonly Column[],
  fields: Fields,
): Part[] {
  const amounts = perColumn(values, columns);
  let start = 0;
  return columns.map((column, place) => {
    const own = start;
    start += widthOf(column);
    // How uncertain a sum is does not follow from its parts.
    const known = spread !== null && widthOf(column) === 1;
    return {
      name: column.name,
      said: fields[column.name] ?? "",
      value: amounts[place]!,
      ...(known && { spread: spread[own]! }),
    };
  });
}

/** The largest parts first, and what all others add up to. */
export function largest(parts: readonly Part[], most: number): { shown: Part[]; others: Part[] } {
  const sorted = [...parts].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  return { shown: sorted.slice(0, most), others: sorted.slice(most) };
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
