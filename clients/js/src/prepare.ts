// From people's data to a model's input, as numen's own server does it.
import type { Bundle, ColumnsInput, ImageInput, Spec, WindowInput } from "./bundle";
import { centre } from "./centre";
import { invalid, NumenError } from "./errors";
import { encoded, isRow, type Row } from "./fields";
import type { Told } from "./input";
import type { Pixels } from "./picture";
import { isPng, readPng } from "./png";
import { resized } from "./resize";
import { heard } from "./sound";
import { Tensor, type Tensors, typed } from "./tensor";

/** What a model of this bundle is given for it. */
export async function prepared(bundle: Bundle, given: Told): Promise<Tensors> {
  const how = bundle.preprocess;
  if (given.kind === "pixels" || given.kind === "file") {
    if (how?.type === "image") {
      const pixels = given.kind === "pixels" ? given.pixels : await decoded(given.bytes);
      return { [how.input]: seen(pixels, how) };
    }
    if (how?.type === "audio" && given.kind === "file") {
      return { [how.input]: new Tensor(heard(given.bytes, how), [1, how.samples]) };
    }
    throw invalid("this model does not take such a file", "", "send its input as numbers or named fields");
  }
  const value = given.kind === "text" ? given.text : given.value;
  if (how?.type === "text") return { [how.input]: textsOf(value, how.input) };
  const rows = isRow(value) ? [value] : value;
  if (Array.isArray(rows) && rows.length && (rows.every(isRow) || (how?.type === "window" && rows.some(areRows)))) {
    const whole = !bundle.signature.inputs.some(({ missing }) => missing);
    if (how?.type === "columns") return { [how.input]: table(rows as Row[], how, whole) };
    if (how?.type === "window") return { [how.input]: windows(rows.every(isRow) ? [rows] : rows, how) };
    throw invalid("this model does not take named fields", "", "send a picture or numbers");
  }
  return numbers(bundle, value);
}

const areRows = (value: unknown): value is Row[] => Array.isArray(value) && value.length > 0 && value.every(isRow);

async function decoded(bytes: Uint8Array): Promise<Pixels> {
  if (isPng(bytes)) return readPng(bytes);
  throw new NumenError("not_on_device", "image: expected a PNG, received another file: only the server reads those", {
    hint: "draw it on a canvas, and pass that",
  });
}

/** A picture as `[1, height, width]`, with a channel axis where the layout has one. */
export function seen(pixels: Pixels, how: ImageInput): Tensor {
  const { width, height, channels, layout } = how;
  const data = how.centre
    ? (centre(pixels, width, height)?.data ?? new Uint8Array(width * height))
    : resized(pixels, width, height, channels).data;
  const [scale, offset] = [Math.fround(how.scale), Math.fround(how.offset)];
  const values = new Float32Array(data.length);
  const plane = width * height;
  for (let at = 0; at < data.length; at++) {
    const to = layout === "chw" ? (at % channels) * plane + Math.floor(at / channels) : at;
    values[to] = Math.fround(data[at]! * scale) + offset;
  }
  const shape = { hw: [height, width], hwc: [height, width, channels], chw: [channels, height, width] }[layout];
  return new Tensor(values, [1, ...shape]);
}

function table(rows: Row[], how: ColumnsInput | WindowInput, whole: boolean): Tensor {
  const made = rows.map((row) => encoded(row, how.columns, how.ignored, whole));
  const width = made[0]!.length;
  const values = new Float32Array(made.length * width);
  made.forEach((row, place) => values.set(row, place * width));
  return new Tensor(values, [made.length, width]);
}

function windows(given: unknown[], how: WindowInput): Tensor {
  const made = given.map((rows) => {
    if (!areRows(rows)) throw invalid("window: expected a list of at least one object of named fields", how.input);
    return table(rows.slice(-how.steps), how, false);
  });
  const width = made[0]!.shape[1]!;
  const values = new Float32Array(made.length * how.steps * width).fill(Number.NaN);
  made.forEach(({ data, shape }, place) =>
    values.set(data as Float32Array, (place * how.steps + how.steps - shape[0]!) * width),
  );
  return new Tensor(values, [made.length, how.steps, width]);
}

function textsOf(value: unknown, name: string): Tensor {
  const many = isRow(value) && Array.isArray(value[name]) ? value[name] : value;
  const texts = (Array.isArray(many) ? many : [many]).map((item) => {
    const text = isRow(item) ? item[name] : item;
    const one = Array.isArray(text) && text.length === 1 ? text[0] : text;
    if (typeof one !== "string") throw invalid(`"${name}": expected text, received ${typeof one}`, name);
    return one;
  });
  if (!texts.length) throw invalid(`"${name}": expected a text, received none`, name);
  return new Tensor(texts, [texts.length, 1]);
}

function numbers({ signature }: Bundle, value: unknown): Tensors {
  const [spec, ...others] = signature.inputs;
  if (!spec || others.length) throw invalid("this model takes several inputs", "", "use infer");
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  const flat = (Array.isArray(value) ? value.flat(Infinity) : [value]) as unknown[];
  const kind = spec.dtype === "string" ? "string" : "number";
  const regular = flat.length === shape.reduce((product, size) => product * size, 1);
  if (!regular || !flat.every((each) => typeof each === kind || typeof each === "boolean")) {
    throw invalid(`input "${spec.name}": expected ${described(spec)}, received no regular array of that`, spec.name);
  }
  if (shape.length === spec.shape.length - 1) shape.unshift(1);
  const data = kind === "string" ? (flat as string[]) : typed(flat.map(Number), spec.dtype);
  return { [spec.name]: new Tensor(data, shape, spec.dtype) };
}

const described = ({ dtype, shape }: Spec) => `${dtype}[${shape.map((size) => size ?? "?").join(", ")}]`;
