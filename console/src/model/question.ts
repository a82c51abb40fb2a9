// What a model can be asked: a tensor, a file, named fields. Each gives what the answer means.
import type { Card } from "../api/card";
import { infer, predict } from "../api/server";
import type { Tensor } from "../api/tensor";
import { read, readSaid, type Reading } from "./decode";

export type Question = (card: Card) => Promise<Reading>;

export function withTensor(tensor: Tensor): Question {
  return async (card) => read(card, await infer(card.name, tensor));
}

/** A sound as a WAV file, or a picture. */
export function withFile(file: Blob, type: string): Question {
  return async (card) => readSaid(card, await predict(card.name, type, file));
}

/** Fields as people write them; what is empty is missing. */
export function withFields(fields: Record<string, string>): Question {
  return withJson(fields);
}

/** Rows of such fields, the latest last. */
export function withRows(rows: Record<string, string>[]): Question {
  return withJson(rows);
}

function withJson(value: unknown): Question {
  const body = JSON.stringify(value);
  return async (card) => readSaid(card, await predict(card.name, "application/json", body));
}
