import { describe, expect, it } from "vitest";
import { rowsOf } from "../src/model/rows";

describe("rows that are pasted", () => {
  it("are named by their header", () => {
    expect(rowsOf("a,b\n1, two \n3,\n\n")).toEqual([{ a: "1", b: "two" }, { a: "3", b: "" }]);
    expect(rowsOf("a\tb\r\n1,5\tx\r\n")).toEqual([{ a: "1,5", b: "x" }]);
    expect(rowsOf("a,b\n1")).toEqual([{ a: "1", b: "" }]);
    expect(rowsOf("a\tb\n\tx\n\n")).toEqual([{ a: "", b: "x" }]);
    expect(rowsOf("a,b\n,2")).toEqual([{ a: "", b: "2" }]);
    expect(rowsOf("a,b")).toEqual([]);
    expect(rowsOf("")).toEqual([]);
  });

  it("may hold commas, quotes and lines' ends in quotes", () => {
    const rows = rowsOf('a,b\n"so, ""so""\nso",2\n');
    expect(rows).toEqual([{ a: 'so, "so"\nso', b: "2" }]);
  });
});
