// The computer one may play against: it answers at its own pace, and now and then wrongly.
import { points, ROUND_MS } from "./round";
import type { Random } from "./random";

export const PACES = ["none", "calm", "quick", "fierce"] as const;
export type Pace = (typeof PACES)[number];

/** Milliseconds an answer takes on average, and how many are right. */
const MANNERS: Record<Exclude<Pace, "none">, { takes: number; right: number }> = {
  calm: { takes: 4200, right: 0.85 },
  quick: { takes: 2900, right: 0.9 },
  fierce: { takes: 2000, right: 0.95 },
};
/** Part of the average by which an answer is quicker or slower. */
const VARIES = 0.35;

/** When it scores, in milliseconds from the start, and what it has from then on. */
export type Plan = readonly { at: number; score: number }[];

export function plan(pace: Pace, random: Random): Plan {
  if (pace === "none") return [];
  const { takes, right } = MANNERS[pace];
  const made: { at: number; score: number }[] = [];
  let score = 0;
  let streak = 0;
  for (let at = 0; ; ) {
    at += takes * (1 + VARIES * (2 * random() - 1));
    if (at >= ROUND_MS) return made;
    const hit = random() < right;
    score += hit ? points(streak) : 0;
    streak = hit ? streak + 1 : 0;
    made.push({ at, score });
  }
}

export function scoreAt(made: Plan, elapsed: number): number {
  return made.findLast(({ at }) => at <= elapsed)?.score ?? 0;
}
