// A drawing made small the way MNIST's digits were: cropped to its ink, the longer side scaled to
// 20 of 28 pixels by area averaging, pasted so that its centre of mass lies in the middle. The same
// as numen's own `centre` (numen.core.centre), value for value: all of it is whole numbers.
import type { Pixels, Plane } from "./picture";

/** A place in a picture, in its pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Light ink on black, and the part of the drawing it shows: that may lie beyond the paper. */
export interface Centred extends Plane {
  data: Uint8ClampedArray<ArrayBuffer>;
  shows: Box;
}

const FILLED = 20;
const OF = 28;
const VISIBLE = 8; // on paper that is all black, all white or transparent
const GRAIN = 64; // on any other, which was photographed or scanned

/** How grey a colour is, 0-255: ITU-R 601-2, in whole numbers as Pillow counts. */
export const grey = (red: number, green: number, blue: number): number =>
  (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;

/**
 * How much ink lies on each pixel: 0 is paper, 255 full ink.
 *
 * Where anything is transparent, ink is what is opaque, whatever its colour. Else the paper is what
 * most of the pixels at the edge are like, and ink how far a pixel is from that: darker on light
 * paper, lighter on dark. What is fainter than grain is paper.
 */
export function ink({ width, height, data, channels }: Pixels): Uint8Array {
  const count = width * height;
  const found = new Uint8Array(count);
  if (channels === 4) {
    let clear = false;
    for (let i = 0; i < count; i++) {
      found[i] = data[i * 4 + 3]!;
      clear ||= found[i] !== 255;
    }
    if (clear) return found.map((value) => (value < VISIBLE ? 0 : value));
  }
  for (let i = 0; i < count; i++) {
    const at = i * channels;
    found[i] = channels === 1 ? data[i]! : grey(data[at]!, data[at + 1]!, data[at + 2]!);
  }
  const paper = paperOf(found, width, height);
  const light = paper >= 128;
  const room = light ? paper : 255 - paper;
  const faintest = room === 255 ? VISIBLE : GRAIN;
  const inked = Uint8Array.from({ length: 256 }, (_, value) => {
    const away = light ? paper - value : value - paper;
    const full = away <= 0 ? 0 : Math.floor((away * 510 + room) / (2 * room));
    return full < faintest ? 0 : full;
  });
  for (let i = 0; i < count; i++) found[i] = inked[found[i]!]!;
  return found;
}

/** The median of the pixels at the edge; of two in the middle, the lower. */
function paperOf(values: Uint8Array, width: number, height: number): number {
  const counts = new Uint32Array(256);
  let edge = 0;
  for (let y = 0; y < height; y++) {
    const step = y === 0 || y === height - 1 ? 1 : Math.max(1, width - 1);
    for (let x = 0; x < width; x += step, edge++) counts[values[y * width + x]!]!++;
  }
  let below = 0;
  let value = 0;
  while ((below += counts[value]!) < Math.ceil(edge / 2)) value++;
  return value;
}

/** The smallest box around all ink, or null when there is none. */
export function inkBox({ width, height, data }: Plane): Box | null {
  let left = width;
  let right = -1;
  let top = height;
  let bottom = -1;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (!data[at]) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Each small pixel is the mean of the area it covers, parts of pixels counted by their part. */
export function shrink(plane: Plane, box: Box, width: number, height: number): Plane {
  const rows = new Float64Array(box.height * width);
  for (let y = 0; y < box.height; y++) {
    const start = (box.top + y) * plane.width + box.left;
    gather(plane.data, start, 1, box.width, rows, y * width, 1, width);
  }
  const sums = new Float64Array(width * height);
  for (let x = 0; x < width; x++) gather(rows, x, width, box.height, sums, x, width, height);
  const area = box.width * box.height;
  return { width, height, data: Uint8ClampedArray.from(sums, (sum) => Math.floor((2 * sum + area) / (2 * area))) };
}

/** Sums a line of `count` values into `wanted`, each by how much of it is covered, times `wanted`. */
function gather(
  from: ArrayLike<number>,
  start: number,
  step: number,
  count: number,
  to: Float64Array,
  toStart: number,
  toStep: number,
  wanted: number,
): void {
  for (let i = 0; i < wanted; i++) {
    const [begin, end] = [i * count, (i + 1) * count];
    let sum = 0;
    for (let at = Math.floor(begin / wanted); at * wanted < end; at++) {
      const part = Math.min((at + 1) * wanted, end) - Math.max(at * wanted, begin);
      sum += part * from[start + at * step]!;
    }
    to[toStart + i * toStep] = sum;
  }
}

/** The whole way from a picture to what a model sees; null when nothing is drawn. */
export function centre(picture: Pixels, width: number, height: number): Centred | null {
  return centred({ width: picture.width, height: picture.height, data: ink(picture) }, width, height);
}

/** The same of ink alone: 0 is paper, 255 full ink. */
export function centred(drawing: Plane, width: number, height: number): Centred | null {
  const box = inkBox(drawing);
  if (!box) return null;
  const across = width * box.height <= height * box.width; // the width is what binds
  const [room, longer] = across ? [width, box.width] : [height, box.height];
  const scaled = (side: number) =>
    Math.max(1, Math.floor((2 * side * room * FILLED + OF * longer) / (2 * OF * longer)));
  const small = shrink(drawing, box, scaled(box.width), scaled(box.height));
  const { total, x, y } = moments(small);
  const left = place(width, small.width, total, x);
  const top = place(height, small.height, total, y);
  const data = new Uint8ClampedArray(width * height);
  for (let row = 0; row < small.height; row++) {
    data.set(small.data.subarray(row * small.width, (row + 1) * small.width), (top + row) * width + left);
  }
  const [wide, high] = [box.width / small.width, box.height / small.height];
  const shows = {
    left: box.left - left * wide,
    top: box.top - top * high,
    width: width * wide,
    height: height * high,
  };
  return { width, height, data, shows };
}

/** All the ink, and its sum of places across and down. */
function moments({ width, height, data }: Plane): { total: number; x: number; y: number } {
  let total = 0;
  let x = 0;
  let y = 0;
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at++) {
      total += data[at]!;
      x += data[at]! * column;
      y += data[at]! * row;
    }
  }
  return { total, x, y };
}

/** Where to begin so that the mass lies in the middle, but never so far that ink falls off. */
function place(room: number, length: number, total: number, moment: number): number {
  const middle = total ? Math.floor((2 * (Math.floor(room / 2) * total - moment) + total) / (2 * total)) : (room - length) >> 1;
  return Math.min(Math.max(middle, 0), room - length);
}
