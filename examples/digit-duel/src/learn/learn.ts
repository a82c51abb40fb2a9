// From corrections to a model that has learnt from them, step by step, each told of.
import type { Compared, Control, Correction } from "./server";

/** Where learning stands. */
export type Step =
  | { name: "idle" }
  | { name: "keeping" }
  | { name: "training"; kept: string }
  | { name: "comparing"; kept: string }
  | { name: "learnt"; kept: string; old: string; fresh: string; test: Compared; own: Compared; better: "first" | "second" | ""; seconds: number }
  | { name: "taken"; version: string }
  | { name: "left" }
  | { name: "failed"; why: string; hint: string };

const LOOK_MS = 400;
const OVER = new Set(["finished", "failed", "cancelled", "interrupted"]);

/**
 * Keeps the corrections as the next version of the model's data, trains on it, and compares.
 *
 * What is learnt begins with the first version's layers each time, so that models do not pile up.
 * Corrections are measured against the data's own first version: all that were ever made.
 */
export async function learn(
  control: Control,
  model: string,
  corrections: Correction[],
  told: (step: Step) => void,
  kept: () => void,
): Promise<void> {
  const began = performance.now();
  told({ name: "keeping" });
  const { version: old, versions, dataset } = await control.card(model);
  const name = dataset.split("@")[0]!;
  const added = await control.keep(name, corrections);
  kept();
  const data = `${added.name}@${added.version}`;
  told({ name: "training", kept: data });
  let job = await control.train(model, data, `${model}@${versions[0]}`);
  while (!OVER.has(job.state)) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    job = await control.job(job.id);
  }
  if (job.state !== "finished" || !job.result?.version) {
    throw Object.assign(new Error(job.error?.error ?? job.state), { hint: job.error?.hint ?? "" });
  }
  const fresh = String(job.result.version);
  told({ name: "comparing", kept: data });
  const own = await control.compare(model, fresh, old, data, 1);
  const test = await control.compare(model, fresh, old, data);
  const seconds = Math.round((performance.now() - began) / 1000);
  const better = test.comparison.differences.find(({ metric }) => metric === "accuracy")?.better ?? "";
  told({ name: "learnt", kept: data, old, fresh, test, own, better, seconds });
}
