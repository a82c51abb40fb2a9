import { afterEach, describe, expect, it, vi } from "vitest";
import { Newest } from "../src/ask/newest";
import { Wire } from "../src/ask/wire";

describe("the newest question", () => {
  it("waits while one is under way, and replaces what waited before", async () => {
    const asked: number[] = [];
    const done: (() => void)[] = [];
    const queue = new Newest<number>((question) => {
      asked.push(question);
      return new Promise((resolve) => done.push(resolve));
    });
    for (const question of [1, 2, 3]) queue.push(question);
    expect(asked).toEqual([1]);
    done.shift()!();
    await Promise.resolve();
    expect(asked).toEqual([1, 3]);
    queue.push(4);
    queue.drop();
    done.shift()!();
    await new Promise((resolve) => setTimeout(resolve));
    expect(asked).toEqual([1, 3]);
    queue.push(5);
    expect(asked).toEqual([1, 3, 5]);
  });
});

describe("the wire", () => {
  class Socket extends EventTarget {
    static readonly CLOSED = 3;
    closed = false;
    close() {
      this.closed = true;
      this.dispatchEvent(new Event("close"));
    }
  }
  afterEach(() => vi.unstubAllGlobals());

  it("closes what is open when it is cut, and lets nothing through until it is mended", async () => {
    vi.stubGlobal("WebSocket", Socket);
    const fetched = vi.fn(() => Promise.resolve(new Response("{}")));
    vi.stubGlobal("fetch", fetched);
    const wire = new Wire();
    const { webSocket } = wire;
    const before = new webSocket("ws://here") as unknown as Socket;
    wire.cut = true;
    expect(before.closed).toBe(true);
    await expect(wire.fetch("http://here")).rejects.toThrow("cut");
    const severed = new webSocket("ws://here");
    expect(severed).not.toBeInstanceOf(Socket);
    await new Promise<void>((resolve) => (severed.onclose = () => resolve()));
    expect(fetched).not.toHaveBeenCalled();
    wire.cut = false;
    expect(new webSocket("ws://here")).toBeInstanceOf(Socket);
    await wire.fetch("http://here");
    expect(fetched).toHaveBeenCalledOnce();
  });
});
