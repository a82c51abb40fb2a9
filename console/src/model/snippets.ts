// How to call a model from elsewhere, ready to paste: this server's address and the model's own
// name, inputs and fields are filled in.
import type { Card, ColumnsInput, TensorSpec, TextInput } from "../api/card";
import { strings } from "../strings";

export interface Snippet {
  title: string;
  code: string;
}

const FEW = 16;

export function snippets(card: Card, origin: string): Snippet[] {
  const short = card.preprocess ? [curlPredict(card, origin)] : [];
  const languages = card.preprocess ? [python(card, origin), javascript(card, origin)] : [];
  return [...short, curlInfer(card, origin), ...languages];
}

function predictUrl(card: Card, origin: string): string {
  return `${origin}/predict/${encodeURIComponent(card.name)}`;
}

function curlPredict(card: Card, origin: string): Snippet {
  const how = card.preprocess;
  const body =
    how?.type === "image"
      ? "-H 'Content-Type: image/png' \\\n  --data-binary @picture.png"
      : `-H 'Content-Type: application/json' \\\n  -d ${quote(example(how!))}`;
  return { title: strings.call.predict, code: `curl ${predictUrl(card, origin)} \\\n  ${body}` };
}

function curlInfer(card: Card, origin: string): Snippet {
  const inputs = card.signature.inputs.map(exampleInput).join(",");
  const url = `${origin}/v2/models/${encodeURIComponent(card.name)}/infer`;
  const code = `curl ${url} \\\n  -H 'Content-Type: application/json' \\\n  -d '{"inputs":[${inputs}]}'`;
  return { title: strings.call.infer, code };
}

/** An input of zeros inside a single-quoted shell word; printf writes them when there are many. */
function exampleInput({ name, datatype, shape }: TensorSpec): string {
  const sizes = shape.map((size) => size ?? 1);
  const count = sizes.reduce((a, b) => a * b, 1);
  const zero = datatype === "BYTES" ? JSON.stringify(strings.call.text) : 0;
  const data =
    count <= FEW ? Array(count).fill(zero).join(",") : `'"$(printf '0,%.0s' $(seq ${count - 1}))0"'`;
  const head = quoted(JSON.stringify({ name, shape: sizes, datatype }).slice(0, -1));
  return `${head},\n    "data":[${data}]}`;
}

function python(card: Card, origin: string): Snippet {
  const [prepare, argument] =
    card.preprocess && card.preprocess.type !== "image"
      ? ["", example(card.preprocess)]
      : ['image = open("picture.png", "rb").read()\n', "image"];
  const client = `numen.Client(${JSON.stringify(origin)})`;
  const call = `${client}.predict(${JSON.stringify(card.name)}, ${argument})`;
  return { title: strings.call.python, code: `import numen\n\n${prepare}print(${call})` };
}

function javascript(card: Card, origin: string): Snippet {
  const [prepare, type, body] =
    card.preprocess && card.preprocess.type !== "image"
      ? ["", "application/json", `JSON.stringify(${example(card.preprocess)})`]
      : ["// picture: a Blob or a File\n", "image/png", "picture"];
  const code = `${prepare}const response = await fetch(${JSON.stringify(predictUrl(card, origin))}, {
  method: "POST",
  headers: { "Content-Type": "${type}" },
  body: ${body},
});
console.log(await response.json());`;
  return { title: strings.call.javascript, code };
}

/** A text or named fields as JSON, which Python and JavaScript read as well. */
function example(how: ColumnsInput | TextInput): string {
  if (how.type === "text") return JSON.stringify(strings.call.text);
  const fields = how.columns.map(({ name, categories }) => [name, categories?.[0] ?? 0]);
  return JSON.stringify(Object.fromEntries(fields));
}

function quote(text: string): string {
  return `'${quoted(text)}'`;
}

/** For between the single quotes of a shell word. */
function quoted(text: string): string {
  return text.replaceAll("'", "'\\''");
}
