import { describe, expect, it } from "vitest";
import { cut, loudest, peaks, seconds, unpack, wav, type Clip } from "../src/sound/clip";

const clip = (...values: number[]): Clip => ({ samples: Float32Array.from(values), rate: 8_000 });

describe("a sound", () => {
  it("becomes a WAV file and again the same", async () => {
    const file = wav(clip(0, 0.5, -1, 2));
    const bytes = await file.arrayBuffer();
    const text = (at: number, count: number) => new TextDecoder().decode(bytes.slice(at, at + count));
    expect([text(0, 4), text(8, 8), text(36, 4)]).toEqual(["RIFF", "WAVEfmt ", "data"]);
    const head = new DataView(bytes);
    expect([4, 24, 28, 40].map((at) => head.getUint32(at, true))).toEqual([44, 8_000, 16_000, 8]);
    expect([20, 22, 32, 34].map((at) => head.getUint16(at, true))).toEqual([1, 1, 2, 16]);
    const { samples, rate } = unpack(bytes);
    expect(rate).toBe(8_000);
    expect([...samples].map((value) => +value.toFixed(3))).toEqual([0, 0.5, -1, 1]); // what is too loud is cut
  });

  it("is seen by the loudest of each part, and silence as silence", () => {
    expect(peaks(Float32Array.of(0, 0.5, -1, 0.25), 2)).toEqual([0.5, 1]);
    expect(peaks(new Float32Array(10), 5)).toEqual([0, 0, 0, 0, 0]);
    expect(peaks(Float32Array.of(1), 3)).toHaveLength(3); // fewer samples than parts
  });

  it("is heard where it is loudest", () => {
    expect(loudest(Float32Array.of(0, 0, 0.1, 0.9, 0.8, 0), 2)).toBe(3);
    expect(loudest(Float32Array.of(0.1, 0.2), 5)).toBe(0); // shorter than what is wanted
    expect(loudest(new Float32Array(8), 3)).toBe(0);
  });

  it("is cut without going beyond its end", () => {
    expect(seconds(cut(clip(...Array(8_000).fill(0.1)), 4_000, 8_000))).toBe(0.5);
  });
});
