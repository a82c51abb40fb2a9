// The client in Node, against a live server; started by tests/clients/test_javascript.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { Numen, NumenError, tensor } from "numen";
import { local } from "numen/local";
import { falling, given, parity, stalled } from "./cases.mjs";

const { url, mortal, pid, asks } = JSON.parse(readFileSync(process.env.NUMEN_TEST, "utf-8"));
const drawn = asks.find(({ model }) => model === "drawn");
const picture = given(drawn.inputs[4]);

test("the device answers as the server does, for every kind of model", async () => {
  const { wrong, certified } = await parity(url, asks);
  assert.deepEqual(wrong, []);
  for (const [model, most] of Object.entries(certified)) assert.ok(most <= 1e-5, `${model}: ${most}`);
  assert.equal(Object.keys(certified).length, asks.length);
});

test("pixels are a picture as its file is, and tensors go as they are", async () => {
  const numen = new Numen(url);
  const data = Uint8Array.from({ length: 20 * 30 }, (_, at) => (at % 20 > 8 && at % 20 < 12 ? 255 : 0));
  const answer = await numen.predict("drawn", { width: 20, height: 30, data });
  const clear = new Uint8ClampedArray(20 * 30 * 4); // the same, drawn in red on nothing
  data.forEach((ink, at) => clear.set([200, 0, 0, ink], at * 4));
  const again = await numen.predict("drawn", { width: 20, height: 30, data: clear });
  assert.equal(again.probability, answer.probability);
  const { outputs } = await numen.infer("price", { features: tensor([1.5, -0.25], [1, 2]) });
  assert.equal(Object.values(outputs)[0].data.length, 1);
});

test("explanations, cards, and errors with a hint", async () => {
  const numen = new Numen(url);
  const { attributions } = await numen.explain("drawn", picture);
  assert.equal(Object.values(attributions)[0].data.length, 144);
  assert.ok((await numen.models()).some(({ name }) => name === "people"));
  const refused = await numen.predict("people", { nothing: 1 }).catch((error) => error);
  assert.ok(refused instanceof NumenError);
  assert.equal(refused.code, "invalid_input");
  const device = await local(numen, "people");
  const here = await device.predict({ nothing: 1 }).catch((error) => error);
  assert.equal(here.message, refused.message);
  const kept = await numen.predict("nobody", [1], { fallback: { label: "?" } });
  assert.equal(kept.error.code, "not_found");
});

test("a server that says nothing: within the deadline the device, else the fallback", async () => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await new Promise((resolve) => silent.once("listening", resolve));
  const device = await local(new Numen(url), "drawn");
  const { alone, refused, helped } = await stalled(`http://127.0.0.1:${silent.address().port}`, device, picture);
  assert.equal(alone.source, "fallback");
  assert.equal(refused.code, "deadline_exceeded");
  assert.equal(helped.source, "local");
  for (const { ms } of [alone, helped]) assert.ok(ms < 10_000, `${ms}`); // not as long as it takes
  silent.close();
});

test("a stream answers, and goes on by itself", { skip: !globalThis.WebSocket }, async () => {
  const stream = new Numen(url).stream("drawn");
  const [answer, why, said] = await Promise.all([
    stream.predict(picture, { deadlineMs: 10_000 }),
    stream.explain(picture, { deadlineMs: 10_000, target: "light" }),
    new Numen(url).predict("drawn", picture),
  ]);
  assert.equal(answer.source, "server");
  assert.ok(Math.abs(answer.probability - said.probability) < 1e-5);
  assert.equal(Object.values(why.attributions)[0].data.length, 144);
  stream.close();
  const words = new Numen(url).stream("reviews", { latest: true });
  const asked = ["great", "poor", "fine and warm"].map((text) => words.predict(text).catch((error) => error.code));
  const all = await Promise.all(asked);
  assert.deepEqual(all.slice(0, 2), ["cancelled", "cancelled"]);
  assert.equal(all[2].label, "good");
  words.close();
});

test("server, killed: local, then fallback, then an error", async () => {
  const kill = async () => {
    process.kill(pid, "SIGKILL"); // a server that stops well still answers open connections
    while (await fetch(`${mortal}/healthz`).then(() => true, () => false)) await new Promise((r) => setTimeout(r, 20));
  };
  const sources = await falling(mortal, "drawn", picture, kill);
  assert.deepEqual(sources.filter((each) => !each.startsWith("stream")), [
    "server", "local", "unreachable", "fallback", "unreachable", "NumenError unreachable",
  ]);
});
