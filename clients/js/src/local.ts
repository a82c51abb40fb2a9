// Runs a model on the device: fetches its bundle, checks it, and does what the server does with
// onnxruntime-web, on one thread.
//
//   const digits = await local(numen, "digits");
//   numen.attach(digits);
import type * as Ort from "onnxruntime-web";
import type { Inferred, LocalModel, Said } from "./answer";
import type { Bundle, BundleFile } from "./bundle";
import { described } from "./describe";
import { invalid, NumenError, wrapped } from "./errors";
import { type Input, told } from "./input";
import { Numen } from "./numen";
import { prepared } from "./prepare";
import { Tensor, type Tensors, typed } from "./tensor";

export { NumenError, Numen, prepared, Tensor, told };
export type { Bundle };

export interface LocalOptions {
  /** onnxruntime-web: the module, or its URL; else `onnxruntime-web/wasm`, else the one beside this file. */
  ort?: typeof Ort | string;
  /** Where its `.wasm` file lies, where onnxruntime-web does not find it by itself. */
  wasm?: string | URL;
}

/** Golden samples as JSON: numbers flat, row by row; what JSON has no number for is text. */
export interface Golden {
  inputs: Record<string, Recorded>;
  outputs: Record<string, Recorded>;
}

interface Recorded {
  dtype: string;
  shape: number[];
  data: (number | string | null)[];
}

const WORSE = 0.01; // than this no engine's rounding is; something is wrong then
const REMEMBERED = 8;
const WARMING = 3;

/** Where a bundle's descriptor and files come from. */
interface Origin {
  bundle: Bundle;
  read: (file: BundleFile) => Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * A model, ready to run here.
 *
 * @param from A server, then `model` is the name; or the URL of an exported `model.json`.
 * @throws NumenError it cannot be fetched, is not what its digest says, or does not run here.
 */
export async function local(from: Numen | string | URL, model = "", options: LocalOptions = {}): Promise<Local> {
  const { bundle, read } = await (from instanceof Numen ? served(from, model) : exported(new URL(from)));
  const [bytes, golden, ort] = await Promise.all([
    read(bundle.model),
    bundle.golden ? read(bundle.golden) : null,
    engine(options),
  ]);
  let session: Ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  } catch (error) {
    throw new NumenError("not_on_device", `model ${bundle.name} cannot be opened here: ${wrapped(error).message}`, { cause: error });
  }
  const made = new Local(bundle, session, ort);
  if (golden) await made.rehearse(JSON.parse(new TextDecoder().decode(golden)) as Golden);
  return made;
}

async function served(numen: Numen, model: string): Promise<Origin> {
  const bundle = await numen.bundle(model);
  return { bundle, read: async (file) => checked(file, await numen.file(model, file.url)) };
}

async function exported(url: URL): Promise<Origin> {
  const bundle = JSON.parse(new TextDecoder().decode(await fetched(url))) as Bundle;
  return { bundle, read: async (file) => checked(file, await fetched(new URL(file.url, url))) };
}

async function fetched(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  if (url.protocol === "file:") {
    const { readFile } = await import(/* @vite-ignore */ "node:fs/promises".slice());
    return new Uint8Array(await readFile(url));
  }
  const reply = await fetch(url).catch((cause) => {
    throw new NumenError("unreachable", `nobody answers at ${url.origin}`, { cause });
  });
  if (!reply.ok) throw new NumenError("not_found", `${url.href} answers with status ${reply.status}`, { status: reply.status });
  return new Uint8Array(await reply.arrayBuffer());
}

async function checked({ url, sha256 }: BundleFile, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  if (!globalThis.crypto?.subtle) return bytes; // a page without HTTPS, not of this machine, has none
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== sha256) throw new NumenError("corrupt_bundle", `${url}: expected SHA-256 ${sha256}, received ${found}`);
  return bytes;
}

