import { describe, expect, it } from "vitest";
import { keysOf } from "../src/api/label";

describe("the key for a label", () => {
  it("is itself where all labels are one sign", () => {
    expect(keysOf(["7", "0"])).toEqual(["7", "0"]);
    expect(keysOf(["A", "s"])).toEqual(["a", "s"]);
  });

  it("is a digit by place, then a letter, else none", () => {
    expect(keysOf(["bad", "good"])).toEqual(["1", "2"]);
    expect(keysOf(["a", "A"])).toEqual(["1", "2"]); // two of one sign
    const keys = keysOf(Array.from({ length: 40 }, (_, place) => `class ${place}`));
    expect([keys[9], keys[10], keys[33], keys[34]]).toEqual(["0", "q", "m", null]);
    expect(keys).not.toContain("s");
    expect(keys).not.toContain("u");
  });
});
