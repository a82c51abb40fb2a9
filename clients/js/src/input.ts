// What people have in hand, told apart: pixels, a file's bytes, a text, named fields, numbers.
import { invalid } from "./errors";
import { type Pixels, type Plane, pixelsOf, plain } from "./picture";
import { writePng } from "./png";
import { Tensor } from "./tensor";

/** A picture's or a sound's file; pixels, or what a canvas can draw; a text; fields; numbers. */
export type Input =
  | Blob
  | ArrayBuffer
  | Uint8Array
  | Plane
  | ImageData
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLImageElement
  | HTMLVideoElement
  | ImageBitmap
  | string
  | Record<string, unknown>
  | readonly unknown[]
  | Float32Array
  | Float64Array
  | Tensor;

export type Told =
  | { kind: "pixels"; pixels: Pixels }
  | { kind: "file"; bytes: Uint8Array<ArrayBuffer> }
  | { kind: "text"; text: string }
  | { kind: "plain"; value: unknown };

export async function told(input: Input): Promise<Told> {
  if (typeof input === "string") return { kind: "text", text: input };
  if (input instanceof Tensor) return { kind: "plain", value: nested(input) };
  if (input instanceof Blob) return { kind: "file", bytes: new Uint8Array(await input.arrayBuffer()) };
  if (input instanceof ArrayBuffer) return { kind: "file", bytes: new Uint8Array(input) };
  if (input instanceof Uint8Array) return { kind: "file", bytes: input as Uint8Array<ArrayBuffer> };
  if (ArrayBuffer.isView(input)) return { kind: "plain", value: Array.from(input as Float32Array) };
  const pixels = pixelsOf(input);
  if (pixels) return { kind: "pixels", pixels: plain(pixels) };
  if (typeof input !== "object" || input === null) {
    throw invalid(`input: expected a picture, a sound, a text, named fields or numbers, received ${typeof input}`);
  }
  return { kind: "plain", value: input };
}

function nested({ data, shape }: Tensor): unknown {
  let rows: unknown[] = Array.from(data as ArrayLike<unknown>, (value) =>
    typeof value === "bigint" ? Number(value) : value,
  );
  for (const size of shape.slice(1).reverse()) {
    rows = Array.from({ length: rows.length / size }, (_, row) => rows.slice(row * size, (row + 1) * size));
  }
  return rows;
}

const HEADS: [type: string, at: number, head: string][] = [
  ["image/png", 1, "PNG"],
  ["image/jpeg", 0, "\xff\xd8"],
  ["image/gif", 0, "GIF8"],
  ["image/webp", 8, "WEBP"],
  ["image/bmp", 0, "BM"],
  ["audio/wav", 8, "WAVE"],
];

/** What the friendly door takes: a body and its type. */
export async function written(given: Told): Promise<{ type: string; body: BodyInit }> {
  switch (given.kind) {
    case "pixels":
      return { type: "image/png", body: await writePng(given.pixels) };
    case "text": // as JSON, which has a word for an empty one
      return { type: "application/json", body: JSON.stringify(given.text) };
    case "plain":
      return { type: "application/json", body: JSON.stringify(given.value) };
    case "file": {
      const { bytes } = given;
      const begins = (at: number, head: string) =>
        [...head].every((letter, i) => bytes[at + i] === letter.charCodeAt(0));
      const type = HEADS.find(([, at, head]) => begins(at, head))?.[0];
      if (!type) throw invalid("input: expected a PNG, JPEG, GIF, WebP, BMP or WAV file, received other bytes");
      return { type, body: bytes };
    }
  }
}
