import { describe, expect, it } from "vitest";
import { seeded } from "../src/game/random";
import { answerOf, type Level, levelAfter, nextTask, type Task, written } from "../src/game/task";

const COUNT = { "+": (a: number, b: number) => a + b, "−": (a: number, b: number) => a - b, "×": (a: number, b: number) => a * b };

function many(level: Level, count = 2000): Task[] {
  const random = seeded(7);
  const made: Task[] = [];
  for (let i = 0; i < count; i++) made.push(nextTask(random, level, made.at(-1) ?? null));
  return made;
}

describe("tasks", () => {
  it("are true, and have one digit as the only answer", () => {
    for (const { numbers, sign, hole } of ([0, 1, 2] as const).flatMap((level) => many(level))) {
      const right = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter((digit) => {
        const [a, b, c] = numbers.map((number, place) => (place === hole ? digit : number));
        return COUNT[sign](a!, b!) === c;
      });
      // One expectation a task would take seconds.
      if (right.length !== 1 || right[0] !== numbers[hole]) expect.fail(written({ numbers, sign, hole }));
    }
  });

  it("ask for all ten digits alike, never for one twice in a row", () => {
    for (const level of [0, 1, 2] as const) {
      const answers = many(level).map(answerOf);
      for (let digit = 0; digit < 10; digit++) {
        expect(answers.filter((answer) => answer === digit).length).toBeGreaterThan(140);
      }
      expect(answers.some((answer, place) => answer === answers[place - 1])).toBe(false);
    }
  });

  it("become harder", () => {
    expect([0, 2, 3, 6, 7, 50].map(levelAfter)).toEqual([0, 0, 1, 1, 2, 2]);
    const signs = (level: Level) => [...new Set(many(level).map(({ sign }) => sign))].sort().join("");
    expect([0, 1, 2].map((level) => signs(level as Level).length)).toEqual([1, 2, 3]);
    expect(many(0).every(({ numbers }) => numbers[2] <= 9)).toBe(true);
  });

  it("read as one reads them", () => {
    expect(written({ numbers: [7, 2, 9], sign: "+", hole: 1 })).toBe("7 + ? = 9");
    expect(written({ numbers: [12, 8, 4], sign: "−", hole: 2 })).toBe("12 − 8 = ?");
  });
});
