// The calls this page makes. Addresses are relative to the page, so that it also works behind a
// prefix. Two things go wrong: the server is Away, or it has Refused with a code and a hint.
import { strings } from "../strings";
import type { Card } from "./card";
import { credential } from "./key";
import { pack, type Tensor } from "./tensor";

const PATIENCE_MS = 10_000;

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
  const signal = AbortSignal.timeout(patience);
  const headers = { ...init.headers, ...credential() };
  const response = await fetch(`${origin()}/${path}`, { ...init, headers, signal }).catch(() => {
    throw new Away();
  });
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  return response.json().catch(() => {
    throw new Away();
  });
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

function inferPath(model: string): string {
  return `v2/models/${encodeURIComponent(model)}/infer`;
}

export async function listModels(): Promise<Card[]> {
  return (await call<{ models: Card[] }>("api/models")).models;
}

/** Asks a model with one tensor, sent as bytes. */
export function infer(model: string, tensor: Tensor): Promise<Answer> {
  const { header, body } = pack(tensor);
  const headers = {
    "Content-Type": "application/octet-stream",
    "Inference-Header-Content-Length": String(header),
  };
  return call(inferPath(model), { method: "POST", headers, body });
}

/** Asks a model with a V2 request somebody wrote by hand. */
export function inferJson(model: string, body: string): Promise<unknown> {
  const headers = { "Content-Type": "application/json" };
  return call(inferPath(model), { method: "POST", headers, body });
}
