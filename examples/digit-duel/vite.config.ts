// How the game is built: from here into src/numen/play/pages, which is committed, so that installing
// numen needs no Node. The client is not built in: it is the one that every numen server serves. In
// development, calls go on to a numen server on port 8000.
import { resolve } from "node:path";
import { defineConfig } from "vite";
import { seal } from "./seal.ts";

const server = process.env.NUMEN_URL ?? "http://127.0.0.1:8000";
const client = (name: string) => resolve("../../clients/js/src", name);

export default defineConfig(({ command }) => ({
  base: "./",
  build: {
    outDir: "../../src/numen/play/pages/digit-duel",
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    target: "es2022",
    rollupOptions: {
      external: ["numen", "numen/local"],
      output: { paths: { numen: "../../../client/numen.js", "numen/local": "../../../client/local.js" } },
    },
  },
  plugins: [seal()],
  resolve: command === "build" ? {} : { alias: { "numen/local": client("local.ts"), numen: client("numen.ts") } },
  server: {
    proxy: {
      ...Object.fromEntries(["/api", "/v2", "/predict", "/client"].map((road) => [road, server])),
      "/ws": { target: server.replace(/^http/, "ws"), ws: true },
    },
  },
}));
