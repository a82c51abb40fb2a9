// Pictures brought to a model's size as the server does it with Pillow: large ones averaged in
// blocks first, then a triangle filter as wide as what a new pixel covers, across and then down,
// rounded to whole values after each. In the same whole numbers, so that the result is the same.
import { grey } from "./centre";
import type { Pixels, Plane } from "./picture";

const GAP = 3; // how much larger than wanted the blocks leave it
const PRECISION = 22; // bits of a weight behind the point

/** What the model sees of a picture: one plane a channel, `[height, width, channels]`. */
export function resized(picture: Pixels, width: number, height: number, channels: 1 | 3): Plane {
  const planes = separated(picture, channels).map((plane) => fitted(plane, width, height));
  if (channels === 1) return planes[0]!;
  const data = new Uint8Array(width * height * 3);
  planes.forEach((plane, c) => plane.data.forEach((value, at) => (data[at * 3 + c] = value)));
  return { width, height, data };
}

/** Grey, or red, green and blue, each as a plane; what is transparent lies on black. */
function separated({ width, height, data, channels }: Pixels, wanted: 1 | 3): Plane[] {
  const count = width * height;
  const planes = Array.from({ length: wanted }, () => new Uint8Array(count));
  for (let i = 0; i < count; i++) {
    const at = i * channels;
    let colour = channels === 1 ? [data[i]!, data[i]!, data[i]!] : [data[at]!, data[at + 1]!, data[at + 2]!];
    if (channels === 4 && data[at + 3] !== 255) colour = colour.map((value) => onBlack(value, data[at + 3]!));
    if (wanted === 3) for (let c = 0; c < 3; c++) planes[c]![i] = colour[c]!;
    else planes[0]![i] = grey(colour[0]!, colour[1]!, colour[2]!);
  }
  return planes.map((plane) => ({ width, height, data: plane }));
}

function onBlack(value: number, alpha: number): number {
  const sum = value * alpha * 128 + (0x80 << 7);
  return ((sum >> 8) + sum) >> 15;
}

function fitted(plane: Plane, width: number, height: number): Plane {
  if (plane.width === width && plane.height === height) return plane;
  const across = Math.max(1, Math.floor(plane.width / width / GAP));
  const down = Math.max(1, Math.floor(plane.height / height / GAP));
  const small = across > 1 || down > 1 ? reduced(plane, across, down) : plane;
  const rows = stretched(small.data, small.width, small.height, 1, small.width, width, plane.width / across);
  const data = stretched(rows, small.height, width, width, 1, height, plane.height / down);
  return { width, height, data };
}

/** Each block of pixels as its mean; those at the right and the bottom may be smaller. */
function reduced({ width, height, data }: Plane, across: number, down: number): Plane {
  const [wide, high] = [Math.ceil(width / across), Math.ceil(height / down)];
  const made = new Uint8Array(wide * high);
  for (let y = 0; y < high; y++) {
    const bottom = Math.min((y + 1) * down, height);
    for (let x = 0; x < wide; x++) {
      const right = Math.min((x + 1) * across, width);
      let sum = 0;
      for (let row = y * down; row < bottom; row++) {
        for (let column = x * across; column < right; column++) sum += data[row * width + column]!;
      }
      const count = (bottom - y * down) * (right - x * across);
      const factor = Math.floor(Math.fround(2 ** 32 / Math.fround(256 * count)));
      made[y * wide + x] = Math.floor(((sum + (count >> 1)) * factor) / 2 ** 24) & 255;
    }
  }
  return { width: wide, height: high, data: made };
}

/** Every line of `count` values (of `lines`), `step` apart, as `wanted` values of `length` in all. */
function stretched(
  from: ArrayLike<number>,
  count: number,
  lines: number,
  step: number,
  lineStep: number,
  wanted: number,
  length: number,
): Uint8Array {
  const made = new Uint8Array(wanted * lines);
  if (count === wanted && length === count) {
    for (let at = 0; at < made.length; at++) made[at] = from[at]!;
    return made;
  }
  const [toStep, toLine] = step === 1 ? [1, wanted] : [lines, 1];
  for (const [place, { first, weights }] of taps(count, wanted, length).entries()) {
    for (let line = 0; line < lines; line++) {
      let sum = 1 << (PRECISION - 1);
      const start = line * lineStep + first * step;
      for (let i = 0; i < weights.length; i++) sum += weights[i]! * from[start + i * step]!;
      made[line * toLine + place * toStep] = Math.max(0, Math.min(255, Math.floor(sum / 2 ** PRECISION)));
    }
  }
  return made;
}

/** Of each new value, which old ones it is made of, and their weights in whole numbers. */
function taps(count: number, wanted: number, length: number): { first: number; weights: number[] }[] {
  const scale = Math.fround(length) / wanted; // Pillow keeps a box in single precision
  const support = Math.max(scale, 1);
  return Array.from({ length: wanted }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const last = Math.min(count, Math.trunc(centre + support + 0.5));
    const raw = Array.from({ length: last - first }, (_, i) =>
      Math.max(0, 1 - Math.abs((i + first - centre + 0.5) * (1 / support))),
    );
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, weights: raw.map((weight) => Math.trunc(0.5 + (weight / sum) * 2 ** PRECISION)) };
  });
}
