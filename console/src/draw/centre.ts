// A drawing made small the way MNIST's digits were: the ink's bounding box is cropped, its longer
// side scaled to 20 of 28 pixels by area averaging, and pasted so that its centre of mass lies in
// the middle, at pixel (14, 14). Other sizes keep the same proportions. White ink on black.

/** Ink as one byte a pixel, row by row: 0 is paper, 255 is full ink. */
export interface Plane {
  width: number;
  height: number;
  data: Uint8ClampedArray<ArrayBuffer>;
}

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** A picture made of a drawing, and the part of that which it shows: it may lie beyond the paper. */
export interface Centred extends Plane {
  shows: Box;
}

const FILLED = 20 / 28;
const VISIBLE = 8;

export function blank(width: number, height: number): Plane {
  return { width, height, data: new Uint8ClampedArray(width * height) };
}

/** The smallest box around all visible ink, or null when there is none. */
export function inkBox({ width, height, data }: Plane): Box | null {
  let left = width;
  let right = -1;
  let top = height;
  let bottom = -1;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (data[at]! < VISIBLE) continue;
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
  const rows = new Float32Array(box.height * width);
  for (let y = 0; y < box.height; y++) {
    const start = (box.top + y) * plane.width + box.left;
    average(plane.data, start, 1, box.width, rows, y * width, 1, width);
  }
  const small = new Float32Array(width * height);
  for (let x = 0; x < width; x++) average(rows, x, width, box.height, small, x, width, height);
  return { width, height, data: Uint8ClampedArray.from(small) };
}

/** Averages a line of `count` values into one of `wanted`; either may step through its array. */
function average(
  from: ArrayLike<number>,
  start: number,
  step: number,
  count: number,
  to: Float32Array,
  toStart: number,
  toStep: number,
  wanted: number,
): void {
  const span = count / wanted;
  for (let i = 0; i < wanted; i++) {
    const begin = i * span;
    const end = Math.min(begin + span, count);
    let sum = 0;
    for (let at = Math.floor(begin); at < end; at++) {
      const part = Math.min(at + 1, end) - Math.max(at, begin);
      sum += part * from[start + at * step]!;
    }
    to[toStart + i * toStep] = sum / span;
  }
}

/** Where the ink balances, in pixels. */
export function centreOfMass({ width, height, data }: Plane): { x: number; y: number } {
  let mass = 0;
  let x = 0;
  let y = 0;
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at++) {
      const ink = data[at]!;
      mass += ink;
      x += ink * column;
      y += ink * row;
    }
  }
  return mass ? { x: x / mass, y: y / mass } : { x: (width - 1) / 2, y: (height - 1) / 2 };
}

/** The whole way from a drawing to the picture a model sees; null when nothing is drawn. */
export function centre(drawing: Plane, width: number, height: number): Centred | null {
  const box = inkBox(drawing);
  if (!box) return null;
  const scale = Math.min((width * FILLED) / box.width, (height * FILLED) / box.height);
  const small = shrink(
    drawing,
    box,
    Math.max(1, Math.round(box.width * scale)),
    Math.max(1, Math.round(box.height * scale)),
  );
  const mass = centreOfMass(small);
  const left = place(width, small.width, mass.x);
  const top = place(height, small.height, mass.y);
  const [across, down] = [box.width / small.width, box.height / small.height];
  const shows = {
    left: box.left - left * across,
    top: box.top - top * down,
    width: width * across,
    height: height * down,
  };
  const picture = { ...blank(width, height), shows };
  for (let y = 0; y < small.height; y++) {
    const row = small.data.subarray(y * small.width, (y + 1) * small.width);
    picture.data.set(row, (top + y) * width + left);
  }
  return picture;
}

/** Where to begin so that the mass lies in the middle, but never so far that ink falls off. */
function place(room: number, length: number, mass: number): number {
  const start = Math.round(Math.floor(room / 2) - mass);
  return Math.min(Math.max(start, 0), room - length);
}
