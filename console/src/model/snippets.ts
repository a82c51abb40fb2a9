// How to call a model from elsewhere, ready to paste: this server's address and the model's own
// name, inputs and fields are filled in.
import type { Card, Column, ColumnsInput, TensorSpec, TextInput, WindowInput } from "../api/card";
import { strings } from "../strings";

export interface Snippet {
  title: string;
  code: string;
}

const FEW = 16;
const FILES = {
  image: { kind: "image", name: "picture.png", type: "image/png" },
  audio: { kind: "sound", name: "sound.wav", type: "audio/wav" },
};

export function snippets(card: Card, origin: string): Snippet[] {
  const short = card.preprocess ? [curlPredict(card, origin)] : [];
  const languages = card.preprocess ? [python(card, origin), javascript(card, origin)] : [];
  return [...short, curlInfer(card, origin), ...languages];
}

function predictUrl(card: Card, origin: string): string {
  return `${origin}/predict/${encodeURIComponent(card.name)}`;
}

function curlPredict(card: Card, origin: string): Snippet {
  const how = card.preprocess!;
  const body =
    "columns" in how || how.type === "text"
      ? `-H 'Content-Type: application/json' \\\n  -d ${quote(example(how))}`
      : `-H 'Content-Type: ${FILES[how.type].type}' \\\n  --data-binary @${FILES[how.type].name}`;
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
  const how = card.preprocess!;
  let [prepare, argument] = ["", ""];
  if ("columns" in how || how.type === "text") argument = example(how);
  else {
    const { kind, name } = FILES[how.type];
    [prepare, argument] = [`${kind} = open("${name}", "rb").read()\n`, kind];
  }
  const client = `numen.Client(${JSON.stringify(origin)})`;
  const call = `${client}.predict(${JSON.stringify(card.name)}, ${argument})`;
  return { title: strings.call.python, code: `import numen\n\n${prepare}print(${call})` };
}

function javascript(card: Card, origin: string): Snippet {
  const how = card.preprocess!;
  let [prepare, type, body] = ["", "application/json", ""];
  if ("columns" in how || how.type === "text") body = `JSON.stringify(${example(how)})`;
  else {
    const { kind, type: own } = FILES[how.type];
    [prepare, type, body] = [`// ${kind}: a Blob or a File\n`, own, kind];
  }
  const code = `${prepare}const response = await fetch(${JSON.stringify(predictUrl(card, origin))}, {
  method: "POST",
  headers: { "Content-Type": "${type}" },
  body: ${body},
});
console.log(await response.json());`;
  return { title: strings.call.javascript, code };
}

/** A text or named fields as JSON, which Python and JavaScript read as well. */
function example(how: ColumnsInput | WindowInput | TextInput): string {
  if (how.type === "text") return JSON.stringify(strings.call.text);
  const fields = Object.fromEntries(how.columns.map((column) => [column.name, value(column)]));
  return JSON.stringify(how.type === "window" ? [fields] : fields);
}

function value({ categories, date, words }: Column): string | number {
  return categories?.[0] ?? (date ? "2024-01-31" : words ? strings.call.text : 0);
}

function quote(text: string): string {
  return `'${quoted(text)}'`;
}

/** For between the single quotes of a shell word. */
function quoted(text: string): string {
  return text.replaceAll("'", "'\\''");
}
