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

export interface Packed {
  /** Length of the JSON header, for `Inference-Header-Content-Length`. */
  header: number;
  body: Blob;
}

/** A V2 request with its one input as bytes behind the JSON header. */
export function pack(tensor: Tensor): Packed {
  const { name, shape, datatype } = tensor;
  const bytes =
    datatype === "BYTES"
      ? texts(tensor.values as readonly string[])
      : PACK[datatype]?.(tensor.values as ArrayLike<number>);
  if (!bytes) throw new TypeError(`no binary form of ${datatype}`);
  const parameters = { binary_data_size: bytes.byteLength };
  const json = JSON.stringify({ inputs: [{ name, shape, datatype, parameters }] });
  const header = new TextEncoder().encode(json);
  return { header: header.byteLength, body: new Blob([header, bytes]) };
}
