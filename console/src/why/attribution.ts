// An explanation as it is read from the answer of `/v2/models/{m}/explain`: of whom it speaks, and a
// number for each of the model's inputs.
import type { Card } from "../api/card";
import type { Answer, Wanted } from "../api/server";
import { scores } from "../model/decode";
import { strings } from "../strings";

export interface Attribution {
  method: string;
  /** The label or the quantity that is explained. */
  about: string;
  /** The label's place; null of a quantity. */
  label: number | null;
  values: number[];
  /** How uncertain each value is, where the method says so. */
  spread: number[] | null;
  /** The pieces of a text, one for each value. */
  tokens: string[];
}

/** Whether a method says how much something counts, but not which way. */
export function unsigned(method: string): boolean {
  return method === "saliency";
}

/** Whether one may ask about any of a model's labels, or only about the one it answers. */
export function asksAny({ postprocess, signature }: Card): boolean {
  if (postprocess?.type !== "classification") return false;
  const output = signature.outputs.find(({ name }) => name === postprocess.output);
  return output?.shape.at(-1) === postprocess.labels.length;
}

/** What explains the first row of an answer. */
export function readAttribution(card: Card, answer: Answer, { method, target }: Wanted): Attribution {
  const named = (name: string) => answer.outputs.find((output) => output.name === name)?.data;
  const input = card.preprocess?.input ?? "";
  const values = named(`attribution:${input}`);
  if (!values) throw new Error(strings.errors.noOutput(`attribution:${input}`));
  const tokens = (named("tokens") as unknown as string[] | undefined) ?? [];
  return { method, ...explained(card, answer, target), values, spread: named(`uncertainty:${input}`) ?? null, tokens };
}

function explained(card: Card, answer: Answer, target?: number): Pick<Attribution, "about" | "label"> {
  const { postprocess } = card;
  if (postprocess?.type !== "classification") return { about: postprocess?.target ?? "", label: null };
  const known = scores(postprocess, answer);
  // One score of two labels is the second's.
  const single = known.length === 1 && postprocess.labels.length === 2;
  const label = target ?? (single ? 1 : known.indexOf(Math.max(...known)));
  return { about: postprocess.labels[label] ?? "", label };
}
