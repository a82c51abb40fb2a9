// Puts the engine beside the built client: onnxruntime-web for one thread, its WebAssembly packed.
// Run by hand after another version was installed, since the files are large and committed.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const from = new URL("node_modules/onnxruntime-web/dist/", import.meta.url);
const to = new URL("../../src/numen/client/", import.meta.url);
copyFileSync(new URL("ort.wasm.bundle.min.mjs", from), new URL("ort.mjs", to));
writeFileSync(new URL("ort.wasm.gz", to), gzipSync(readFileSync(new URL("ort-wasm-simd-threaded.wasm", from)), { level: 9 }));
