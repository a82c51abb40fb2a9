// No module of the page imports another that imports it back, however far the way.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect, it } from "vitest";

const sources = ["src", "../clients/js/src"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.tsx?$/.test(path))
    .map((path) => resolve(folder, path)),
);

function imports(path: string): string[] {
  const named = [...readFileSync(path, "utf8").matchAll(/from "(\.[^"]+)"/g)].map(([, name]) => name!);
  const found = named.flatMap((name) => [".ts", ".tsx"].map((end) => join(dirname(path), name + end)));
  return found.filter((one) => existsSync(one));
}

it("has no circle", () => {
  const done = new Set<string>();
  const visit = (path: string, way: string[]): void => {
    expect(way.slice(way.indexOf(path)), "a circle").toSatisfy(() => !way.includes(path));
    if (done.has(path)) return;
    for (const next of imports(path)) visit(next, [...way, path]);
    done.add(path);
  };
  sources.forEach((path) => visit(path, []));
  expect(done.size).toBe(sources.length);
});
