// What a model can be asked: a tensor, a file, named fields. Each gives what the answer means, and
// what the same is as the model's input, for the door that explains answers and takes no other.
import type { Card } from "../api/card";
import { infer, inputOf, predict } from "../api/server";
import { type Message, message, type Tensor } from "../api/tensor";
import { read, readSaid, type Reading } from "./decode";

export interface Question<Given> {
  answer: (card: Card) => Promise<Reading>;
  /** Null where no explanation is wanted. */
  input: ((card: Card) => Promise<Message>) | null;
  /** What was asked about, as it is shown beside an explanation. */
  given: Given;
}

export function withTensor<Given>(tensor: Tensor, given: Given): Question<Given> {
  return {
    answer: async (card) => read(card, await infer(card.name, message(tensor))),
    input: async () => message(tensor),
    given,
  };
}

/** A sound as a WAV file, or a picture. */
export function withFile<Given>(file: Blob, type: string, given: Given): Question<Given> {
  return atFriendlyDoor(type, file, given);
}

/** Fields as people write them; what is empty is missing. */
export type Fields = Record<string, string>;

export function withFields(fields: Fields): Question<Fields> {
  return atFriendlyDoor("application/json", JSON.stringify(fields), fields);
}

/** Rows of such fields, the latest last. */
export function withRows(rows: Fields[]): Question<Fields[]> {
  return atFriendlyDoor("application/json", JSON.stringify(rows), rows);
}

function atFriendlyDoor<Given>(type: string, body: Blob | string, given: Given): Question<Given> {
  return {
    answer: async (card) => readSaid(card, await predict(card.name, type, body)),
    input: (card) => inputOf(card.name, type, body),
    given,
  };
}
