import { a as e, c as t, d as n, f as r, l as i, m as a, p as o, s, t as c } from "./shared.js";
// src/local.ts
var l = .01, u = 8, d = 3;
async function f(e, t = "", n = {}) {
	let { bundle: i, read: o } = await (e instanceof c ? p(e, t) : m(new URL(e))), [s, l, u] = await Promise.all([
		o(i.model),
		i.golden ? o(i.golden) : null,
		_(n)
	]), d;
	try {
		d = await u.InferenceSession.create(s, { executionProviders: ["wasm"] });
	} catch (e) {
		throw new r("not_on_device", `model ${i.name} cannot be opened here: ${a(e).message}`, { cause: e });
	}
	let f = new y(i, d, u);
	return l && await f.rehearse(JSON.parse(new TextDecoder().decode(l))), f;
}
async function p(e, t) {
	return {
		bundle: await e.bundle(t),
		read: async (n) => g(n, await e.file(t, n.url))
	};
}
async function m(e) {
	return {
		bundle: JSON.parse(new TextDecoder().decode(await h(e))),
		read: async (t) => g(t, await h(new URL(t.url, e)))
	};
}
async function h(e) {
	if (e.protocol === "file:") {
		let { readFile: t } = await import(
			/* @vite-ignore */
			"node:fs/promises"
);
		return new Uint8Array(await t(e));
	}
	let t = await fetch(e).catch((t) => {
		throw new r("unreachable", `nobody answers at ${e.origin}`, { cause: t });
	});
	if (!t.ok) throw new r("not_found", `${e.href} answers with status ${t.status}`, { status: t.status });
	return new Uint8Array(await t.arrayBuffer());
}
async function g({ url: e, sha256: t }, n) {
	if (!globalThis.crypto?.subtle) return n;
	let i = new Uint8Array(await crypto.subtle.digest("SHA-256", n)), a = Array.from(i, (e) => e.toString(16).padStart(2, "0")).join("");
	if (a !== t) throw new r("corrupt_bundle", `${e}: expected SHA-256 ${t}, received ${a}`);
	return n;
}
async function _({ ort: e, wasm: t }) {
	let n, i = t === void 0 ? void 0 : String(t);
	if (typeof e == "object") n = e;
	else if (e) n = await import(
		/* @vite-ignore */
		e
);
	else try {
		n = await import("onnxruntime-web/wasm");
	} catch {
		let e = (e) => new URL(e, import.meta.url).href;
		n = await import(
			/* @vite-ignore */
			e("ort.mjs")
).catch((e) => {
			throw new r("not_on_device", "onnxruntime-web is not here", {
				hint: "npm install onnxruntime-web",
				cause: e
			});
		}), i ??= e("ort.wasm");
	}
	return n.env.wasm.numThreads = 1, n.env.logLevel = "error", i?.startsWith("file:") ? n.env.wasm.wasmBinary = await v(new URL(i)) : i !== void 0 && (n.env.wasm.wasmPaths = { wasm: i }), n;
}
async function v(e) {
	try {
		return (await h(e)).buffer;
	} catch {
		let t = new Blob([await h(new URL(`${e.href}.gz`))]).stream();
		return new Response(t.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
	}
}
var y = class {
	bundle;
	difference = null;
	session;
	ort;
	times = [];
	last = Promise.resolve();
	constructor(e, t, n) {
		this.bundle = e, this.session = t, this.ort = n;
	}
	get name() {
		return this.bundle.name;
	}
	get version() {
		return this.bundle.version;
	}
	get expectedMs() {
		return Math.max(0, ...this.times);
	}
	async predict(n, { top: r } = {}) {
		let i = performance.now(), a = await this.run(await e(this.bundle, await t(n))), o = s(this.bundle, a, r);
		return this.took(performance.now() - i), o;
	}
	async infer(e) {
		let t = performance.now(), n = await this.run(e);
		return this.took(performance.now() - t), {
			model: this.name,
			version: this.version,
			outputs: n
		};
	}
	async rehearse(e) {
		let t = Object.fromEntries(Object.entries(e.inputs).map(([e, t]) => [e, b(t)])), n = await this.run(t);
		if (this.difference = S(e.outputs, n), !(this.difference <= l)) throw new r("not_on_device", `model ${this.name} answers otherwise here: its recorded samples differ by ${this.difference}`);
		let i = Object.fromEntries(Object.entries(t).map(([e, t]) => [e, x(t)]));
		for (let e = 0; e < d; e++) await this.infer(i).catch(() => void 0);
		return this.times.splice(0, this.times.length - 1), this.difference;
	}
	async close() {
		await this.session.release();
	}
	took(e) {
		this.times.push(e), this.times.length > u && this.times.shift();
	}
	run(e) {
		let t = this.last.then(() => this.compute(e));
		return this.last = t.catch(() => void 0), t;
	}
	async compute(e) {
		let t = {};
		for (let [n, { data: r, shape: i, dtype: a }] of Object.entries(this.complete(e))) t[n] = new this.ort.Tensor(a, r, i);
		let n = await this.session.run(t), r = {};
		for (let { name: e } of this.bundle.signature.outputs) {
			let { data: t, dims: a, type: o } = n[e];
			r[e] = new i(t, a, o);
		}
		return r;
	}
	complete(e) {
		let t = {};
		for (let { name: n, dtype: r, shape: i } of this.bundle.signature.inputs) {
			let a = e[n];
			if (!a) throw o(`input "${n}" is missing`, n);
			let s = i.length === a.shape.length && i.every((e, t) => e === null || e === a.shape[t]);
			if (a.dtype !== r || !s) throw o(`input "${n}": expected ${r}[${i.map((e) => e ?? "?").join(", ")}], received ${a.dtype}[${a.shape.join(", ")}]`, n);
			t[n] = a;
		}
		return t;
	}
};
function b({ dtype: e, shape: t, data: r }) {
	if (e === "string") return new i(r, t, e);
	if (e === "int64" || e === "uint64") {
		let n = r.map((e) => BigInt(e));
		return new i(e === "int64" ? BigInt64Array.from(n) : BigUint64Array.from(n), t, e);
	}
	return new i(n(r.map((e) => e === null ? NaN : Number(e)), e), t, e);
}
function x({ data: e, shape: t, dtype: n }) {
	return new i(e.slice(0, e.length / t[0]), [1, ...t.slice(1)], n);
}
function S(e, t) {
	let n = 0;
	for (let [r, i] of Object.entries(e)) {
		let [e, a] = [b(i).data, t[r].data];
		for (let t = 0; t < e.length; t++) {
			let [r, i] = [e[t], a[t]];
			r === i || r !== r && i !== i || (n = Math.max(n, typeof r == "string" ? 1e400 : Math.abs(Number(r) - Number(i))));
		}
		if (e.length !== a.length) return 1e400;
	}
	return Number.isNaN(n) ? 1e400 : n;
}
export { y as Local, c as Numen, r as NumenError, i as Tensor, S as differs, f as local, b as played };
