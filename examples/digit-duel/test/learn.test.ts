import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { learn, type Step } from "../src/learn/learn";
import { Control } from "../src/learn/server";

const pixels = [[0, 255]];
let server: Server | undefined;
afterEach(() => server?.close());

/** A server that says what it is told to, one answer a route, and remembers what it was asked. */
async function saying(answers: Record<string, (asked: never, before: number) => unknown>) {
  const asked: { road: string; body: Record<string, unknown>; key: string }[] = [];
  server = createServer(async (request: IncomingMessage, reply) => {
    const road = `${request.method} ${request.url}`;
    let text = "";
    for await (const part of request) text += part;
    const body = text ? JSON.parse(text) : {};
    const before = asked.filter((one) => one.road === road).length;
    asked.push({ road, body, key: request.headers.authorization ?? "" });
    const said = answers[road]?.(body as never, before);
    reply.writeHead(said === undefined ? 404 : 200, { "content-type": "application/json" });
    reply.end(JSON.stringify(said ?? { error: `nothing at ${road}`, hint: "look" }));
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { control: new Control(`http://127.0.0.1:${port}`, fetch, "nm_key"), asked };
}

const compared = (first: number, second: number) => ({
  rows: 4,
  metrics: { accuracy: first },
  against: { metrics: { accuracy: second } },
  comparison: { differences: [{ metric: "loss", better: "first" }, { metric: "accuracy", better: "second" }] },
});

describe("learning from corrections", () => {
  it("keeps them, trains on the new version, compares on both, and promotes only when told", async () => {
    const { control, asked } = await saying({
      "GET /api/models/duel": () => ({ version: "2", versions: ["1", "2"], dataset: "digits" }),
      "GET /api/datasets": () => ({ datasets: [{ name: "digits", version: 4 }] }),
      "POST /api/datasets/digits/rows": () => ({ name: "digits", version: 5, added: 1 }),
      "POST /api/jobs": () => ({ id: "abc", state: "queued", result: null, error: null }),
      "GET /api/jobs/abc": (_, before) => ({ id: "abc", state: before ? "finished" : "running", result: { version: 3 }, error: null }),
      "POST /api/models/duel/evaluate": ({ since }: { since?: number }) => (since ? compared(1, 0.25) : compared(0.9, 0.95)),
      "PUT /api/models/duel/aliases/champion": () => ({}),
    });
    const steps: Step[] = [];
    let kept = 0;
    await learn(control, "duel", [{ pixels, label: "7", read: "1" }], (step) => steps.push(step), () => kept++);
    expect(steps.map(({ name }) => name)).toEqual(["keeping", "training", "comparing", "learnt"]);
    expect(steps.at(-1)).toMatchObject({ kept: "digits@5", old: "2", fresh: "3", better: "second" });
    expect(kept).toBe(1);
    const [rows] = asked.filter(({ road }) => road.endsWith("/rows"));
    expect(rows!.body).toMatchObject({ rows: [{ value: pixels, label: "7" }], base: 4 });
    expect(asked.find(({ road }) => road === "POST /api/jobs")!.body).toMatchObject({ name: "duel", data: "digits@5", body: "duel@1" });
    expect(asked.every(({ key }) => key === "Bearer nm_key")).toBe(true);
    expect(asked.some(({ road }) => road.startsWith("PUT"))).toBe(false);
    await control.promote("duel", "3");
    expect(asked.at(-1)).toMatchObject({ road: "PUT /api/models/duel/aliases/champion", body: { version: 3 } });
  });

  it("says what the server refused, and keeps the corrections it could not send", async () => {
    const { control } = await saying({
      "GET /api/models/duel": () => ({ version: "1", versions: ["1"], dataset: "digits" }),
      "GET /api/datasets": () => ({ datasets: [{ name: "digits", version: 1 }] }),
    });
    let kept = 0;
    const learning = learn(control, "duel", [{ pixels, label: "7", read: "1" }], () => {}, () => kept++);
    await expect(learning).rejects.toMatchObject({ message: "nothing at POST /api/datasets/digits/rows", hint: "look" });
    expect(kept).toBe(0);
  });

  it("fails with a training that failed", async () => {
    const { control } = await saying({
      "GET /api/models/duel": () => ({ version: "1", versions: ["1"], dataset: "digits" }),
      "GET /api/datasets": () => ({ datasets: [{ name: "digits", version: 1 }] }),
      "POST /api/datasets/digits/rows": () => ({ name: "digits", version: 2, added: 1 }),
      "POST /api/jobs": () => ({ id: "abc", state: "failed", result: null, error: { error: "no room", hint: "make some" } }),
    });
    const learning = learn(control, "duel", [{ pixels, label: "7", read: "1" }], () => {}, () => {});
    await expect(learning).rejects.toMatchObject({ message: "no room", hint: "make some" });
  });
});
