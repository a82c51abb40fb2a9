// A stand-in for a numen server, to work on the page alone: serves the built page and the calls it
// makes. Its digit model compares with ten little pictures; it shows the page, it proves nothing.
//   node mock/server.mjs [port] [models|one|empty]
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { CARDS } from "./cards.mjs";
import { compare } from "./digits.mjs";

const port = Number(process.argv[2] ?? 8080);
const scene = process.argv[3] ?? "models";
const page = new URL("../../src/numen/console/", import.meta.url);
const cards = { models: CARDS, one: CARDS.slice(0, 1), empty: [] }[scene];
const types = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css" };

function reply(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The first input's numbers, sent as bytes or as JSON. */
function numbers(request, body) {
  const header = Number(request.headers["inference-header-content-length"] ?? body.length);
  const input = JSON.parse(body.subarray(0, header)).inputs[0];
  if (!input.parameters?.binary_data_size) return input.data.flat(Infinity);
  if (input.datatype === "BYTES") return [body.length];
  return [...new Float32Array(Uint8Array.from(body.subarray(header)).buffer)];
}

function answer(card, values) {
  const [output] = card.signature.outputs;
  const labels = card.postprocess?.labels;
  const digits = card.preprocess?.type === "image";
  const guess = labels?.map((_, place) => 1 / (1 + Math.abs((values[0] % labels.length) - place)));
  const total = guess?.reduce((a, b) => a + b);
  const data = digits ? compare(values) : (guess?.map((g) => g / total) ?? [values.reduce((a, b) => a + b, 0)]);
  const shape = [1, data.length];
  const outputs = [{ name: output.name, datatype: "FP32", shape, data }];
  return { model_name: card.name, model_version: card.version, outputs };
}

/** The friendly door: all labels with a guess made of the body's length. */
function say(card, body) {
  const { outputs } = answer({ ...card, preprocess: null }, [body.length]);
  const { type, labels, target } = card.postprocess;
  if (type === "regression") return { [target]: body.length };
  const top = labels.map((label, place) => ({ label, probability: outputs[0].data[place] }));
  return { ...top.toSorted((a, b) => b.probability - a.probability)[0], top };
}

createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://mock");
  const body = await bodyOf(request);
  if (pathname === "/api/models") return reply(response, 200, { models: cards });
  if (pathname === "/api/jobs") return reply(response, 200, { jobs: [] });
  if (pathname === "/api/datasets") return reply(response, 200, { datasets: [{ name: "digits" }] });
  const name = /^\/v2\/models\/([^/]+)\/infer$/.exec(pathname)?.[1];
  if (name) {
    const card = cards.find((one) => one.name === decodeURIComponent(name));
    const values = numbers(request, body);
    if (card && values.every(Number.isFinite)) return reply(response, 200, answer(card, values));
    const error = card ? "The input holds a value that is not a number." : `No model “${name}”.`;
    return reply(response, card ? 400 : 404, { error, code: "mock", hint: "GET /api/models lists them." });
  }
  const asked = cards.find(({ name }) => pathname === `/predict/${encodeURIComponent(name)}`);
  if (asked) return reply(response, 200, say(asked, body));
  const path = pathname === "/" ? "index.html" : pathname.slice(1);
  const file = await readFile(fileURLToPath(new URL(path, page))).catch(() => null);
  if (!file) return reply(response, 404, { error: "Not here.", code: "mock", hint: "" });
  response.writeHead(200, { "Content-Type": types[path.split(".").pop()] }).end(file);
}).listen(port, "127.0.0.1", () => console.log(`mock on port ${port}`));
