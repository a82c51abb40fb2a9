import { describe, expect, it } from "vitest";
import type { Card, Classification, Column, ImageInput } from "../src/api/card";
import type { Answer } from "../src/api/server";
import { asksAny, readAttribution, unsigned } from "../src/why/attribution";
import { largest, partsOf, perColumn, perPiece, perPixel, perStep } from "../src/why/parts";
import { colour, shares } from "../src/why/tint";

const columns: Column[] = [
  { name: "age" },
  { name: "kind", categories: ["x", "y"] },
  { name: "since", date: "ymd" },
  { name: "note", words: 4 },
];

describe("colours", () => {
  it("on light ground are those of the server's pictures", () => {
    // numen.explain.picture.colours of the same shares
    expect([-1, -0.5, 0, 0.5, 1].map((share) => colour(share, "light"))).toEqual([[33, 113, 204], [143, 180, 228], [245, 245, 245], [217, 164, 128], [181, 80, 0]]);
  });

  it("go in even steps of lightness, and on dark ground begin dark", () => {
    const sum = (share: number) => colour(share, "dark").reduce((a, b) => a + b);
    for (const sign of [-1, 1]) {
      expect([0.25, 0.5, 0.75, 1].map((size) => sum(sign * size))).toEqual(
        [0.25, 0.5, 0.75, 1].map((size) => sum(sign * size)).sort((a, b) => a - b),
      );
    }
    expect(sum(0)).toBeLessThan(120);
  });

  it("are of parts of the largest, which one spot in a thousand does not set", () => {
    expect(shares([0, 2, -4])).toEqual([0, 0.5, -1]);
    expect(shares([0, 0])).toEqual([0, 0]);
    const spot = [...Array(999).fill(1), 1000];
    expect(shares(spot)[0]).toBe(1);
    expect(shares([...Array(999).fill(0), -5]).at(-1)).toBe(-1);
  });
});

describe("parts", () => {
  it("sum what one column has become", () => {
    const row = [1, 2, 3, 4, 5, 6, 7, 10, 20, 30, 40];
    expect(perColumn(row, columns)).toEqual([1, 2, 25, 100]);
    expect(perStep([...row, ...row], columns, 2)).toEqual([[1, 2, 25, 100], [1, 2, 25, 100]]);
  });

  it("say how uncertain a column is only where it is one number", () => {
    const values = [1, 2, 3, 4, 5, 6, 7, 10, 20, 30, 40];
    const spread = values.map((value) => value / 10);
    const parts = partsOf({ values, spread }, columns, { age: "31", note: "so so" });
    expect(parts[0]).toEqual({ name: "age", said: "31", value: 1, spread: 0.1 });
    expect(parts[2]).toEqual({ name: "since", said: "", value: 25 });
    expect(partsOf({ values, spread: null }, columns, {})[0]).not.toHaveProperty("spread");
  });

  it("sum the colours of a pixel, in either layout", () => {
    const image: ImageInput = { type: "image", input: "x", height: 1, width: 2, channels: 3, layout: "hwc", scale: 1, offset: 0 };
    expect(perPixel([1, 2, 3, 10, 20, 30], image)).toEqual([6, 60]);
    expect(perPixel([1, 10, 2, 20, 3, 30], { ...image, layout: "chw" })).toEqual([6, 60]);
    expect(perPixel([5, -5], { ...image, channels: 1, layout: "hw" })).toEqual([5, -5]);
  });

  it("sum what lies between edges, and nothing where there is nothing", () => {
    expect(perPiece([1, 2, 3, 4], [-4, -2, 0, 2, 4, 6])).toEqual([0, 0, 3, 7, 0]);
  });

  it("are the largest first, whichever way", () => {
    const parts = [1, -5, 3].map((value) => ({ name: `${value}`, said: "", value }));
    const { shown, others } = largest(parts, 2);
    expect([shown, others].map((some) => some.map(({ name }) => name))).toEqual([["-5", "3"], ["1"]]);
  });
});

describe("an explanation", () => {
  const postprocess: Classification = { type: "classification", output: "p", labels: ["a", "b"], activation: "none" };
  const card = (size: number, part: Partial<Card> = {}) =>
    ({
      signature: { inputs: [], outputs: [{ name: "p", shape: [null, size] }] },
      preprocess: { type: "text", input: "x" },
      postprocess,
      ...part,
    }) as unknown as Card;
  const answer = (...p: number[]) =>
    ({ outputs: [{ name: "p", data: p }, { name: "attribution:x", data: [0.5, -1] }] }) as unknown as Answer;
  const method = "integrated-gradients";

  it("is of the likeliest label, or of the one that was asked about", () => {
    expect(readAttribution(card(2), answer(0.9, 0.1), { method })).toEqual({
      method, about: "a", label: 0, values: [0.5, -1], spread: null, tokens: [],
    });
    expect(readAttribution(card(2), answer(0.9, 0.1), { method, target: 1 })).toMatchObject({ about: "b", label: 1 });
  });

  it("of two labels with one score is of the second", () => {
    expect(readAttribution(card(1), answer(0.1), { method })).toMatchObject({ about: "b", label: 1 });
    expect([asksAny(card(1)), asksAny(card(2))]).toEqual([false, true]);
  });

  it("of a quantity has no label", () => {
    const gold = card(1, { postprocess: { type: "regression", output: "p", target: "gold" } });
    expect(readAttribution(gold, answer(3), { method })).toMatchObject({ about: "gold", label: null });
    expect(asksAny(gold)).toBe(false);
  });

  it("says when it lacks what it should have", () => {
    const other = card(2, { preprocess: { type: "text", input: "y" } });
    expect(() => readAttribution(other, answer(1, 0), { method })).toThrow("attribution:y");
  });

  it("has no sign by saliency alone", () => {
    expect(["saliency", "tree-shap"].map(unsigned)).toEqual([true, false]);
  });
});
