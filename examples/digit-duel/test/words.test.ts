import { describe, expect, it } from "vitest";
import { GLYPHS } from "../src/draw/glyphs";
import { colour, shares } from "../src/draw/tint";
import { LANGUAGES } from "../src/strings";

/** The names of all words, however deep. */
function names(words: object, before = ""): string[] {
  return Object.entries(words).flatMap(([name, value]) =>
    typeof value === "object" ? names(value, `${before}${name}.`) : [before + name],
  );
}

describe("words", () => {
  it("are all there in both languages, and none is empty", () => {
    expect(names(LANGUAGES.zh)).toEqual(names(LANGUAGES.en));
    for (const words of Object.values(LANGUAGES)) expect(JSON.stringify(words)).not.toContain('""');
  });
});

describe("glyphs", () => {
  it("are there for every digit and sign", () => {
    for (const sign of "0123456789+−×=?") expect(GLYPHS[sign], sign).toBeTruthy();
  });
});

describe("heat", () => {
  it("is a part of the largest, from -1 to 1", () => {
    expect(shares([0, 2, -4])).toEqual([0, 1, -1]);
    expect(shares([0, 0])).toEqual([0, 0]);
  });

  it("is orange for, blue against, on either ground", () => {
    for (const ground of ["light", "dark"] as const) {
      const [red, , blue] = colour(1, ground);
      expect(red).toBeGreaterThan(blue);
      const [coldRed, , coldBlue] = colour(-1, ground);
      expect(coldBlue).toBeGreaterThan(coldRed);
    }
  });
});
