// Calls a numen server, and knows what to do when it does not answer in time.
//
//   const numen = new Numen("http://127.0.0.1:8000");
//   const answer = await numen.predict("digits", canvas, { deadlineMs: 100, fallback: { label: "?" } });
import type { components, paths } from "./api";
import {
  areTensors,
  asExplained,
  type Explained,
  type ExplainOptions,
  type Inferred,
  type LocalModel,
  type PredictOptions,
  type Said,
  type Scored,
} from "./answer";
import type { Bundle } from "./bundle";
import { type Answered, answered, type Local, type Options, PATIENCE_MS } from "./deadline";
import { NumenError, refusal, wrapped } from "./errors";
import { type Input, type Told, told, written } from "./input";
import { Stream, type StreamOptions } from "./stream";
import { pack, Tensor, type Tensors, tensor, unpack } from "./tensor";

export type { Answered, Bundle, Explained, ExplainOptions, Inferred, Input, LocalModel, Options };
export type { PredictOptions, Said, Scored, components, paths };
export type { Source } from "./errors";
export type { Plane } from "./picture";
export { type Centred, centre, centred } from "./centre";
export { pixelsOf } from "./picture";
export { NumenError, Stream, Tensor, tensor };
export type { Tensors, StreamOptions };

export interface NumenOptions {
  /** An API key, where the server asks for one. */
  key?: string;
  fetch?: typeof fetch;
  /** What opens WebSockets, where JavaScript has none: `ws` in Node 20. */
  webSocket?: typeof WebSocket;
}

const HEAD_LENGTH = "inference-header-content-length";

/** One server, and the models of it that were attached to run here as well. */
export class Numen {
  readonly url: string;
  private readonly key: string;
  private readonly fetch: typeof fetch;
  private readonly webSocket: typeof WebSocket | undefined;
  private readonly locals = new Map<string, LocalModel>();

  constructor(url: string | URL, { key = "", fetch: own, webSocket }: NumenOptions = {}) {
    this.url = String(url).replace(/\/+$/, "");
    this.key = key.trim();
    this.fetch = own ?? ((...given) => globalThis.fetch(...given));
    this.webSocket = webSocket ?? globalThis.WebSocket;
  }

  /** Lets a model on the device answer where the server does not in time. */
  attach(model: LocalModel): this {
    this.locals.set(model.name, model);
    return this;
  }

  detach(name: string): void {
    this.locals.delete(plainName(name));
  }

  attached(name: string): LocalModel | undefined {
    return this.locals.get(plainName(name));
  }

  /** What a model says of a picture, a sound, a text, named fields or numbers. */
  async predict<F extends object = Said>(model: string, input: Input, options: PredictOptions<F> = {}): Promise<(Said | F) & Answered> {
    const { top } = options;
    const local = this.local(model, (own) => own.predict(input, { top }));
    const server = async (signal: AbortSignal, leftMs?: number) => {
      const { type, body } = await written(await told(input));
      const query = top === undefined ? "" : `?top=${top}`;
      const reply = await this.reach(`predict/${named(model)}${query}`, type, body, signal, leftMs);
      return (await reply.json()) as Said;
    };
    return answered(server, local, options);
  }

  /** A model's outputs for tensors as they are. */
  async infer<F extends object = Inferred>(model: string, inputs: Tensors, options: Options<F> = {}): Promise<(Inferred | F) & Answered> {
    const local = this.local(model, (own) => own.infer(inputs));
    const server = (signal: AbortSignal, leftMs?: number) => this.ask(`${v2(model)}/infer`, inputs, {}, signal, leftMs);
    return answered(server, local, options);
  }

  /** Why a model answers so; `input` is what `predict` takes, or tensors by name. */
  async explain<F extends object = Explained>(
    model: string,
    input: Input | Tensors,
    { method, target, parameters, ...options }: ExplainOptions<F> = {},
  ): Promise<(Explained | F) & Answered> {
    const said = { ...(method && { method }), ...(target !== undefined && { target }), ...parameters };
    const server = async (signal: AbortSignal, leftMs?: number): Promise<Explained> => {
      const inputs = areTensors(input) ? input : await this.prepared(model, await told(input as Input), signal);
      return asExplained(await this.ask(`${v2(model)}/explain`, inputs, said, signal, leftMs));
    };
    return answered(server, null, options);
  }

