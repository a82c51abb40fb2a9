import { afterEach, describe, expect, it, vi } from "vitest";
import { followJob, parse, type JobEvent } from "../src/api/jobs";
import { path, range, seriesOf } from "../src/jobs/curve";

function epoch(number: number, metrics: Record<string, number | null>): JobEvent {
  return { kind: "epoch", at: 0, epoch: number, epochs: 3, metrics };
}

afterEach(() => vi.unstubAllGlobals());

describe("a curve", () => {
  it("is of the metrics that end so, and of the last time an epoch was done", () => {
    const events = [
      epoch(1, { loss: 4, val_loss: 5, accuracy: 0.1 }),
      epoch(2, { loss: 3, val_loss: null, accuracy: 0.2 }),
      epoch(3, { loss: 9, accuracy: 0.3 }),
      epoch(2, { loss: 2, accuracy: 0.4 }),
    ];
    const series = seriesOf(events, "loss");
    expect(series).toEqual([
      { name: "loss", points: [[1, 4], [2, 2]] },
      { name: "val_loss", points: [[1, 5]] },
    ]);
    expect(range(series)).toEqual([2, 5]);
    expect(path(series[0]!, 3, [2, 4])).toBe("M0.0 0.0L160.0 120.0");
  });

  it("of one value has a height all the same", () => {
    const [low, high] = range([{ name: "loss", points: [[1, 2]] }]);
    expect(high).toBeGreaterThan(low);
  });
});

describe("what a job tells", () => {
  it("is read from lines, and where it ended is kept", () => {
    const seen: string[] = [];
    const text = 'retry: 2000\n\n: still here\n\nid: 7\ndata: {"kind":"note","at":1,"text":"a"}';
    expect(parse(text, (id) => seen.push(id))).toEqual([{ kind: "note", at: 1, text: "a" }]);
    expect(seen).toEqual(["7"]);
  });

  it("goes on after a cut where it was, until nothing will follow", async () => {
    vi.stubGlobal("document", { baseURI: "http://numen.test/" });
    const asked: string[] = [];
    const answers = [
      'id: 5\ndata: {"kind":"note","at":1,"text":"a"}\n\nid: 9\ndata: {"kind":"no',
      'id: 9\ndata: {"kind":"note","at":2,"text":"b"}\n\n',
    ];
    vi.stubGlobal("fetch", async (_url: string, init: { headers: Record<string, string> }) => {
      asked.push(init.headers["Last-Event-ID"]!);
      const text = answers.shift();
      return text ? new Response(text) : new Response(null, { status: 204 });
    });
    const told: string[] = [];
    const tell = (events: JobEvent[]) => told.push(...events.map(({ text }) => text!));
    await followJob("00000000", tell, new AbortController().signal);
    expect(told).toEqual(["a", "b"]);
    expect(asked).toEqual(["0", "5", "9"]);
  });
});
