import { describe, expect, it } from "vitest";
import { Latest } from "../src/live/latest";
import { median, Stopwatch } from "../src/live/roundtrip";

/** A queue whose questions are answered by hand. */
function byHand() {
  const asked: { question: number; answer: (text: string) => void; fail: (error: Error) => void }[] = [];
  const seen: string[] = [];
  const queue = new Latest<number, string>(
    (question) => new Promise((answer, fail) => asked.push({ question, answer, fail })),
    (answer) => seen.push(answer),
    (error) => seen.push(`! ${(error as Error).message}`),
  );
  return { queue, asked, seen };
}

const settled = () => new Promise((done) => setTimeout(done));

describe("Latest", () => {
  it("asks at once when idle", async () => {
    const { queue, asked, seen } = byHand();
    queue.push(1);
    asked[0]!.answer("one");
    await settled();
    expect(seen).toEqual(["one"]);
  });

  it("has one question in flight and keeps only the newest of the others", async () => {
    const { queue, asked, seen } = byHand();
    [1, 2, 3, 4].forEach((question) => queue.push(question));
    expect(asked.map(({ question }) => question)).toEqual([1]);
    asked[0]!.answer("one");
    await settled();
    expect(asked.map(({ question }) => question)).toEqual([1, 4]);
    asked[1]!.answer("four");
    await settled();
    expect(seen).toEqual(["one", "four"]);
  });

  it("goes on after a failure", async () => {
    const { queue, asked, seen } = byHand();
    queue.push(1);
    queue.push(2);
    asked[0]!.fail(new Error("lost"));
    await settled();
    asked[1]!.answer("two");
    await settled();
    expect(seen).toEqual(["! lost", "two"]);
  });

  it("drops what waits and what is in flight, and then works on", async () => {
    const { queue, asked, seen } = byHand();
    queue.push(1);
    queue.push(2);
    queue.drop();
    queue.push(3);
    asked[0]!.answer("one");
    await settled();
    asked[1]!.answer("three");
    await settled();
    expect(asked.map(({ question }) => question)).toEqual([1, 3]);
    expect(seen).toEqual(["three"]);
  });
});

describe("round trips", () => {
  it("have a median of odd and even counts", () => {
    expect(median([5, 1, 9])).toBe(5);
    expect(median([4, 1, 2, 9])).toBe(3);
    expect(median([])).toBe(0);
  });

  it("are measured around the work", async () => {
    const { result, trip } = await new Stopwatch().time(async () => "done");
    expect(result).toBe("done");
    expect(trip.last).toBeGreaterThanOrEqual(0);
    expect(trip.median).toBe(trip.last);
  });
});
