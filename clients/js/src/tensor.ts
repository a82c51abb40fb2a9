// Arrays with a type and a shape, and messages of the Open Inference Protocol made of them: a JSON
// head, then each tensor's bytes, row by row and little-endian, as typed arrays hold them.
import { invalid } from "./errors";

export type Values =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | string[];

type Maker = { new (length: number): Values; new (buffer: ArrayBuffer): Values };

const KINDS: [datatype: string, dtype: string, make: Maker][] = [
  ["FP32", "float32", Float32Array as unknown as Maker],
  ["FP64", "float64", Float64Array as unknown as Maker],
  ["INT8", "int8", Int8Array as unknown as Maker],
  ["UINT8", "uint8", Uint8Array as unknown as Maker],
  ["INT16", "int16", Int16Array as unknown as Maker],
  ["UINT16", "uint16", Uint16Array as unknown as Maker],
  ["INT32", "int32", Int32Array as unknown as Maker],
  ["UINT32", "uint32", Uint32Array as unknown as Maker],
  ["INT64", "int64", BigInt64Array as unknown as Maker],
  ["UINT64", "uint64", BigUint64Array as unknown as Maker],
  ["BOOL", "bool", Uint8Array as unknown as Maker],
];
const BY_DATATYPE = new Map(KINDS.map(([datatype, dtype, make]) => [datatype, { dtype, make }]));
const BY_DTYPE = new Map(KINDS.map(([datatype, dtype, make]) => [dtype, { datatype, make }]));

/** Numbers or texts in a shape; the first axis is the rows. */
export class Tensor {
  readonly data: Values;
  readonly shape: readonly number[];
  /** As ONNX and NumPy call it: `float32`, `int64`, `string`, … */
  readonly dtype: string;

  constructor(data: Values, shape: readonly number[], dtype = dtypeOf(data)) {
    const count = shape.reduce((product, size) => product * size, 1);
    if (count !== data.length) {
      throw invalid(`tensor: expected ${count} values for [${shape.join(", ")}], received ${data.length}`);
    }
    this.data = data;
    this.shape = shape;
    this.dtype = dtype;
  }
}

/** A tensor of plain numbers, typed or texts, as the shape says. */
export function tensor(data: Values | readonly number[], shape: readonly number[], dtype?: string): Tensor {
  if (!Array.isArray(data) || typeof data[0] === "string") return new Tensor(data as Values, shape, dtype);
  return new Tensor(typed(data as unknown as number[], dtype ?? "float32"), shape, dtype ?? "float32");
}

/** Numbers as an array of that type. */
export function typed(values: ArrayLike<number>, dtype: string): Values {
  const kind = BY_DTYPE.get(dtype);
  if (!kind) throw invalid(`tensor: type ${dtype} is not known here`);
  const made = kind.make;
  const array = new made(values.length);
  const whole = array instanceof BigInt64Array || array instanceof BigUint64Array;
  for (let i = 0; i < values.length; i++) {
    (array as unknown[])[i] = whole ? BigInt(values[i] as number) : values[i];
  }
  return array;
}

function dtypeOf(data: Values): string {
  if (Array.isArray(data)) return "string";
  for (const [, dtype, make] of KINDS) if (data.constructor === make) return dtype;
  if (data.constructor === Uint8ClampedArray) return "uint8";
  throw invalid(`tensor: ${(data as object).constructor.name} is no array of numbers or texts`);
}

export type Tensors = Record<string, Tensor>;

/** A message and the length of the JSON at its beginning. */
export interface Message {
  head: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/** A request; `fields` stand in its JSON beside the tensors, before them. */
export function pack(inputs: Tensors, fields: object, parameters: Record<string, unknown>): Message {
  const parts = Object.values(inputs).map(bytesOf);
  const tensors = Object.entries(inputs).map(([name, { shape, dtype }], place) => ({
    name,
    shape,
    datatype: dtype === "string" ? "BYTES" : BY_DTYPE.get(dtype)?.datatype,
    parameters: { binary_data_size: parts[place]!.byteLength },
  }));
  const said = { ...fields, inputs: tensors, parameters: { binary_data_output: true, ...parameters } };
  const head = new TextEncoder().encode(JSON.stringify(said));
  return { head: head.byteLength, bytes: joined([head, ...parts]) };
}

/** The outputs that an answer's JSON and the bytes behind it hold. */
export function unpack(head: Record<string, unknown>, bytes: Uint8Array): Tensors {
  const found: Tensors = {};
  let at = 0;
  for (const said of head.outputs as { name: string; datatype: string; shape: number[]; parameters?: { binary_data_size?: number }; data?: number[] }[]) {
    const { name, datatype, shape } = said;
    const dtype = datatype === "BYTES" ? "string" : (BY_DATATYPE.get(datatype)?.dtype ?? "");
    const size = said.parameters?.binary_data_size;
    if (size === undefined) {
      const data = said.data as unknown as number[];
      found[name] = new Tensor(dtype === "string" ? (data as unknown as string[]) : typed(data, dtype), shape, dtype);
      continue;
    }
    const own = bytes.slice(at, at + size).buffer as ArrayBuffer;
    found[name] = new Tensor(dtype === "string" ? texts(own) : new (BY_DATATYPE.get(datatype)!.make)(own), shape, dtype);
    at += size;
  }
  return found;
}

function bytesOf({ data }: Tensor): Uint8Array {
  if (!Array.isArray(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return joined(
    data.flatMap((text) => {
      const encoded = new TextEncoder().encode(text);
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, encoded.length, true);
      return [length, encoded];
    }),
  );
}

function texts(buffer: ArrayBuffer): string[] {
  const view = new DataView(buffer);
  const found: string[] = [];
  for (let at = 0; at < buffer.byteLength; ) {
    const end = at + 4 + view.getUint32(at, true);
    found.push(new TextDecoder().decode(buffer.slice(at + 4, end)));
    at = end;
  }
  return found;
}

export function joined(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
