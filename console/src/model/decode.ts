// From a model's answer to what it means, as its card says: a probability for each label, or one
// quantity.
import type { Card, Classification, Regression } from "../api/card";
import type { Answer, Said } from "../api/server";
import { quantity } from "../format";
import { strings } from "../strings";

export interface Classes {
  kind: "classes";
  labels: string[];
  probabilities: number[];
  /** Index of the most probable label. */
  best: number;
}

export interface Quantity {
  kind: "quantity";
  target: string;
  value: number;
}

export type Reading = Classes | Quantity;

/** What cannot be ruled out, in words: labels, the likeliest first, or from where to where. */
export function within({ postprocess }: Card, reading: Reading | null): string | null {
  const { level, threshold } = postprocess?.conformal ?? {};
  if (!reading || level === undefined || threshold === undefined) return null;
  if (reading.kind === "quantity") {
    const [low, high] = [reading.value - threshold, reading.value + threshold];
    return strings.attempt.between(level, quantity(low), quantity(high));
  }
  const { labels, probabilities, best } = reading;
  const kept = labels
    .map((label, place) => ({ label, place, p: probabilities[place] ?? 0 }))
    .filter(({ place, p }) => p >= threshold || place === best)
    .sort((a, b) => b.p - a.p);
  return strings.attempt.oneOf(level, kept.map(({ label }) => label));
}

/** Reads what the friendly door says of one row. */
export function readSaid({ postprocess }: Card, said: Said): Reading {
  if (postprocess?.type === "regression") {
    const { target } = postprocess;
    return { kind: "quantity", target, value: Number(said[target]) };
  }
  if (!postprocess || !said.top) throw new Error(strings.errors.noOutput(postprocess?.output ?? ""));
  const given = new Map(said.top.map(({ label, probability }) => [label, probability]));
  return classes(postprocess.labels, postprocess.labels.map((label) => given.get(label) ?? 0));
}

/** Reads a raw answer's first row. */
export function read({ postprocess }: Card, answer: Answer): Reading {
  if (!postprocess) throw new Error(strings.errors.noOutput(""));
  const said = scores(postprocess, answer);
  if (postprocess.type === "regression") {
    return { kind: "quantity", target: postprocess.target, value: said[0] ?? Number.NaN };
  }
  const { labels, activation } = postprocess;
  return classes(labels, ACTIVATE[activation](said.slice(0, labels.length)));
}

/** The output that is the answer, as it is. */
export function scores({ output }: Classification | Regression, answer: Answer): number[] {
  const data = answer.outputs.find(({ name }) => name === output)?.data;
  if (!data) throw new Error(strings.errors.noOutput(output));
  return data;
}

function classes(labels: string[], probabilities: number[]): Classes {
  const best = probabilities.reduce((top, p, i) => (p > (probabilities[top] ?? 0) ? i : top), 0);
  return { kind: "classes", labels, probabilities, best };
}

const ACTIVATE: Record<Classification["activation"], (scores: number[]) => number[]> = {
  none: (scores) => scores,
  sigmoid: (scores) => scores.map((score) => 1 / (1 + Math.exp(-score))),
  softmax: (scores) => {
    const highest = Math.max(...scores);
    const raised = scores.map((score) => Math.exp(score - highest));
    const sum = raised.reduce((a, b) => a + b, 0);
    return raised.map((value) => value / sum);
  },
};
