// What the package holds beside its sources: the built files, without the engine, which npm has.
import { copyFileSync, mkdirSync } from "node:fs";

const built = new URL("../../src/numen/client/", import.meta.url);
const dist = new URL("dist/", import.meta.url);
mkdirSync(dist, { recursive: true });
for (const name of ["numen.js", "local.js", "shared.js"]) copyFileSync(new URL(name, built), new URL(name, dist));
