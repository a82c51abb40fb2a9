// How the client is built: from here into src/numen/client, which is committed and shipped in the
// wheel beside the engine, so that a page needs no other host and installing needs no Node.
import { resolve } from "node:path";
import { defineConfig } from "vite";
import { seal } from "./seal.ts";

export default defineConfig({
  build: {
    outDir: "../../src/numen/client",
    emptyOutDir: false, // the engine lies there too,
    target: "es2022",
    minify: true,
    lib: {
      entry: { numen: resolve("src/numen.ts"), local: resolve("src/local.ts") },
      formats: ["es"],
    },
    rollupOptions: {
      external: ["onnxruntime-web/wasm"],
      output: { chunkFileNames: "shared.js", entryFileNames: "[name].js" },
    },
  },
  plugins: [seal()],
});
