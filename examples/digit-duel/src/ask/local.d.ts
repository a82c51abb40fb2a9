// What the game uses of the client's other half. Its own types name onnxruntime-web's, which is not
// installed here: the server serves it.
declare module "numen/local" {
  import type { LocalModel, Numen } from "numen";

  export function local(from: Numen, model: string): Promise<LocalModel & { version: string }>;
}