  /** The cards of all models. */
  async models<F extends object = { models: Card[] }>(options: Options<F> = {}): Promise<Card[]> {
    const server = async (signal: AbortSignal) => (await this.reach("api/models", "", null, signal)).json() as Promise<{ models: Card[] }>;
    return ((await answered(server, null, options)) as { models: Card[] }).models;
  }

  /** All that is needed to run a model elsewhere; `numen/local` runs it. */
  async bundle(model: string, signal?: AbortSignal): Promise<Bundle> {
    return (await this.reach(`api/models/${named(model)}/bundle`, "", null, signal)).json() as Promise<Bundle>;
  }

  /** A file beside the bundle's descriptor, by the URL that this gives. */
  async file(model: string, url: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const from = new URL(`api/models/${named(model)}/bundle`, `${this.url}/`);
    const reply = await this.reach(new URL(url, from).href, "", null, signal);
    return new Uint8Array(await reply.arrayBuffer());
  }

  /** A WebSocket to a model, for many questions under way at once. It reconnects by itself. */
  stream(model: string, options: StreamOptions = {}): Stream {
    if (!this.webSocket) {
      throw new NumenError("not_on_device", "this JavaScript has no WebSocket", {
        hint: "give `webSocket`, such as that of the package ws, or call predict",
      });
    }
    return new Stream(this, model, { ...options, key: this.key, webSocket: this.webSocket });
  }

  private local<T>(model: string, run: (own: LocalModel) => Promise<T>): Local<T> | null {
    const own = this.attached(model);
    return own ? { run: () => run(own), expectedMs: own.expectedMs } : null;
  }

  private async prepared(model: string, given: Told, signal: AbortSignal): Promise<Tensors> {
    const { type, body } = await written(given);
    const reply = await this.reach(`predict/${named(model)}/input`, type, body, signal);
    const bytes = new Uint8Array(await reply.arrayBuffer());
    const head = Number(reply.headers.get(HEAD_LENGTH));
    const said = JSON.parse(new TextDecoder().decode(bytes.subarray(0, head)));
    return unpack({ outputs: said.inputs }, bytes.subarray(head));
  }

  private async ask(path: string, inputs: Tensors, parameters: Record<string, unknown>, signal: AbortSignal, leftMs?: number): Promise<Inferred> {
    const message = pack(inputs, {}, parameters);
    const reply = await this.reach(path, "application/octet-stream", message.bytes, signal, leftMs, {
      [HEAD_LENGTH]: String(message.head),
    });
    const bytes = new Uint8Array(await reply.arrayBuffer());
    const head = Number(reply.headers.get(HEAD_LENGTH) ?? bytes.length);
    const said = JSON.parse(new TextDecoder().decode(bytes.subarray(0, head)));
    return { model: said.model_name, version: said.model_version, outputs: unpack(said, bytes.subarray(head)) };
  }

  private async reach(
    path: string,
    type: string,
    body: BodyInit | null,
    signal?: AbortSignal,
    leftMs?: number,
    more: Record<string, string> = {},
  ): Promise<Response> {
    const headers: Record<string, string> = { ...more };
    if (type) headers["content-type"] = type;
    if (this.key) headers.authorization = `Bearer ${this.key}`;
    if (leftMs !== undefined) headers["numen-deadline-ms"] = String(Math.max(0, Math.round(leftMs)));
    const address = /^https?:/.test(path) ? path : `${this.url}/${path}`;
    let reply: Response;
    try {
      reply = await this.fetch(address, {
        method: body === null ? "GET" : "POST",
        headers,
        body,
        signal: signal ?? AbortSignal.timeout(PATIENCE_MS),
      });
    } catch (error) {
      if (signal?.aborted) throw wrapped(signal.reason, "cancelled");
      throw new NumenError("unreachable", `nobody answers at ${this.url}`, {
        hint: "look whether the server runs, and whether it allows this page's origin",
        cause: error,
      });
    }
    if (!reply.ok) {
      throw refusal(reply.status, (await reply.json().catch(() => ({}))) as Record<string, unknown>);
    }
    return reply;
  }
}

export type Card = paths["/api/models"]["get"]["responses"]["200"]["content"]["application/json"]["models"][number];

const plainName = (model: string) => model.split("@")[0]!;
const named = (model: string) => encodeURIComponent(model).replace("%40", "@");

function v2(model: string): string {
  const [name, version] = model.split("@") as [string, string?];
  return `v2/models/${encodeURIComponent(name)}${version ? `/versions/${encodeURIComponent(version)}` : ""}`;
}
