// The calls this page makes. Addresses are relative to the page, so that it also works behind a
// prefix. Two things go wrong: the server is Away, or it has Refused with a code and a hint.
import { strings } from "../strings";
import type { Card } from "./card";
import { credential } from "./key";
import { type Message, pack, unpack } from "./tensor";

const PATIENCE_MS = 10_000;
const LONG_PATIENCE_MS = 60_000; // what explains a model is opened by the first who asks
const HEAD_LENGTH = "Inference-Header-Content-Length";

export class Away extends Error {
  constructor() {
    super(strings.errors.away);
  }
}

export class Refused extends Error {
  readonly hint: string;
  /** Whether another key would help. */
  readonly unknown: boolean;

  constructor(status: number, body: { error?: string; hint?: string }) {
    super(body.error ?? strings.errors.status(status));
    this.unknown = status === 401;
    this.hint = body.hint ?? "";
  }
}

export interface Answer {
  model_name: string;
  model_version: string;
  outputs: { name: string; datatype: string; shape: number[]; data: number[] }[];
}

/** Where the server is, without a slash at the end. */
export function origin(): string {
  return new URL(".", document.baseURI).href.replace(/\/$/, "");
}

export async function call<T>(path: string, init: RequestInit = {}, patience = PATIENCE_MS): Promise<T> {
  const response = await reach(path, init, patience);
  return response.json().catch(() => {
    throw new Away();
  });
}

async function reach(path: string, init: RequestInit, patience = PATIENCE_MS): Promise<Response> {
  const signal = AbortSignal.timeout(patience);
  const headers = { ...init.headers, ...credential() };
  const response = await fetch(`${origin()}/${path}`, { ...init, headers, signal }).catch(() => {
    throw new Away();
  });
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  return response;
}

/** What the friendly door says: the best label and the others, or a quantity by its name. */
export interface Said {
  label?: string;
  probability?: number;
  top?: { label: string; probability: number }[];
  [target: string]: unknown;
}

/** Asks a model with a file, or with named fields as JSON. */
export function predict(model: string, type: string, body: BodyInit): Promise<Said> {
  const path = `predict/${encodeURIComponent(model)}?top=1000`;
  return call(path, { method: "POST", headers: { "Content-Type": type }, body });
}

/** What a file or fields are for a model: a request for those doors that take numbers only. */
export async function inputOf(model: string, type: string, body: BodyInit): Promise<Message> {
  const path = `predict/${encodeURIComponent(model)}/input`;
  const response = await reach(path, { method: "POST", headers: { "Content-Type": type }, body });
  const header = Number(response.headers.get(HEAD_LENGTH));
  return unpack(header, await response.arrayBuffer().catch(() => Promise.reject(new Away())));
}

function v2(model: string, verb: "infer" | "explain"): string {
  return `v2/models/${encodeURIComponent(model)}/${verb}`;
}

export async function listModels(): Promise<Card[]> {
  return (await call<{ models: Card[] }>("api/models")).models;
}

export function infer(model: string, message: Message): Promise<Answer> {
  return send(v2(model, "infer"), message);
}

/** How an answer shall be explained; `target` is the place of a label, else it is the likeliest. */
export interface Wanted {
  method: string;
  target?: number;
}

/** Asks why a model answers so: beside its answer there is an `attribution:INPUT`. */
export function explain(model: string, message: Message, parameters: Wanted): Promise<Answer> {
  const { head, bytes } = message;
  return send(v2(model, "explain"), { head: { ...head, parameters }, bytes }, LONG_PATIENCE_MS);
}

function send(path: string, message: Message, patience?: number): Promise<Answer> {
  const { header, body } = pack(message);
  const headers = { "Content-Type": "application/octet-stream", [HEAD_LENGTH]: String(header) };
  return call(path, { method: "POST", headers, body }, patience);
}

/** Asks a model with a V2 request somebody wrote by hand. */
export function inferJson(model: string, body: string): Promise<unknown> {
  const headers = { "Content-Type": "application/json" };
  return call(v2(model, "infer"), { method: "POST", headers, body });
}