async function engine({ ort: given, wasm }: LocalOptions): Promise<typeof Ort> {
  let ort: typeof Ort;
  let own = wasm === undefined ? undefined : String(wasm);
  if (typeof given === "object") ort = given;
  else if (given) ort = await import(/* @vite-ignore */ given);
  else {
    try {
      ort = (await import("onnxruntime-web/wasm")) as unknown as typeof Ort;
    } catch {
      const beside = (name: string) => new URL(name, import.meta.url).href;
      ort = await import(/* @vite-ignore */ beside("ort.mjs")).catch((cause) => {
        throw new NumenError("not_on_device", "onnxruntime-web is not here", { hint: "npm install onnxruntime-web", cause });
      });
      own ??= beside("ort.wasm");
    }
  }
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  if (own?.startsWith("file:")) ort.env.wasm.wasmBinary = await unpacked(new URL(own));
  else if (own !== undefined) ort.env.wasm.wasmPaths = { wasm: own };
  return ort;
}

/** The engine's WebAssembly on this disk, which may lie there packed. */
async function unpacked(url: URL): Promise<ArrayBuffer> {
  try {
    return (await fetched(url)).buffer;
  } catch {
    const packed = new Blob([await fetched(new URL(`${url.href}.gz`))]).stream();
    return new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  }
}

/** What a device makes of a bundle's recorded samples: for its certificate. */
export async function replayed(url: string | URL, options: LocalOptions = {}) {
  const { bundle, read } = await exported(new URL(url));
  if (!bundle.golden) throw new NumenError("not_found", `model ${bundle.name} has no recorded samples`);
  const model = await local(url, "", options);
  const golden = JSON.parse(new TextDecoder().decode(await read(bundle.golden))) as Golden;
  const { outputs } = await model.infer(inputsOf(golden));
  const { common, web } = (await engine(options)).env.versions;
  return { runtime: `onnxruntime-web ${web ?? common}`, outputs: mapped(outputs, recorded) };
}

function mapped<A, B>(object: Record<string, A>, made: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, made(value)]));
}

const inputsOf = (golden: Golden): Tensors => mapped(golden.inputs, played);

function recorded({ data, shape, dtype }: Tensor): Recorded {
  const plain = (value: unknown): number | string | null => {
    if (typeof value === "string") return value;
    const number = Number(value);
    if (Number.isNaN(number)) return null;
    return Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : String(value);
  };
  return { dtype, shape: [...shape], data: Array.from(data as ArrayLike<unknown>, plain) };
}

/** A model on the device. */
export class Local implements LocalModel {
  readonly bundle: Bundle;
  /** Largest difference between what was recorded at training and what this device makes of it. */
  difference: number | null = null;
  private readonly session: Ort.InferenceSession;
  private readonly ort: typeof Ort;
  private readonly times: number[] = [];
  private last: Promise<unknown> = Promise.resolve();

  constructor(bundle: Bundle, session: Ort.InferenceSession, ort: typeof Ort) {
    this.bundle = bundle;
    this.session = session;
    this.ort = ort;
  }

  get name(): string {
    return this.bundle.name;
  }

  get version(): string {
    return this.bundle.version;
  }

  /** Milliseconds that the slowest of the latest runs took. */
  get expectedMs(): number {
    return Math.max(0, ...this.times);
  }

  /** As `Numen.predict`, here. */
  async predict(input: Input, { top }: { top?: number } = {}): Promise<Said> {
    const began = performance.now();
    const outputs = await this.run(await prepared(this.bundle, await told(input)));
    const said = described(this.bundle, outputs, top);
    this.took(performance.now() - began);
    return said;
  }

  /** As `Numen.infer`, here. */
  async infer(inputs: Tensors): Promise<Inferred> {
    const began = performance.now();
    const outputs = await this.run(inputs);
    this.took(performance.now() - began);
    return { model: this.name, version: this.version, outputs };
  }

