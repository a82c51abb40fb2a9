// Pictures as pixels: planes of grey, RGBA as a canvas has it, and whatever a canvas can draw.
import { invalid } from "./errors";

/** One byte a pixel, row by row: 0 is black, 255 is white. */
export interface Plane {
  width: number;
  height: number;
  data: Uint8Array | Uint8ClampedArray;
}

/** Pixels of 1 (grey), 3 (colour) or 4 bytes (colour and how opaque). */
export interface Pixels extends Plane {
  channels: 1 | 3 | 4;
}

/** Something a canvas can draw, where there are canvases. */
interface Drawable {
  width: number | { baseVal: unknown };
  height: number | { baseVal: unknown };
  naturalWidth?: number;
  videoWidth?: number;
  naturalHeight?: number;
  videoHeight?: number;
}

const isBytes = (value: unknown): value is Uint8Array | Uint8ClampedArray =>
  value instanceof Uint8Array || value instanceof Uint8ClampedArray;

/** The pixels of a plane, an ImageData, a canvas, an image or a video; null of anything else. */
export function pixelsOf(value: unknown): Pixels | null {
  if (typeof value !== "object" || value === null) return null;
  const { width, height, data } = value as Plane;
  if (isBytes(data) && Number.isInteger(width) && Number.isInteger(height)) {
    const channels = data.length / (width * height);
    if (channels !== 1 && channels !== 3 && channels !== 4) {
      throw invalid(`picture: expected 1, 3 or 4 bytes a pixel of ${width}x${height}, received ${data.length} bytes`);
    }
    return { width, height, data, channels };
  }
  return drawn(value as Drawable);
}

function drawn(value: Drawable): Pixels | null {
  const context = contextOf(value);
  if (!context) return null;
  const { width, height } = context.canvas;
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, data, channels: 4 };
}

type Context = OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D;

function contextOf(value: Drawable): Context | null {
  const is = (name: string) => {
    const kind = (globalThis as Record<string, unknown>)[name];
    return typeof kind === "function" && value instanceof kind;
  };
  if (is("HTMLCanvasElement") || is("OffscreenCanvas")) {
    const own = (value as unknown as OffscreenCanvas).getContext("2d", { willReadFrequently: true });
    if (own) return own as Context;
  } else if (!["HTMLImageElement", "HTMLVideoElement", "ImageBitmap", "VideoFrame"].some(is)) return null;
  const width = value.naturalWidth || value.videoWidth || Number(value.width);
  const height = value.naturalHeight || value.videoHeight || Number(value.height);
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context?.drawImage(value as unknown as CanvasImageSource, 0, 0);
  return context;
}

/** The same pixels in the fewest bytes that say as much: opaque loses its alpha, grey its colour. */
export function plain(pixels: Pixels): Pixels {
  const { width, height, data, channels } = pixels;
  if (channels === 1) return pixels;
  let grey = true;
  for (let at = 0; at < data.length; at += channels) {
    if (channels === 4 && data[at + 3] !== 255) return pixels;
    grey &&= data[at] === data[at + 1] && data[at] === data[at + 2];
  }
  const kept = grey ? 1 : 3;
  if (kept === channels) return pixels;
  const small = new Uint8Array(width * height * kept);
  for (let from = 0, to = 0; from < data.length; from += channels) {
    for (let c = 0; c < kept; c++) small[to++] = data[from + c]!;
  }
  return { width, height, data: small, channels: kept };
}
