import { describe, expect, it } from "vitest";
import { seeded } from "../src/game/random";
import { plan, scoreAt } from "../src/game/rival";
import { answered, begin, left, passed, points, ready, ROUND_MS, type Round, skipped } from "../src/game/round";
import { answerOf } from "../src/game/task";

const random = seeded(3);
const rightly = (round: Round) => answered(round, answerOf(round.task), random);
const wrongly = (round: Round) => answered(round, (answerOf(round.task) + 1) % 10, random);

describe("a round", () => {
  it("scores right answers, more in a row", () => {
    let round = begin(random, 0);
    for (let i = 0; i < 7; i++) round = rightly(round);
    expect(round).toMatchObject({ score: 10 + 12 + 14 + 16 + 18 + 20 + 20, streak: 7, solved: 7, missed: 0 });
  });

  it("ends a streak with a wrong answer, and asks the same again", () => {
    const before = rightly(rightly(begin(random, 0)));
    const after = wrongly(before);
    expect(after).toMatchObject({ streak: 0, longest: 2, missed: 1, score: before.score, task: before.task });
    expect(rightly(after).score - after.score).toBe(points(0));
  });

  it("asks something else after a right answer and when it is skipped, which costs nothing", () => {
    const round = rightly(begin(random, 0));
    const next = skipped(round, random);
    expect(answerOf(next.task)).not.toBe(answerOf(round.task));
    expect(next).toMatchObject({ score: round.score, streak: 1, missed: 0 });
  });

  it("lasts twenty seconds, after which nothing counts", () => {
    const round = begin(random, 1000);
    expect(left(round, 1000)).toBe(20_000);
    expect(passed(round, 1000 + ROUND_MS - 1).phase).toBe("playing");
    const over = passed(round, 1000 + ROUND_MS);
    expect(over.phase).toBe("over");
    expect(rightly(over)).toBe(over);
    expect(skipped(over, random)).toBe(over);
    expect(rightly(ready(random)).score).toBe(0);
  });
});

describe("the rival", () => {
  it("is the same for the same chance, never idle, quicker the fiercer it is", () => {
    expect(plan("calm", seeded(5))).toEqual(plan("calm", seeded(5)));
    const mean = (pace: "calm" | "quick" | "fierce") => {
      const scores = Array.from({ length: 200 }, (_, seed) => scoreAt(plan(pace, seeded(seed)), ROUND_MS));
      return scores.reduce((a, b) => a + b) / scores.length;
    };
    expect(mean("calm")).toBeGreaterThan(30);
    expect(mean("quick")).toBeGreaterThan(mean("calm") * 1.3);
    expect(mean("fierce")).toBeGreaterThan(mean("quick") * 1.3);
  });

  it("scores as time goes by, and only in the round", () => {
    const made = plan("fierce", seeded(1));
    expect(scoreAt(made, 0)).toBe(0);
    for (let at = 0; at < ROUND_MS; at += 500) expect(scoreAt(made, at + 500)).toBeGreaterThanOrEqual(scoreAt(made, at));
    expect(made.every(({ at }) => at < ROUND_MS)).toBe(true);
    expect(plan("none", seeded(1))).toEqual([]);
  });
});
