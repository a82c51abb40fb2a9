import { describe, expect, it } from "vitest";
import type { Card, Classification, ColumnsInput, ImageInput } from "../src/api/card";
import type { Answer } from "../src/api/server";
import { message, pack, unpack } from "../src/api/tensor";
import { bytes, metric, milliseconds, percent, quantity } from "../src/format";
import { read, readSaid, within } from "../src/model/decode";
import { imageTensor, textTensor } from "../src/model/encode";
import { snippets } from "../src/model/snippets";

const image: ImageInput = { type: "image", input: "image", height: 2, width: 3, channels: 1, layout: "hw", scale: 0.5, offset: -1 };
const table: ColumnsInput = {
  type: "columns",
  input: "features",
  columns: [
    { name: "age", categories: null },
    { name: "job", categories: ["smith", "cook's mate"] },
  ],
};
const classes: Classification = { type: "classification", output: "p", labels: ["a", "b", "c"], activation: "none" };

function card(part: Partial<Card>): Card {
  const inputs = [{ name: "image", dtype: "float32", datatype: "FP32", shape: [null, 28, 28] }];
  return { name: "thing", signature: { inputs, outputs: [] }, preprocess: null, postprocess: null, ...part } as Card;
}

function answer(...data: number[]): Answer {
  const outputs = [{ name: "p", datatype: "FP32", shape: [1, data.length], data }];
  return { model_name: "thing", model_version: "1", outputs };
}

describe("what goes in", () => {
  it("scales pixels and gives each layout its axes", () => {
    const pixels = [0, 2, 4, 6, 8, 10];
    const values = imageTensor(card({}), image, pixels).values as ArrayLike<number>;
    expect(Array.from(values)).toEqual([-1, 0, 1, 2, 3, 4]);
    const shape = (layout: ImageInput["layout"]) => imageTensor(card({}), { ...image, layout }, pixels).shape;
    expect([shape("hw"), shape("hwc"), shape("chw")]).toEqual([[1, 2, 3], [1, 2, 3, 1], [1, 1, 2, 3]]);
  });

  it("packs little-endian numbers behind the JSON header", async () => {
    const { header, body } = pack(message({ name: "x", datatype: "FP32", shape: [1, 2], values: [1.5, -2] }));
    const all = await body.arrayBuffer();
    expect(JSON.parse(new TextDecoder().decode(all.slice(0, header)))).toEqual({
      inputs: [{ name: "x", shape: [1, 2], datatype: "FP32", parameters: { binary_data_size: 8 } }],
    });
    const view = new DataView(all, header);
    expect([view.getFloat32(0, true), view.getFloat32(4, true)]).toEqual([1.5, -2]);
  });

  it("packs whole numbers of 64 bits, and refuses what has no binary form", async () => {
    const { header, body } = pack(message({ name: "x", datatype: "INT64", shape: [1], values: [7] }));
    expect(new DataView(await body.arrayBuffer(), header).getBigInt64(0, true)).toBe(7n);
    expect(() => message({ name: "x", datatype: "FP16", shape: [1], values: [1] })).toThrow("FP16");
  });

  it("packs texts, each behind its length in bytes", async () => {
    const { header, body } = pack(message(textTensor({ type: "text", input: "text" }, "é 😀")));
    const all = await body.arrayBuffer();
    expect(JSON.parse(new TextDecoder().decode(all.slice(0, header))).inputs[0].shape).toEqual([1, 1]);
    expect(new DataView(all, header).getUint32(0, true)).toBe(7);
    expect(unpack(header, all)).toEqual(message(textTensor({ type: "text", input: "text" }, "é 😀")));
    expect(new TextDecoder().decode(all.slice(header + 4))).toBe("é 😀");
  });
});

