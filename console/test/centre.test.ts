import { describe, expect, it } from "vitest";
import { centre, centred, ink, inkBox, shrink } from "../../clients/js/src/centre";
import type { Plane } from "../../clients/js/src/picture";

const blank = (width: number, height: number): Plane => ({
  width,
  height,
  data: new Uint8Array(width * height),
});

/** Where the ink balances, in pixels. */
function centreOfMass({ width, data }: Plane): { x: number; y: number } {
  let [mass, x, y] = [0, 0, 0];
  data.forEach((value, at) => {
    mass += value;
    x += value * (at % width);
    y += value * Math.floor(at / width);
  });
  return { x: x / mass, y: y / mass };
}

/** A drawing with one filled rectangle. */
function drawn(side: number, left: number, top: number, width: number, height: number): Plane {
  const plane = blank(side, side);
  for (let y = top; y < top + height; y++) plane.data.fill(255, y * side + left, y * side + left + width);
  return plane;
}

const total = (plane: Plane) => Array.from(plane.data).reduce((sum, ink) => sum + ink, 0);

describe("inkBox", () => {
  it("is tight around the ink", () => {
    expect(inkBox(drawn(50, 7, 11, 13, 17))).toEqual({ left: 7, top: 11, width: 13, height: 17 });
  });

  it("finds a single pixel in the last corner", () => {
    expect(inkBox(drawn(50, 49, 49, 1, 1))).toEqual({ left: 49, top: 49, width: 1, height: 1 });
  });

  it("is null on empty paper", () => {
    expect(inkBox(blank(50, 50))).toBeNull();
  });
});

describe("shrink", () => {
  const line = (...data: number[]): Plane => ({ width: data.length, height: 1, data: Uint8ClampedArray.from(data) });

  it("averages whole pixels", () => {
    const small = shrink(line(0, 100, 200, 50), { left: 0, top: 0, width: 4, height: 1 }, 2, 1);
    expect([...small.data]).toEqual([50, 125]);
  });

  it("counts parts of pixels by their part", () => {
    const small = shrink(line(30, 60, 90), { left: 0, top: 0, width: 3, height: 1 }, 2, 1);
    expect([...small.data]).toEqual([(30 + 30) / 1.5, (30 + 90) / 1.5]);
  });

  it("looks only inside the box", () => {
    const small = shrink(line(255, 10, 20, 255), { left: 1, top: 0, width: 2, height: 1 }, 1, 1);
    expect([...small.data]).toEqual([15]);
  });

  it("averages in both directions", () => {
    const plane: Plane = { width: 2, height: 2, data: Uint8ClampedArray.from([0, 40, 80, 120]) };
    expect([...shrink(plane, { left: 0, top: 0, width: 2, height: 2 }, 1, 1).data]).toEqual([60]);
  });

  it("also makes larger", () => {
    const small = shrink(line(10, 20), { left: 0, top: 0, width: 2, height: 1 }, 4, 1);
    expect([...small.data]).toEqual([10, 10, 20, 20]);
  });
});

describe("ink", () => {
  it("overlooks the faintest edge of a smoothed line", () => {
    const plane = drawn(50, 10, 10, 5, 5);
    plane.data[0] = 3;
    expect(inkBox({ ...plane, data: ink({ ...plane, channels: 1 }) })).toEqual({ left: 10, top: 10, width: 5, height: 5 });
  });

  it("is darker on light paper, and lighter on dark", () => {
    const dark = drawn(50, 10, 10, 5, 5);
    const light = { ...dark, data: dark.data.map((value) => 255 - value) };
    expect(ink({ ...light, channels: 1 })).toEqual(ink({ ...dark, channels: 1 }));
    expect(centre({ ...light, channels: 1 }, 28, 28)).toEqual(centred(dark, 28, 28));
  });
});

describe("centred", () => {
  it("is null when nothing is drawn", () => {
    expect(centred(blank(560, 560), 28, 28)).toBeNull();
  });

  it("makes the longer side 20 of 28 pixels and keeps the proportions", () => {
    const tall = inkBox(centred(drawn(560, 200, 100, 80, 400), 28, 28)!)!;
    expect([tall.width, tall.height]).toEqual([4, 20]);
    const wide = inkBox(centred(drawn(560, 20, 300, 500, 100), 28, 28)!)!;
    expect([wide.width, wide.height]).toEqual([20, 4]);
  });

  it("gives the same picture wherever and however large it was drawn", () => {
    const one = centred(drawn(560, 40, 30, 100, 200), 28, 28)!;
    expect(centred(drawn(560, 300, 310, 100, 200), 28, 28)!.data).toEqual(one.data);
    expect(centred(drawn(560, 60, 90, 200, 400), 28, 28)!.data).toEqual(one.data);
  });

  it("says which part of the drawing it shows", () => {
    const { shows } = centred(drawn(560, 40, 30, 200, 200), 28, 28)!;
    expect(shows).toEqual({ left: -10, top: -20, width: 280, height: 280 });
  });

  it("puts the centre of mass at pixel (14, 14), at most half a pixel off", () => {
    const seven = drawn(560, 150, 120, 240, 45);
    for (let y = 165; y < 440; y++) seven.data.fill(255, y * 560 + 330, y * 560 + 375);
    const { x, y } = centreOfMass(centred(seven, 28, 28)!);
    expect(Math.abs(x - 14)).toBeLessThanOrEqual(0.5);
    expect(Math.abs(y - 14)).toBeLessThanOrEqual(0.5);
  });

  it("never cuts ink off, however lopsided the drawing", () => {
    const lopsided = drawn(560, 100, 100, 200, 20);
    for (let y = 120; y < 500; y++) lopsided.data[y * 560 + 100] = 255;
    const box = inkBox(lopsided)!;
    const small = shrink(lopsided, box, Math.round((box.width * 20) / box.height), 20);
    expect(total(centred(lopsided, 28, 28)!)).toBe(total(small));
  });

  it("is white on black over the whole range", () => {
    const { data } = centred(drawn(560, 100, 100, 300, 300), 28, 28)!;
    expect(Math.max(...data)).toBe(255);
    expect(data[0]).toBe(0);
  });

  it("shows even a dot and a hairline", () => {
    expect(total(centred(drawn(560, 9, 9, 1, 1), 28, 28)!)).toBeGreaterThan(0);
    const hair = inkBox(centred(drawn(560, 280, 10, 1, 540), 28, 28)!)!;
    expect([hair.width, hair.height]).toEqual([1, 20]);
  });

  it("fits other sizes in proportion", () => {
    const big = centred(drawn(560, 100, 100, 200, 200), 56, 56)!;
    expect([big.width, big.height, inkBox(big)!.width]).toEqual([56, 56, 40]);
    const flat = centred(drawn(560, 100, 100, 200, 200), 64, 28)!;
    expect(inkBox(flat)).toMatchObject({ width: 20, height: 20 });
  });
});
