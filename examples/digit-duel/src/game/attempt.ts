// One digit that somebody drew and the model read, as it is remembered after the round.
import type { Centred } from "numen";

export interface Attempt {
  id: number;
  /** As the model saw it: rows of pixels from 0 to 255. */
  pixels: number[][];
  /** What the task asked for. */
  wanted: number;
  /** What it was read as. */
  read: number;
  /** What the player says it was; null where nothing was said. */
  meant: number | null;
}

export function rowsOf({ width, height, data }: Centred): number[][] {
  return Array.from({ length: height }, (_, row) => [...data.subarray(row * width, (row + 1) * width)]);
}
