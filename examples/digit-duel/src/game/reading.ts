// What the model makes of a drawing, and whether it is sure enough to be taken at its word.
import type { Source } from "numen";

/** Below this share of its best label the game says "unsure" and guesses nothing. */
export const SURE = 0.7;

export interface Reading {
  /** From 0 to 1, by digit. */
  shares: number[];
  best: number;
  sure: boolean;
  source: Source;
  /** Milliseconds from question to answer. */
  ms: number;
  version: string;
}

interface Scored {
  label: string;
  probability: number;
}

/** An answer as shares by digit; null where it says nothing of digits. */
export function readingOf(answer: { top?: Scored[]; source: Source; ms: number; version?: string }): Reading | null {
  const { top = [], source, ms, version = "" } = answer;
  if (!top.length) return null;
  const shares = Array.from({ length: 10 }, (_, digit) => {
    return top.find(({ label }) => label === String(digit))?.probability ?? 0;
  });
  const best = shares.indexOf(Math.max(...shares));
  return { shares, best, sure: shares[best]! >= SURE, source, ms, version };
}

/** The digits it hesitates between: the best two. */
export function doubts({ shares }: Reading): [number, number] {
  const order = shares.map((_, digit) => digit).sort((a, b) => shares[b]! - shares[a]!);
  return [order[0]!, order[1]!];
}
