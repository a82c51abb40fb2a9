export { t as Numen, f as NumenError, n as Stream, l as Tensor, i as centre, a as centred, c as pixelsOf, u as tensor } from "./shared.js";