  /** Runs the recorded samples: proves that the model does here what it did, and warms it. */
  async rehearse(golden: Golden): Promise<number> {
    const inputs = inputsOf(golden);
    const outputs = await this.run(inputs);
    this.difference = differs(golden.outputs, outputs);
    if (!(this.difference <= WORSE)) {
      throw new NumenError("not_on_device", `model ${this.name} answers otherwise here: its recorded samples differ by ${this.difference}`);
    }
    const one = mapped(inputs, firstRow);
    for (let i = 0; i < WARMING; i++) await this.infer(one).catch(() => undefined); // of a fixed batch
    this.times.splice(0, this.times.length - 1); // the last, when it was warm
    return this.difference;
  }

  async close(): Promise<void> {
    await this.session.release();
  }

  private took(ms: number): void {
    this.times.push(ms);
    if (this.times.length > REMEMBERED) this.times.shift();
  }

  /** One at a time: the engine has one thread. */
  private run(inputs: Tensors): Promise<Tensors> {
    const running = this.last.then(() => this.compute(inputs));
    this.last = running.catch(() => undefined);
    return running;
  }

  private async compute(inputs: Tensors): Promise<Tensors> {
    const feeds: Record<string, Ort.Tensor> = {};
    for (const [name, { data, shape, dtype }] of Object.entries(this.complete(inputs))) {
      feeds[name] = new this.ort.Tensor(dtype as "float32", data as Float32Array, shape as number[]);
    }
    const found = await this.session.run(feeds);
    const outputs: Tensors = {};
    for (const { name } of this.bundle.signature.outputs) {
      const { data, dims, type } = found[name]!;
      outputs[name] = new Tensor(data as Float32Array, dims, type);
    }
    return outputs;
  }

  /** The inputs as the signature has them. */
  private complete(inputs: Tensors): Tensors {
    const checked: Tensors = {};
    for (const { name, dtype, shape } of this.bundle.signature.inputs) {
      const given = inputs[name];
      if (!given) throw invalid(`input "${name}" is missing`, name);
      const fits = shape.length === given.shape.length && shape.every((size, axis) => size === null || size === given.shape[axis]);
      if (given.dtype !== dtype || !fits) {
        throw invalid(`input "${name}": expected ${dtype}[${shape.map((size) => size ?? "?").join(", ")}], received ${given.dtype}[${given.shape.join(", ")}]`, name);
      }
      checked[name] = given;
    }
    return checked;
  }
}

/** Recorded values as a tensor. */
export function played({ dtype, shape, data }: Recorded): Tensor {
  if (dtype === "string") return new Tensor(data as string[], shape, dtype);
  if (dtype === "int64" || dtype === "uint64") {
    const whole = data.map((value) => BigInt(value as number | string));
    return new Tensor(dtype === "int64" ? BigInt64Array.from(whole) : BigUint64Array.from(whole), shape, dtype);
  }
  return new Tensor(typed(data.map((value) => (value === null ? Number.NaN : Number(value))), dtype), shape, dtype);
}

function firstRow({ data, shape, dtype }: Tensor): Tensor {
  return new Tensor(data.slice(0, data.length / shape[0]!), [1, ...shape.slice(1)], dtype);
}

/** The largest difference of any value; of texts and what is no number, whether any differs. */
export function differs(recorded: Golden["outputs"], outputs: Tensors): number {
  let most = 0;
  for (const [name, each] of Object.entries(recorded)) {
    const [wanted, found] = [played(each).data, outputs[name]!.data];
    for (let i = 0; i < wanted.length; i++) {
      const [a, b] = [wanted[i]!, found[i]!];
      if (a === b || (a !== a && b !== b)) continue;
      most = Math.max(most, typeof a === "string" ? Infinity : Math.abs(Number(a) - Number(b)));
    }
    if (wanted.length !== found.length) return Infinity;
  }
  return Number.isNaN(most) ? Infinity : most;
}
