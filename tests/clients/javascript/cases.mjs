// What holds in Node as in a browser: the device answers as the server does.
import { Numen, tensor } from "numen";
import { local } from "numen/local";

const TOLERANCE = 1e-5;

/** Bytes of `{ file }`, anything else as it is. */
export function given(input) {
  return input?.file ? Uint8Array.from(atob(input.file), (letter) => letter.charCodeAt(0)) : input;
}

/** Where two answers differ, of numbers by more than the tolerance; null where nowhere. */
export function differs(a, b, at = "answer") {
  if (typeof a === "number" && typeof b === "number") {
    const away = Math.abs(a - b) / Math.max(1, Math.abs(a));
    return away <= TOLERANCE ? null : `${at}: ${a} and ${b}`;
  }
  if (typeof a !== "object" || a === null || b === null) return a === b ? null : `${at}: ${a} and ${b}`;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const name of names) {
    const found = differs(a[name], b[name], `${at}.${name}`);
    if (found) return found;
  }
  return null;
}

/** Asks server and device the same; returns what differs, and the samples' differences by model. */
export async function parity(url, asks) {
  const numen = new Numen(url);
  const wrong = [];
  const certified = {};
  for (const { model, inputs } of asks) {
    const device = await local(numen, model);
    certified[model] = await samples(numen, model, device);
    for (const [place, input] of inputs.entries()) {
      const { source, ms, ...server } = await numen.predict(model, given(input), { top: 99 });
      if (source !== "server") wrong.push(`${model} ${place}: answered by ${source}`);
      const found = differs(server, await device.predict(given(input), { top: 99 }), `${model} ${place}`);
      if (found) wrong.push(found);
    }
    await device.close();
  }
  return { wrong, certified };
}

/** The largest difference between server and device on the recorded inputs. */
async function samples(numen, model, device) {
  const bundle = await numen.bundle(model);
  const golden = JSON.parse(new TextDecoder().decode(await numen.file(model, bundle.golden.url)));
  const inputs = Object.fromEntries(
    Object.entries(golden.inputs).map(([name, { data, shape, dtype }]) => {
      const values = dtype === "string" ? data : data.map((value) => value ?? NaN);
      return [name, tensor(values, shape, dtype)];
    }),
  );
  const [there, here] = [await numen.infer(model, inputs), await device.infer(inputs)];
  let most = 0;
  for (const [name, { data }] of Object.entries(there.outputs)) {
    data.forEach((value, at) => {
      const other = here.outputs[name].data[at];
      const away = Math.abs(Number(value) - Number(other)) / Math.max(1, Math.abs(Number(value)));
      if (value !== other && !(Number.isNaN(value) && Number.isNaN(other))) most = Math.max(most, away);
    });
  }
  return most;
}

/** Server, then local, then fallback, as things fail: `kill` ends the server. */
export async function falling(url, model, picture, kill) {
  const numen = new Numen(url);
  const ask = (options) => numen.predict(model, picture, options);
  const sources = [];
  sources.push((await ask({ deadlineMs: 10_000 })).source);
  numen.attach(await local(numen, model));
  const stream = globalThis.WebSocket && numen.stream(model, { latest: true });
  if (stream) sources.push(`stream ${(await stream.predict(picture, { deadlineMs: 10_000 })).source}`);
  await kill();
  // Not when the deadline is near, nor when it is tried to open the connection again: at once.
  for (let asked = 0; stream && asked < 3; asked++) {
    const { source, ms } = await stream.predict(picture, { deadlineMs: 60_000 });
    sources.push(`stream ${ms < 20_000 ? source : `${source} after ${ms} ms`}`);
  }
  stream?.close();
  const answer = await ask({ deadlineMs: 10_000, fallback: { label: "?" } });
  sources.push(answer.source, answer.error.code);
  numen.detach(model);
  const last = await ask({ deadlineMs: 10_000, fallback: (error) => ({ label: error.code }) });
  sources.push(last.source, last.label);
  sources.push(await ask({ deadlineMs: 10_000 }).catch((error) => `${error.name} ${error.code}`));
  return sources;
}

/** A server that takes every question and answers none. */
export async function stalled(silent, device, picture) {
  const numen = new Numen(silent);
  const ask = (options) => numen.predict(device.name, picture, { deadlineMs: 1_500, ...options });
  const alone = await ask({ fallback: { label: "?" } });
  const refused = await ask({}).catch((error) => error);
  // It says that it takes long, so that a busy machine is in time.
  numen.attach({ name: device.name, expectedMs: 600, predict: (...given) => device.predict(...given) });
  const helped = await ask({ fallback: { label: "?" } });
  return { alone, refused, helped };
}
