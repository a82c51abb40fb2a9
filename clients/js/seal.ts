// The proof that the built client is fresh: build.json holds one digest over all sources and one of
// every file built. tests/clients/test_javascript_built.py computes both again, without Node.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin, ResolvedConfig } from "vite";

const SOURCES = ["src", "package.json", "package-lock.json", "vite.config.ts", "tsconfig.json", "engine.mjs"];

/** A file's path, or those of all files below a folder, sorted, with forward slashes. */
function below(root: string, path: string): string[] {
  const entries = path.includes(".") ? null : readdirSync(join(root, path)).sort();
  return entries ? entries.flatMap((name) => below(root, `${path}/${name}`)) : [path];
}

const sha256 = (content: string | Buffer): string => createHash("sha256").update(content).digest("hex");

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
      const line = (root: string) => (path: string) => [path, sha256(readFileSync(join(root, path)))] as const;
      const source = SOURCES.flatMap((path) => below(config.root, path)).map(line(config.root));
      const built = readdirSync(output).filter((name) => name !== "build.json" && name !== "__pycache__").sort();
      const listing = source.map(([path, digest]) => `${digest}  ${path}\n`).join("");
      const record = { source: sha256(listing), files: Object.fromEntries(built.map(line(output))) };
      writeFileSync(join(output, "build.json"), `${JSON.stringify(record, null, 2)}\n`);
    },
  };
}
