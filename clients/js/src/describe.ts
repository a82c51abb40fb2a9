// From a model's outputs to what people read, worded as numen's own server words it.
import type { Said, Scored } from "./answer";
import type { Bundle, Classification, Regression } from "./bundle";
import { invalid } from "./errors";
import type { Tensors, Tensor } from "./tensor";

const EDGE = 0.5; // from which probability on a label beside others is named
const TOP = 5;

/** What the outputs mean: of one row what is said of it, of several `rows`. */
export function described(bundle: Bundle, outputs: Tensors, top = TOP): Said {
  const who = { model: bundle.name, version: bundle.version };
  const rows = rowsOf(bundle, outputs, top);
  return rows.length === 1 ? { ...who, ...rows[0] } : { ...who, rows };
}

function rowsOf({ postprocess: how }: Bundle, outputs: Tensors, top: number): Record<string, unknown>[] {
  if (!how) {
    const all = Object.entries(outputs).map(([name, output]) => [name, split(output)] as const);
    return all[0]![1].map((_, row) => Object.fromEntries(all.map(([name, rows]) => [name, rows[row]])));
  }
  const output = outputs[how.output];
  if (!output) throw invalid(`expected an output "${how.output}"`);
  const rows = split(output) as number[][];
  return rows.map((row) => (how.type === "classification" ? classified(how, row, top) : measured(how, row)));
}

function split({ data, shape }: Tensor): unknown[][] {
  const values = Array.from(data as ArrayLike<unknown>, (value) => (typeof value === "bigint" ? Number(value) : value));
  const width = values.length / shape[0]!;
  return Array.from({ length: shape[0]! }, (_, row) => values.slice(row * width, (row + 1) * width));
}

function classified(how: Classification, scores: number[], top: number): Record<string, unknown> {
  const { labels, several, conformal } = how;
  const probabilities = activated(how, scores);
  const order = labels.map((_, place) => place).sort((a, b) => probabilities[b]! - probabilities[a]!);
  if (several) {
    return {
      labels: order.filter((place) => probabilities[place]! >= EDGE).map((place) => labels[place]),
      scores: Object.fromEntries(labels.map((label, place) => [label, probabilities[place]])),
    };
  }
  const ranked: Scored[] = order.slice(0, top).map((place) => ({ label: labels[place]!, probability: probabilities[place]! }));
  const said: Record<string, unknown> = { ...ranked[0], top: ranked };
  if (conformal) {
    const kept = order.filter((place, rank) => rank === 0 || probabilities[place]! >= conformal.threshold);
    said.set = kept.map((place) => labels[place]);
  }
  return said;
}

/** Scores as probabilities: softmax and sigmoid as in Goodfellow et al., Deep Learning, 6.2.2. */
function activated({ activation, labels, several }: Classification, scores: number[]): number[] {
  if (activation === "softmax") {
    const highest = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - highest));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / sum);
  }
  const found = activation === "sigmoid" ? scores.map((score) => 1 / (1 + Math.exp(-score))) : scores;
  return found.length === 1 && labels.length === 2 && !several ? [1 - found[0]!, found[0]!] : found;
}

function measured({ target, targets, conformal }: Regression, row: number[]): Record<string, unknown> {
  if (targets.length) return Object.fromEntries(targets.map((name, place) => [name, row[place]]));
  if (row.length !== 1) return { [target]: row };
  const value = row[0]!;
  const interval = conformal ? { interval: [value - conformal.threshold, value + conformal.threshold] } : {};
  return { ...interval, [target]: value };
}
