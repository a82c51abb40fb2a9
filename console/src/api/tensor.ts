// Numbers as bytes, the way the Open Inference Protocol's binary extension wants them: row-major
// and little-endian, which is what typed arrays hold on every machine that runs a browser.

export interface Tensor {
  name: string;
  datatype: string;
  shape: number[];
  values: ArrayLike<number> | readonly string[];
}

const whole = (value: number) => BigInt(Math.round(value));

/** Each text as UTF-8, its length before it. */
function texts(values: readonly string[]): ArrayBuffer {
  const encoded = values.map((value) => new TextEncoder().encode(value));
  const bytes = new Uint8Array(encoded.reduce((sum, text) => sum + 4 + text.length, 0));
  let at = 0;
  for (const text of encoded) {
    new DataView(bytes.buffer).setUint32(at, text.length, true);
    bytes.set(text, at + 4);
    at += 4 + text.length;
  }
  return bytes.buffer;
}

const PACK: Record<string, (values: ArrayLike<number>) => ArrayBuffer> = {
  FP32: (values) => Float32Array.from(values).buffer,
  FP64: (values) => Float64Array.from(values).buffer,
  UINT8: (values) => Uint8Array.from(values).buffer,
  INT32: (values) => Int32Array.from(values).buffer,
  INT64: (values) => BigInt64Array.from(Array.from(values, whole)).buffer,
};

/** A V2 request: what its JSON header says, and the bytes of its inputs behind it. */
export interface Message {
  head: Record<string, unknown>;
  bytes: ArrayBuffer;
}

export interface Packed {
  /** Length of the JSON header, for `Inference-Header-Content-Length`. */
  header: number;
  body: Blob;
}

/** A request with one input. */
export function message(tensor: Tensor): Message {
  const { name, shape, datatype } = tensor;
  const bytes =
    datatype === "BYTES"
      ? texts(tensor.values as readonly string[])
      : PACK[datatype]?.(tensor.values as ArrayLike<number>);
  if (!bytes) throw new TypeError(`no binary form of ${datatype}`);
  const parameters = { binary_data_size: bytes.byteLength };
  return { head: { inputs: [{ name, shape, datatype, parameters }] }, bytes };
}

export function pack({ head, bytes }: Message): Packed {
  const header = new TextEncoder().encode(JSON.stringify(head));
  return { header: header.byteLength, body: new Blob([header, bytes]) };
}

/** Reads a request that somebody packed. */
export function unpack(header: number, body: ArrayBuffer): Message {
  const head = JSON.parse(new TextDecoder().decode(body.slice(0, header))) as Message["head"];
  return { head, bytes: body.slice(header) };
}
