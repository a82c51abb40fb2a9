// A sound as the page holds it: samples of one channel at one rate, and the WAV file it becomes.

export interface Clip {
  /** From -1 to 1. */
  samples: Float32Array;
  rate: number;
}

/** The rates that every browser can decode to; the server brings others to the model's. */
const LOWEST = 8_000;
const HIGHEST = 96_000;
const BEFORE = 0.03; // seconds
const HEAD = 44; // bytes before the samples of a plain WAV file

export function seconds({ samples, rate }: Clip): number {
  return samples.length / rate;
}

/** Whatever the browser can play, mixed to one channel and brought to a rate. */
export async function decode(file: Blob, rate: number): Promise<Clip> {
  const within = Math.min(Math.max(rate, LOWEST), HIGHEST);
  const bytes = await file.arrayBuffer();
  const sound = await new OfflineAudioContext(1, 1, within).decodeAudioData(bytes);
  const samples = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel++) {
    sound.getChannelData(channel).forEach((value, at) => (samples[at]! += value));
  }
  return { samples: samples.map((sum) => sum / sound.numberOfChannels), rate: within };
}

export function cut({ samples, rate }: Clip, start: number, count: number): Clip {
  return { samples: samples.subarray(start, start + count), rate };
}

/** Reads a WAV file such as `wav` writes, and numen's server. */
export function unpack(file: ArrayBuffer): Clip {
  const whole = new DataView(file);
  const count = (file.byteLength - HEAD) >> 1;
  const samples = Float32Array.from({ length: count }, (_, at) => whole.getInt16(HEAD + at * 2, true) / 32_768);
  return { samples, rate: whole.getUint32(24, true) };
}

/** A WAV file of 16 bits: a head, then the samples. */
export function wav({ samples, rate }: Clip): Blob {
  const head = new DataView(new ArrayBuffer(HEAD));
  const size = samples.length * 2;
  const text = (at: number, said: string) =>
    [...said].forEach((letter, place) => head.setUint8(at + place, letter.charCodeAt(0)));
  text(0, "RIFF");
  head.setUint32(4, 36 + size, true);
  text(8, "WAVEfmt ");
  head.setUint32(16, 16, true); // bytes of what follows up to "data"
  head.setUint16(20, 1, true); // PCM
  head.setUint16(22, 1, true); // channels
  head.setUint32(24, rate, true);
  head.setUint32(28, rate * 2, true); // bytes a second
  head.setUint16(32, 2, true); // bytes a moment
  head.setUint16(34, 16, true);
  text(36, "data");
  head.setUint32(40, size, true);
  const body = new DataView(new ArrayBuffer(size));
  samples.forEach((value, at) =>
    body.setInt16(at * 2, Math.round(Math.max(-1, Math.min(1, value)) * 32_767), true),
  );
  return new Blob([head, body], { type: "audio/wav" });
}

/** The loudest value in each of `count` parts of a sound, against the loudest of all. */
export function peaks(samples: Float32Array, count: number): number[] {
  const tops = Array.from({ length: count }, (_, part) => {
    const end = Math.floor(((part + 1) * samples.length) / count);
    let top = 0;
    for (let at = Math.floor((part * samples.length) / count); at < end; at++) {
      top = Math.max(top, Math.abs(samples[at]!));
    }
    return top;
  });
  const highest = Math.max(...tops, 0.05); // so that silence looks like silence
  return tops.map((top) => top / highest);
}

/**
 * Where to listen to a recording, for `count` samples: from a moment before the first loud one of
 * its loudest run, as recordings begin that are cut for learning.
 */
export function onset({ samples, rate }: Clip, count: number): number {
  const start = loudest(samples, count);
  const run = samples.subarray(start, start + count);
  const loud = 0.1 * run.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
  const first = run.findIndex((value) => Math.abs(value) > loud);
  const before = Math.round(rate * BEFORE);
  return Math.max(0, Math.min(start + Math.max(first, 0) - before, samples.length - count));
}

/** Where the run of `count` samples begins that holds most of a sound's power. */
function loudest(samples: Float32Array, count: number): number {
  let power = 0;
  let most = -1;
  let start = 0;
  for (let at = 0; at < samples.length; at++) {
    power += samples[at]! ** 2 - (at < count ? 0 : samples[at - count]! ** 2);
    if (at >= count - 1 && power > most + 1e-9) [most, start] = [power, at - count + 1];
  }
  return start;
}
