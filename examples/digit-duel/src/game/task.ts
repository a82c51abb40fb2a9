// What is asked: a sum, a difference or a product with a hole in it that one digit fills.
//
// The digit comes first and the numbers around it after, so that all ten are asked alike often.
import { between, oneOf, type Random } from "./random";

export type Sign = "+" | "−" | "×";
export type Hole = 0 | 1 | 2;

export interface Task {
  /** `first sign second = third`. */
  numbers: [first: number, second: number, third: number];
  sign: Sign;
  /** The place of the number that is asked for. */
  hole: Hole;
}

/** How hard: sums up to 9, then sums and differences, then products too. */
export type Level = 0 | 1 | 2;

const SIGNS: readonly (readonly Sign[])[] = [["+"], ["+", "−"], ["+", "−", "×"]];
/** Right answers after which it becomes harder. */
const STEPS = [3, 7];

export function answerOf({ numbers, hole }: Task): number {
  return numbers[hole];
}

export function levelAfter(solved: number): Level {
  return STEPS.filter((step) => solved >= step).length as Level;
}

/** The next task; never one with the answer of the one before. */
export function nextTask(random: Random, level: Level, before: Task | null = null): Task {
  const digits = Array.from({ length: 10 }, (_, digit) => digit);
  const asked = before ? digits.filter((digit) => digit !== answerOf(before)) : digits;
  const digit = oneOf(random, asked);
  return MAKERS[oneOf(random, SIGNS[level]!)](random, digit, level);
}

type Maker = (random: Random, digit: number, level: Level) => Task;

const sum: Maker = (random, digit, level) => {
  const hole = oneOf(random, level ? ([0, 1, 2] as const) : ([0, 1] as const));
  if (hole === 2) {
    const first = between(random, 0, digit);
    return { numbers: [first, digit - first, digit], sign: "+", hole };
  }
  const other = between(random, 0, level ? 9 : 9 - digit);
  const pair = hole ? ([other, digit] as const) : ([digit, other] as const);
  return { numbers: [...pair, digit + other], sign: "+", hole };
};

/** A sum told backwards, its hole moved along. */
const difference: Maker = (random, digit, level) => {
  const { numbers, hole } = sum(random, digit, level);
  const [first, second, third] = numbers;
  return { numbers: [third, second, first], sign: "−", hole: ((2 - hole) % 3) as Hole };
};

const product: Maker = (random, digit) => {
  const other = between(random, 1, 9); // not 0, of which any digit makes 0
  const hole = oneOf(random, [0, 1] as const);
  const pair = hole ? ([other, digit] as const) : ([digit, other] as const);
  return { numbers: [...pair, digit * other], sign: "×", hole };
};

const MAKERS: Record<Sign, Maker> = { "+": sum, "−": difference, "×": product };

/** As one reads it, the hole as a question mark. */
export function written({ numbers, sign, hole }: Task): string {
  const [first, second, third] = numbers.map((number, place) => (place === hole ? "?" : String(number)));
  return `${first} ${sign} ${second} = ${third}`;
}
