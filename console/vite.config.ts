// How the page is built: from here into src/numen/console, which is committed, so that installing
// numen needs no Node. In development, calls go on to a numen server (or the mock) on port 8080.
import { defineConfig } from "vite";
import { seal } from "./seal.ts";

const server = process.env.NUMEN_URL ?? "http://127.0.0.1:8080";
const roads = ["/api", "/v2", "/predict", "/docs", "/graphql", "/metrics"];

export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/numen/console",
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  plugins: [seal()],
  server: { proxy: Object.fromEntries(roads.map((road) => [road, server])) },
});
