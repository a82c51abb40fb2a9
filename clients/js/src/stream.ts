// A WebSocket to one model. Questions go as binary frames with an id each; answers come in any
// order. When the connection is lost it is opened again, and what was under way is answered by the
// device or the fallback.
import {
  areTensors,
  asExplained,
  type Explained,
  type ExplainOptions,
  type Inferred,
  type LocalModel,
  type PredictOptions,
  type Said,
} from "./answer";
import type { Bundle } from "./bundle";
import { type Answered, answered, type Local, type Options } from "./deadline";
import { described } from "./describe";
import { invalid, NumenError, refusal } from "./errors";
import { type Input, told } from "./input";
import { prepared } from "./prepare";
import { pack, Tensor, type Tensors, unpack } from "./tensor";

export interface StreamOptions {
  /** A newer question takes the place of those that wait; they throw `cancelled`. */
  latest?: boolean;
  /** Hears when the connection opens and closes. */
  onState?: (open: boolean) => void;
}

/** What a stream needs of the server it is of. */
export interface Server {
  readonly url: string;
  attached(model: string): LocalModel | undefined;
  bundle(model: string): Promise<Bundle>;
  explain<F extends object>(model: string, input: Input | Tensors, options: ExplainOptions<F>): Promise<(Explained | F) & Answered>;
}

/** What a stream opens its connection with. */
interface Means {
  key: string;
  webSocket: typeof WebSocket;
}

interface Waiting {
  done: (head: Record<string, unknown>, rest: Uint8Array) => void;
  failed: (error: NumenError) => void;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;

export class Stream {
  private readonly numen: Server;
  private readonly model: string;
  private readonly options: StreamOptions & Means;
  private readonly waiting = new Map<string, Waiting>();
  private readonly openers = new Set<{ resolve: () => void; reject: (error: NumenError) => void }>();
  private socket: WebSocket | null = null;
  private bundles: Promise<Bundle> | null = null;
  private explains: Stream | null = null;
  private asked = 0;
  private newest = 0;
  private wait = FIRST_WAIT_MS;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;
  private down = false; // since the connection was lost, or could not be opened

  constructor(numen: Server, model: string, options: StreamOptions & Means) {
    this.numen = numen;
    this.model = model;
    this.options = options;
    this.connect();
  }

  /** Whether the connection is open at this moment. */
  get open(): boolean {
    return this.socket?.readyState === 1;
  }

  /** As `Numen.predict`. Pictures and sounds become the model's input here, before they are sent. */
  predict<F extends object = Said>(input: Input, options: PredictOptions<F> = {}): Promise<(Said | F) & Answered> {
    const { top } = options;
    const place = this.supersede();
    const server = async (_signal: AbortSignal, leftMs?: number): Promise<Said> => {
      const given = await told(input);
      if (given.kind === "text" || given.kind === "plain") {
        const value = given.kind === "text" ? given.text : given.value;
        const { model, version, parameters: _, id: __, ...said } = (await this.send(null, { value }, leftMs, place)).head;
        return { model, version, ...said } as Said;
      }
      const bundle = await this.bundle();
      const found = this.inferred(await this.send(await prepared(bundle, given), {}, leftMs, place));
      if (found.version !== bundle.version) this.bundles = null; // another one by now
      return described({ ...bundle, version: found.version }, found.outputs, top);
    };
    return answered(server, this.local((own) => own.predict(input, { top })), options);
  }

  /** As `Numen.infer`. */
  infer<F extends object = Inferred>(inputs: Tensors, options: Options<F> = {}): Promise<(Inferred | F) & Answered> {
    const place = this.supersede();
    const server = async (_signal: AbortSignal, leftMs?: number) => this.inferred(await this.send(inputs, {}, leftMs, place));
    return answered(server, this.local((own) => own.infer(inputs)), options);
  }

  /** As `Numen.explain`, on a connection of its own to the model's explanation. */
  explain<F extends object = Explained>(input: Input | Tensors, { method, target, parameters, ...options }: ExplainOptions<F> = {}): Promise<(Explained | F) & Answered> {
    if (parameters) return this.numen.explain<F>(this.model, input, { method, target, parameters, ...options });
    const server = async (_signal: AbortSignal, leftMs?: number): Promise<Explained> => {
      const bundle = await this.bundle();
      const inputs = { ...(areTensors(input) ? input : await prepared(bundle, await told(input as Input))) };
      if (target !== undefined) inputs.target = about(bundle, target, Object.values(inputs)[0]!.shape[0]!);
      const own = (this.explains ??= new Stream(this.numen, explanationOf(this.model), { ...this.options, onState: undefined }));
      const found = own.inferred(await own.send(inputs, {}, leftMs, own.supersede()));
      return asExplained({ ...found, model: this.model.split("@")[0]! }, method);
    };
    return answered(server, null, options);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.explains?.close();
    this.socket?.close();
    this.fail(new NumenError("cancelled", "the stream was closed"));
  }

  private bundle(): Promise<Bundle> {
    this.bundles ??= this.numen.bundle(this.model).catch((error) => {
      this.bundles = null;
      throw error;
    });
    return this.bundles;
  }

