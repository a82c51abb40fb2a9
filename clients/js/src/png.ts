// PNG, written and read byte for byte: a canvas would change colours where it is not opaque, and
// Node has none. Reads 8 bits a channel and palettes, not interlaced; writes grey, RGB and RGBA.
import { NumenError } from "./errors";
import type { Pixels } from "./picture";
import { joined } from "./tensor";

const MARK = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const TYPES = { 1: 0, 3: 2, 4: 6 } as const;

export const isPng = (bytes: Uint8Array): boolean => MARK.every((byte, at) => bytes[at] === byte);

export async function writePng({ width, height, data, channels }: Pixels): Promise<Uint8Array<ArrayBuffer>> {
  const line = width * channels;
  const raw = new Uint8Array((line + 1) * height); // each line begins with its filter: none
  for (let y = 0; y < height; y++) raw.set(data.subarray(y * line, (y + 1) * line), y * (line + 1) + 1);
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, TYPES[channels], 0, 0, 0], 8);
  const packed = await through(raw, new CompressionStream("deflate"));
  return joined([Uint8Array.from(MARK), chunk("IHDR", head), chunk("IDAT", packed), chunk("IEND", new Uint8Array())]);
}

function chunk(name: string, body: Uint8Array): Uint8Array {
  const made = new Uint8Array(body.length + 12);
  const view = new DataView(made.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) made[4 + i] = name.charCodeAt(i);
  made.set(body, 8);
  view.setUint32(8 + body.length, crc(made.subarray(4, 8 + body.length)));
  return made;
}

async function through(bytes: Uint8Array, stream: CompressionStream | DecompressionStream): Promise<Uint8Array> {
  const source = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(source).arrayBuffer());
}

let table: Uint32Array | undefined;

/** CRC-32, as PNG, gzip and Python's zlib have it. */
export function crc(bytes: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, place) => {
    let value = place;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  let value = 0xffffffff;
  for (const byte of bytes) value = table[(value ^ byte) & 255]! ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

interface Head {
  width: number;
  height: number;
  bits: number;
  /** 0 grey, 2 colour, 3 palette, 4 grey and alpha, 6 colour and alpha. */
  type: number;
}

const unreadable = (why: string, hint = "") => new NumenError("invalid_input", `image: ${why}`, { hint });

/** A PNG's pixels: grey, colour, or colour and alpha where anything may be transparent. */
export async function readPng(bytes: Uint8Array): Promise<Pixels> {
  const { head, palette, clear, packed } = parts(bytes);
  const planes = ({ 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 } as Record<number, number>)[head.type];
  if (!planes || head.bits > 8) {
    throw new NumenError("not_on_device", `image: expected a PNG of at most 8 bits a channel, received ${head.bits}`, {
      hint: "draw it on a canvas, and pass that",
    });
  }
  const raw = await through(joined(packed), new DecompressionStream("deflate")).catch(() => {
    throw unreadable("the PNG's pixels cannot be unpacked");
  });
  const samples = unfiltered(raw, head, planes);
  return coloured(samples, head, palette, clear);
}

function parts(bytes: Uint8Array): { head: Head; palette: Uint8Array; clear: Uint8Array | null; packed: Uint8Array[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let head: Head | null = null;
  let palette = new Uint8Array();
  let clear: Uint8Array | null = null;
  const packed: Uint8Array[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const size = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + size);
    if (name === "IHDR") {
      if (body[12]) throw new NumenError("not_on_device", "image: expected a PNG that is not interlaced");
      head = { width: view.getUint32(at + 8), height: view.getUint32(at + 12), bits: body[8]!, type: body[9]! };
    } else if (name === "PLTE") palette = body.slice();
    else if (name === "tRNS") clear = body.slice();
    else if (name === "IDAT") packed.push(body);
    else if (name === "IEND") break;
    at += size + 12;
  }
  if (!head || !packed.length) throw unreadable("expected a PNG, received one that is cut short");
  return { head, palette, clear, packed };
}

/** Undoes the lines' filters, and spreads samples of fewer bits to a byte each. */
function unfiltered(raw: Uint8Array, { width, height, bits }: Head, planes: number): Uint8Array {
  const line = Math.ceil((width * planes * bits) / 8);
  const step = Math.max(1, (planes * bits) >> 3);
  if (raw.length < (line + 1) * height) throw unreadable("expected a PNG, received one that is cut short");
  const made = new Uint8Array(width * height * planes);
  let above = new Uint8Array(line);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (line + 1)]!;
    const own = raw.slice(y * (line + 1) + 1, (y + 1) * (line + 1));
    for (let i = 0; i < line; i++) {
      const left = i < step ? 0 : own[i - step]!;
      const corner = i < step ? 0 : above[i - step]!;
      own[i] = own[i]! + predicted(filter, left, above[i]!, corner);
    }
    for (let i = 0; i < width * planes; i++) {
      const shift = 8 - bits - ((i * bits) & 7);
      made[y * width * planes + i] = bits === 8 ? own[i]! : (own[(i * bits) >> 3]! >> shift) & ((1 << bits) - 1);
    }
    above = own;
  }
  return made;
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

function coloured(samples: Uint8Array, { width, height, bits, type }: Head, palette: Uint8Array, clear: Uint8Array | null): Pixels {
  const count = width * height;
  const full = (1 << bits) - 1;
  if (type === 2 && !clear) return { width, height, data: samples, channels: 3 };
  if (type === 6) return { width, height, data: samples, channels: 4 };
  if (type === 0 && !clear) return { width, height, data: samples.map((value) => (value * 255) / full), channels: 1 };
  const data = new Uint8Array(count * 4);
  for (let i = 0; i < count; i++) {
    const value = samples[i]!;
    let pixel: number[];
    if (type === 3) pixel = [...palette.subarray(value * 3, value * 3 + 3), clear?.[value] ?? 255];
    else if (type === 4) {
      const grey = samples[i * 2]!;
      pixel = [grey, grey, grey, samples[i * 2 + 1]!];
    } else if (type === 0) {
      const grey = (value * 255) / full;
      pixel = [grey, grey, grey, value === ((clear![0]! << 8) | clear![1]!) ? 0 : 255];
    } else {
      const own = samples.subarray(i * 3, i * 3 + 3);
      pixel = [...own, own.every((v, c) => v === clear![c * 2 + 1]) ? 0 : 255];
    }
    data.set(pixel, i * 4);
  }
  return { width, height, data, channels: 4 };
}
