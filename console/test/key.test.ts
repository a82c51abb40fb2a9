import { afterEach, describe, expect, it, vi } from "vitest";
import { credential, rememberKey } from "../src/api/key";
import { listModels, Refused } from "../src/api/server";

/** A server that answers as it is told, and what it was asked with. */
function serve(status: number, body: unknown) {
  const asked: Record<string, string>[] = [];
  vi.stubGlobal("document", { baseURI: "http://numen.test/" });
  vi.stubGlobal("fetch", async (_url: string, init: RequestInit) => {
    asked.push({ ...(init.headers as Record<string, string>) });
    return new Response(JSON.stringify(body), { status });
  });
  return asked;
}

afterEach(() => {
  rememberKey("");
  vi.unstubAllGlobals();
});

describe("the key", () => {
  it("goes with every call once it is given, and with none before", async () => {
    const asked = serve(200, { models: [] });
    await listModels();
    rememberKey("nm_a");
    await listModels();
    rememberKey("");
    await listModels();
    expect(asked).toEqual([{}, { Authorization: "Bearer nm_a" }, {}]);
  });

  it("is kept in the tab's storage where there is one", () => {
    const kept = new Map<string, string>();
    vi.stubGlobal("sessionStorage", {
      setItem: (name: string, value: string) => kept.set(name, value),
      removeItem: (name: string) => kept.delete(name),
    });
    rememberKey("nm_a");
    expect([...kept]).toEqual([["numen-key", "nm_a"]]);
    rememberKey("");
    expect(kept.size).toBe(0);
    expect(credential()).toEqual({});
  });

  it("is asked for where it is not known, and not where it does not go that far", async () => {
    for (const [status, unknown] of [[401, true], [403, false], [404, false]] as const) {
      serve(status, { error: "no", code: "x" });
      const error = await listModels().catch((error: unknown) => error);
      expect(error).toBeInstanceOf(Refused);
      expect((error as Refused).unknown).toBe(unknown);
    }
  });
});
