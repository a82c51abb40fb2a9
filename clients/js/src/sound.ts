// WAV files as a model hears them, as numen.core.sound has it: one channel, one rate, one length.
import type { AudioInput } from "./bundle";
import { invalid, NumenError } from "./errors";

const CROSSINGS = 16; // of the filter's sinc on either side
const BETA = 8; // of its Kaiser window
const FINEST = 1_000; // phases of the filter

interface Wave {
  rate: number;
  channels: Float32Array[];
}

/** A WAV file as `float32[samples]`. */
export function heard(bytes: Uint8Array, how: AudioInput): Float32Array {
  const { rate, channels } = wave(bytes, how);
  const one = new Float32Array(channels[0]!.length);
  for (const channel of channels) for (let i = 0; i < one.length; i++) one[i]! += channel[i]!;
  for (let i = 0; i < one.length; i++) one[i]! /= channels.length;
  const made = new Float32Array(how.samples);
  made.set(resample(one, rate, how.rate).subarray(0, how.samples));
  return made;
}

const reach = (rate: number, to: number, most: number) =>
  Math.ceil(((most + 1) * rate) / to + 2 * CROSSINGS * Math.max(rate / to, 1));

type Read = (view: DataView, at: number) => number;
const READ: Record<string, Read> = {
  "1/1": (view, at) => (view.getUint8(at) - 128) / 128,
  "1/2": (view, at) => view.getInt16(at, true) / 2 ** 15,
  "1/3": (view, at) => ((view.getUint16(at, true) << 8) | (view.getInt8(at + 2) << 24)) / 2 ** 31,
  "1/4": (view, at) => view.getInt32(at, true) / 2 ** 31,
  "3/4": (view, at) => view.getFloat32(at, true),
  "3/8": (view, at) => view.getFloat64(at, true),
};

function wave(bytes: Uint8Array, how: AudioInput): Wave {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  const refuse = (what: string) => invalid(`sound: expected ${what}`, how.input);
  if (name(0) !== "RIFF" || name(8) !== "WAVE") throw refuse(`a WAV file, received ${bytes.length} bytes that are none`);
  let form = 0;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const part = name(at);
    let size = view.getUint32(at + 4, true);
    at += 8;
    if (part === "data" && size === 0xffffffff) size = bytes.length - at;
    if (at + size > bytes.length) throw refuse(`${size} bytes in part '${part}', received ${bytes.length - at}: the file is cut short`);
    if (part === "fmt ") form = at;
    if (part === "data") {
      if (!form) break;
      return samples(view, form, at, size, how);
    }
    at += size + (size % 2);
  }
  throw refuse(`a WAV file with "fmt " and then "data", received ${bytes.length} bytes`);
}

function samples(view: DataView, form: number, at: number, size: number, how: AudioInput): Wave {
  let kind = view.getUint16(form, true);
  if (kind === 0xfffe) kind = view.getUint16(form + 24, true);
  const count = view.getUint16(form + 2, true);
  const rate = view.getUint32(form + 4, true);
  const width = Math.ceil(view.getUint16(form + 14, true) / 8);
  const read = READ[`${kind}/${width}`];
  if (!read) {
    throw new NumenError("unsupported_media", `sound: expected PCM of 8, 16, 24 or 32 bits or floating samples, received format ${kind}`, { field: how.input, hint: "convert it to WAV with PCM samples" });
  }
  const moments = Math.min(reach(rate, how.rate, how.samples), Math.floor(size / (width * count)));
  if (!count || !moments) throw invalid("sound: expected at least one sample, received none", how.input);
  const channels = Array.from({ length: count }, (_, channel) =>
    Float32Array.from({ length: moments }, (_, i) => {
      const value = read(view, at + (i * count + channel) * width);
      if (!Number.isFinite(value)) throw invalid("sound: expected finite samples", how.input);
      return Math.max(-1, Math.min(1, value));
    }),
  );
  return { rate, channels };
}

/** A signal at another rate, by a polyphase filter bank (Crochiere and Rabiner, 1983, ch. 4). */
export function resample(signal: Float32Array, rate: number, to: number): Float32Array {
  const [up, down] = nearest(to, rate, Math.max(1, Math.trunc(FINEST * Math.min(1, rate / to))));
  if (up === down) return signal;
  const { low, half } = filter(up, down);
  const made = new Float32Array(Math.ceil((signal.length * up) / down));
  for (let place = 0; place < made.length; place++) {
    const at = place * down + half; // in steps of the finer rate
    let sum = 0;
    for (let tap = at % up, from = Math.floor(at / up); tap < low.length && from >= 0; tap += up, from--) {
      if (from < signal.length) sum += low[tap]! * signal[from]!;
    }
    made[place] = sum;
  }
  return made;
}

function filter(up: number, down: number): { low: Float32Array; half: number } {
  const half = CROSSINGS * Math.max(up, down);
  const edge = 1 / Math.max(up, down);
  const low = Float32Array.from({ length: 2 * half + 1 }, (_, i) => {
    const x = (i - half) * edge * Math.PI;
    const within = (i - half) / half;
    const window = bessel(BETA * Math.sqrt(Math.max(0, 1 - within * within))) / bessel(BETA);
    return up * edge * (x === 0 ? 1 : Math.sin(x) / x) * window;
  });
  return { low, half };
}

/** The modified Bessel function of order 0, by its series. */
function bessel(x: number): number {
  let sum = 1;
  for (let k = 1, term = 1; term > sum * 1e-17; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

/** The fraction nearest to `a / b` whose denominator is at most `most`, by continued fractions. */
function nearest(a: number, b: number, most: number): [number, number] {
  let [p0, q0, p1, q1] = [0, 1, 1, 0];
  let [n, d] = [a, b];
  for (;;) {
    const whole = Math.floor(n / d);
    const q2 = q0 + whole * q1;
    if (q2 > most) break;
    [p0, q0, p1, q1] = [p1, q1, p0 + whole * p1, q2];
    [n, d] = [d, n - whole * d];
    if (!d) return [p1, q1];
  }
  const k = Math.floor((most - q0) / q1);
  const [p, q] = [p0 + k * p1, q0 + k * q1];
  return Math.abs(p1 / q1 - a / b) <= Math.abs(p / q - a / b) ? [p1, q1] : [p, q];
}
