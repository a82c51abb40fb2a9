export { t as Numen, f as NumenError, i as Stream, l as Tensor, n as areTensors, r as asExplained, o as centre, u as tensor } from "./shared.js";
