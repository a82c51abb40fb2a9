import { describe, expect, it } from "vitest";
import { doubts, readingOf, SURE } from "../src/game/reading";

function answer(shares: Record<string, number>) {
  const top = Object.entries(shares).map(([label, probability]) => ({ label, probability }));
  return { top, source: "server" as const, ms: 5, version: "3" };
}

describe("a reading", () => {
  it("has every digit's share, whatever the order of the labels", () => {
    const reading = readingOf(answer({ 7: 0.9, 1: 0.08, 2: 0.02 }))!;
    expect(reading).toMatchObject({ best: 7, sure: true, source: "server", version: "3" });
    expect(reading.shares).toEqual([0, 0.08, 0.02, 0, 0, 0, 0, 0.9, 0, 0]);
  });

  it("is unsure below the threshold, and says between which", () => {
    expect(readingOf(answer({ 1: SURE, 7: 1 - SURE }))!.sure).toBe(true);
    const reading = readingOf(answer({ 4: 0.42, 9: SURE - 0.01 }))!;
    expect(reading.sure).toBe(false);
    expect(doubts(reading)).toEqual([9, 4]);
  });

  it("is none where nobody answered", () => {
    expect(readingOf({ top: [], source: "fallback", ms: 100 })).toBeNull();
    expect(readingOf({ source: "fallback", ms: 100 })).toBeNull();
  });
});