  private local<T>(run: (own: LocalModel) => Promise<T>): Local<T> | null {
    const own = this.numen.attached(this.model);
    return own ? { run: () => run(own), expectedMs: own.expectedMs } : null;
  }

  /** Lets the newest question be the only one that waits, also where the server does not hear it. */
  private supersede(): number {
    if (!this.options.latest) return 0;
    const error = superseded();
    for (const each of this.waiting.values()) each.failed(error);
    for (const each of this.openers) each.reject(error);
    return ++this.newest;
  }

  private inferred({ head, rest }: { head: Record<string, unknown>; rest: Uint8Array }): Inferred {
    return { model: String(head.model_name), version: String(head.model_version), outputs: unpack(head, rest) };
  }

  private async send(inputs: Tensors | null, fields: object, leftMs: number | undefined, place: number): Promise<{ head: Record<string, unknown>; rest: Uint8Array }> {
    const began = performance.now();
    if (!this.open) await this.opened();
    if (this.options.latest && place !== this.newest) throw superseded();
    const id = String(++this.asked);
    const deadline = leftMs === undefined ? {} : { deadline_ms: Math.max(0, leftMs - (performance.now() - began)) };
    if (inputs) {
      const { head, bytes } = pack(inputs, { id }, deadline);
      const frame = new Uint8Array(4 + bytes.length);
      new DataView(frame.buffer).setUint32(0, head, true);
      frame.set(bytes, 4);
      this.socket!.send(frame);
    } else {
      this.socket!.send(JSON.stringify({ id, ...fields, parameters: deadline }));
    }
    return new Promise((resolve, reject) => {
      const settle = () => this.waiting.delete(id);
      this.waiting.set(id, {
        done: (head, rest) => (settle(), resolve({ head, rest })),
        failed: (error) => (settle(), reject(error)),
      });
    });
  }

  /** Waits for the first connection; for one that was lost nobody waits, others answer at once. */
  private opened(): Promise<void> {
    if (this.closed) return Promise.reject(new NumenError("cancelled", "the stream was closed"));
    if (this.down) return Promise.reject(this.unreachable());
    return new Promise((resolve, reject) => {
      const opener = {
        resolve: () => (this.openers.delete(opener), resolve()),
        reject: (error: NumenError) => (this.openers.delete(opener), reject(error)),
      };
      this.openers.add(opener);
    });
  }

  private connect(): void {
    const path = `/ws/${encodeURIComponent(this.model).replace("%40", "@")}${this.options.latest ? "?latest=1" : ""}`;
    const url = this.numen.url.replace(/^http/, "ws") + path;
    const { key, webSocket } = this.options;
    const socket = new webSocket(url, key ? ["numen.v1", `numen.key.${key}`] : ["numen.v1"]);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.down = false;
      this.wait = FIRST_WAIT_MS;
      this.options.onState?.(true);
      for (const opener of this.openers) opener.resolve();
    };
    socket.onmessage = ({ data }) => this.receive(data as string | ArrayBuffer);
    socket.onclose = () => this.lost(socket);
    this.socket = socket;
  }

  private lost(socket: WebSocket): void {
    if (socket !== this.socket || this.closed) return;
    this.down = true;
    this.fail(this.unreachable());
    this.options.onState?.(false);
    this.timer = setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }

  private unreachable(): NumenError {
    return new NumenError("unreachable", `nobody answers at ${this.numen.url}`, {
      hint: "it is asked again by itself; attach a model, or give a fallback",
    });
  }

  private fail(error: NumenError): void {
    for (const each of this.waiting.values()) each.failed(error);
    for (const each of this.openers) each.reject(error);
  }

  private receive(data: string | ArrayBuffer): void {
    let text: string;
    let rest = new Uint8Array();
    if (typeof data === "string") text = data;
    else {
      const length = new DataView(data).getUint32(0, true);
      text = new TextDecoder().decode(new Uint8Array(data, 4, length));
      rest = new Uint8Array(data, 4 + length);
    }
    const head = JSON.parse(text) as Record<string, unknown>;
    const waiting = this.waiting.get(String(head.id));
    if (!waiting) return; // its deadline has passed
    if (typeof head.error === "string" && "code" in head) waiting.failed(refusal(0, head));
    else waiting.done(head, rest);
  }
}

/** The label asked about, by its place, a row each. */
function about({ postprocess }: Bundle, target: string | number, rows: number): Tensor {
  const labels = postprocess?.type === "classification" ? postprocess.labels : [];
  const place = labels.includes(String(target)) ? labels.indexOf(String(target)) : target;
  if (typeof place !== "number" || !labels[place]) {
    throw invalid(`target: expected one of the labels ${labels.join(", ")}, received ${target}`, "target");
  }
  return new Tensor(new BigInt64Array(rows).fill(BigInt(place)), [rows], "int64");
}

const superseded = () => new NumenError("cancelled", "a newer question took its place");

function explanationOf(model: string): string {
  const [name, version] = model.split("@") as [string, string?];
  return `${name}.explain${version ? `@${version}` : ""}`;
}
