// The proof that the built page is fresh: build.json holds one digest over all sources and one of
// every file built. tests/console/test_fresh.py computes both again, without Node.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin, ResolvedConfig } from "vite";

const LEFT_OUT = new Set(["node_modules", "__pycache__", "build.json"]);

/** All files below a folder, as sorted paths relative to it with forward slashes. */
function filesBelow(folder: string, prefix = ""): string[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true })
    .filter((entry) => !LEFT_OUT.has(entry.name))
    .flatMap((entry) => {
      const path = prefix + entry.name;
      return entry.isDirectory() ? filesBelow(folder, `${path}/`) : [path];
    })
    .sort();
}

function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

function digests(folder: string): [path: string, digest: string][] {
  return filesBelow(folder).map((path) => [path, sha256(readFileSync(join(folder, path)))]);
}

export function seal(): Plugin {
  let config: ResolvedConfig;
  return {
    name: "seal",
    apply: "build",
    configResolved(resolved) {
      config = resolved;
    },
    closeBundle() {
      const output = join(config.root, config.build.outDir);
      const source = digests(config.root).map(([path, digest]) => `${digest}  ${path}\n`);
      const record = { source: sha256(source.join("")), files: Object.fromEntries(digests(output)) };
      writeFileSync(join(output, "build.json"), `${JSON.stringify(record, null, 2)}\n`);
    },
  };
}