describe("what comes out", () => {
  it("reads probabilities as they are", () => {
    const reading = read(card({ postprocess: classes }), answer(0.2, 0.7, 0.1));
    expect(reading).toMatchObject({ kind: "classes", best: 1, probabilities: [0.2, 0.7, 0.1] });
  });

  it("turns scores into probabilities", () => {
    const soft = read(card({ postprocess: { ...classes, activation: "softmax" } }), answer(1000, 1000, 999));
    const sum = soft.kind === "classes" ? soft.probabilities.reduce((a, b) => a + b) : 0;
    expect(sum).toBeCloseTo(1);
    const bent = read(card({ postprocess: { ...classes, activation: "sigmoid" } }), answer(0, 50, -50));
    expect(bent).toMatchObject({ best: 1, probabilities: [0.5, 1, expect.closeTo(0)] });
  });

  it("reads a quantity", () => {
    const reading = read(card({ postprocess: { type: "regression", output: "p", target: "gold" } }), answer(41.5));
    expect(reading).toEqual({ kind: "quantity", target: "gold", value: 41.5 });
  });

  it("reads what the friendly door says, in the labels' own order", () => {
    const top = [{ label: "b", probability: 0.75 }, { label: "a", probability: 0.25 }];
    const reading = readSaid(card({ postprocess: classes }), { label: "b", probability: 0.75, top });
    expect(reading).toMatchObject({ kind: "classes", best: 1, probabilities: [0.25, 0.75, 0] });
    const gold = card({ postprocess: { type: "regression", output: "p", target: "gold" } });
    expect(readSaid(gold, { gold: 41.5 })).toEqual({ kind: "quantity", target: "gold", value: 41.5 });
  });

  it("says which output is missing", () => {
    const wanted = card({ postprocess: { ...classes, output: "q" } });
    expect(() => read(wanted, answer(1))).toThrow("“q”");
  });
});

describe("figures", () => {
  it("are short", () => {
    const plain = (text: string) => text.replaceAll("\u202f", " ");
    expect([percent(0.9785), percent(0.9785, 1)].map(plain)).toEqual(["98 %", "97.9 %"]);
    expect([milliseconds(4.23), milliseconds(132.7)].map(plain)).toEqual(["4.2 ms", "133 ms"]);
    expect([bytes(0), bytes(407_000), bytes(1_234_567)].map(plain)).toEqual(["0 B", "407 kB", "1.23 MB"]);
    expect([quantity(0), quantity(3.14159), quantity(1.2e-7), quantity(-2.5e9)]).toEqual(["0", "3.142", "1.2 × 10⁻⁷", "-2.5 × 10⁹"]);
    expect([metric("accuracy", 0.978), metric("loss", 0.0731)].map(plain)).toEqual(["97.8 %", "0.0731"]);
  });
});

describe("snippets", () => {
  const codes = (part: Partial<Card>) => snippets(card(part), "http://here:8080").map(({ code }) => code);

  it("name the server and the model", () => {
    for (const code of codes({ preprocess: image })) expect(code).toMatch(/http:\/\/here:8080(.|\n)*thing/);
  });

  it("write one zero for each value", () => {
    expect(codes({ preprocess: image })[1]).toContain("$(seq 783)");
  });

  it("quote for the shell", () => {
    const inputs = [{ name: "features", dtype: "float32", datatype: "FP32", shape: [null, 2] }];
    const columns = [{ name: "job's", categories: ["cook"] }];
    const [predict, infer] = codes({ signature: { inputs, outputs: [] }, preprocess: { ...table, columns } });
    expect(predict).toContain(`'{"job'\\''s":"cook"}'`);
    expect(infer).toContain('"data":[0,0]');
  });

  it("send a sound as a WAV file, and every kind of column as people write it", () => {
    const audio = { type: "audio", input: "audio", rate: 8_000, samples: 2_000 } as const;
    const [curl, , python, javascript] = codes({ preprocess: audio });
    for (const code of [curl, python]) expect(code).toContain("sound.wav");
    for (const code of [curl, javascript]) expect(code).toContain("audio/wav");
    const columns = [{ name: "when", date: "ymd" }, { name: "note", words: 128 }, { name: "age" }];
    expect(codes({ preprocess: { ...table, columns } })[0]).toContain('{"when":"2024-01-31","note":"a few words","age":0}');
    expect(codes({ preprocess: { type: "window", input: "rows", columns, steps: 4 } })[0]).toContain("'[{");
  });

  it("of a model that takes only tensors are V2 alone", () => {
    expect(codes({})).toHaveLength(1);
  });
});

describe("what cannot be ruled out", () => {
  it("is the labels that are likely enough, and always the likeliest", () => {
    const sure = (threshold: number) => {
      const some = card({ postprocess: { ...classes, conformal: { level: 0.9, threshold } } });
      return within(some, read(some, answer(0.3, 0.6, 0.1)));
    };
    expect([sure(0.2), sure(0.7), sure(0.01)]).toEqual(["90 %: b or a", "90 %: b", "90 %: b or a or c"]);
  });

  it("is from where to where a quantity may lie", () => {
    const some = card({
      postprocess: { type: "regression", output: "p", target: "price", conformal: { level: 0.95, threshold: 2 } },
    });
    expect(within(some, read(some, answer(5)))).toBe("95 %: 3 to 7");
  });

  it("is nothing where no rows were kept aside", () => {
    const some = card({ postprocess: classes });
    expect(within(some, read(some, answer(0.3, 0.6, 0.1)))).toBeNull();
    expect(within(some, null)).toBeNull();
  });
});
