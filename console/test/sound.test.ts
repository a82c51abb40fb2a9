import { describe, expect, it } from "vitest";
import { cut, onset, peaks, seconds, unpack, wav, type Clip } from "../src/sound/clip";

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

  it("is heard from a moment before it is loud", () => {
    const word = (begin: number, all: number) =>
      clip(...Array.from({ length: all }, (_, at) => (at >= begin && at < begin + 2_000 ? 0.5 : 0.001)));
    expect(onset(word(5_000, 16_000), 4_000)).toBe(5_000 - 240); // 30 ms
    expect(onset(word(100, 16_000), 4_000)).toBe(0);
    expect(onset(word(14_000, 16_000), 4_000)).toBe(12_000); // no further than its end
    expect(onset(word(0, 2_000), 4_000)).toBe(0); // shorter than what is heard
    expect(onset(clip(...Array(100).fill(0)), 30)).toBe(0);
  });

  it("is cut without going beyond its end", () => {
    expect(seconds(cut(clip(...Array(8_000).fill(0.1)), 4_000, 8_000))).toBe(0.5);
  });
});
