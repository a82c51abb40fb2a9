// What an answer is, whoever gives it.
import type { Options } from "./deadline";
import type { Input } from "./input";
import { Tensor, type Tensors } from "./tensor";

export interface Scored {
  label: string;
  probability: number;
}

/** What a model says of one input; which of it there is, its kind decides. */
export interface Said {
  model: string;
  version: string;
  /** The likeliest label. */
  label?: string;
  probability?: number;
  /** The likeliest labels. */
  top?: Scored[];
  /** Labels that cannot be ruled out. */
  set?: string[];
  /** Between which values a quantity lies. */
  interval?: [number, number];
  /** Of a model whose inputs carry any number of labels: those as likely as not. */
  labels?: string[];
  scores?: Record<string, number>;
  /** Of several inputs at once: what is said of each. */
  rows?: Record<string, unknown>[];
  /** A quantity, by what it is called. */
  [target: string]: unknown;
}

/** What a model gives for tensors. */
export interface Inferred {
  model: string;
  version: string;
  outputs: Tensors;
}

export interface Explained extends Inferred {
  /** How much each value of an input counted, by the input's name. */
  attributions: Tensors;
}

/** A model on the device, as `numen/local` makes it. */
export interface LocalModel {
  readonly name: string;
  readonly expectedMs: number;
  predict(input: Input, options?: { top?: number }): Promise<Said>;
  infer(inputs: Tensors): Promise<Inferred>;
}

export interface PredictOptions<F = unknown> extends Options<F> {
  /** How many labels `top` names. */
  top?: number;
}

export interface ExplainOptions<F = unknown> extends Options<F> {
  method?: string;
  /** The label asked about, by name or place; else the likeliest. */
  target?: string | number;
  /** Further parameters of the method. */
  parameters?: Record<string, unknown>;
}

export function areTensors(input: unknown): input is Tensors {
  if (typeof input !== "object" || input === null || input instanceof Tensor) return false;
  const values = Object.values(input);
  return values.length > 0 && values.every((value) => value instanceof Tensor);
}

/** What an explanation's outputs are: those of the method asked for, by the input's name. */
export function asExplained(found: Inferred, method?: string): Explained {
  const attributions: Tensors = {};
  for (const [name, value] of Object.entries(found.outputs)) {
    if (!name.startsWith("attribution:")) continue;
    const input = name.slice("attribution:".length);
    attributions[input] = found.outputs[`${method}:${input}`] ?? value;
  }
  return { ...found, attributions };
}
