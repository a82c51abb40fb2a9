import { d as e, f as t, l as n, m as r, o as i, p as a, r as o, s, t as c } from "./shared.js";
// src/local.ts
var l = .01, u = 8, d = 3;
async function f(e, n = "", i = {}) {
	let { bundle: a, read: o } = await (e instanceof c ? p(e, n) : m(new URL(e))), [s, l, u] = await Promise.all([
		o(a.model),
		a.golden ? o(a.golden) : null,
		_(i)
	]), d;
	try {
		d = await u.InferenceSession.create(s, { executionProviders: ["wasm"] });
	} catch (e) {
		throw new t("not_on_device", `model ${a.name} cannot be opened here: ${r(e).message}`, { cause: e });
	}
	let f = new C(a, d, u);
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
	let n = await fetch(e).catch((n) => {
		throw new t("unreachable", `nobody answers at ${e.origin}`, { cause: n });
	});
	if (!n.ok) throw new t("not_found", `${e.href} answers with status ${n.status}`, { status: n.status });
	return new Uint8Array(await n.arrayBuffer());
}
async function g({ url: e, sha256: n }, r) {
	if (!globalThis.crypto?.subtle) return r;
	let i = new Uint8Array(await crypto.subtle.digest("SHA-256", r)), a = Array.from(i, (e) => e.toString(16).padStart(2, "0")).join("");
	if (a !== n) throw new t("corrupt_bundle", `${e}: expected SHA-256 ${n}, received ${a}`);
	return r;
}
async function _({ ort: e, wasm: n }) {
	let r, i = n === void 0 ? void 0 : String(n);
	if (typeof e == "object") r = e;
	else if (e) r = await import(
		/* @vite-ignore */
		e
);
	else try {
		r = await import("onnxruntime-web/wasm");
	} catch {
		let e = (e) => new URL(e, import.meta.url).href;
		r = await import(
			/* @vite-ignore */
			e("ort.mjs")
).catch((e) => {
			throw new t("not_on_device", "onnxruntime-web is not here", {
				hint: "npm install onnxruntime-web",
				cause: e
			});
		}), i ??= e("ort.wasm");
	}
	return r.env.wasm.numThreads = 1, r.env.logLevel = "error", i?.startsWith("file:") ? r.env.wasm.wasmBinary = await v(new URL(i)) : i !== void 0 && (r.env.wasm.wasmPaths = { wasm: i }), r;
}
async function v(e) {
	try {
		return (await h(e)).buffer;
	} catch {
		let t = new Blob([await h(new URL(`${e.href}.gz`))]).stream();
		return new Response(t.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
	}
}
async function y(e, n = {}) {
	let { bundle: r, read: i } = await m(new URL(e));
	if (!r.golden) throw new t("not_found", `model ${r.name} has no recorded samples`);
	let a = await f(e, "", n), o = JSON.parse(new TextDecoder().decode(await i(r.golden))), { outputs: s } = await a.infer(x(o)), { common: c, web: l } = (await _(n)).env.versions;
	return {
		runtime: `onnxruntime-web ${l ?? c}`,
		outputs: b(s, S)
	};
}
function b(e, t) {
	return Object.fromEntries(Object.entries(e).map(([e, n]) => [e, t(n)]));
}
var x = (e) => b(e.inputs, w);
function S({ data: e, shape: t, dtype: n }) {
	let r = (e) => {
		if (typeof e == "string") return e;
		let t = Number(e);
		return Number.isNaN(t) ? null : Number.isFinite(t) && Math.abs(t) <= 2 ** 53 - 1 ? t : String(e);
	};
	return {
		dtype: n,
		shape: [...t],
		data: Array.from(e, r)
	};
}
var C = class {
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
	async predict(e, { top: t } = {}) {
		let n = performance.now(), r = await this.run(await o(this.bundle, await s(e))), a = i(this.bundle, r, t);
		return this.took(performance.now() - n), a;
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
		let n = x(e), r = await this.run(n);
		if (this.difference = E(e.outputs, r), !(this.difference <= l)) throw new t("not_on_device", `model ${this.name} answers otherwise here: its recorded samples differ by ${this.difference}`);
		let i = b(n, T);
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
		let r = await this.session.run(t), i = {};
		for (let { name: e } of this.bundle.signature.outputs) {
			let { data: t, dims: a, type: o } = r[e];
			i[e] = new n(t, a, o);
		}
		return i;
	}
	complete(e) {
		let t = {};
		for (let { name: n, dtype: r, shape: i } of this.bundle.signature.inputs) {
			let o = e[n];
			if (!o) throw a(`input "${n}" is missing`, n);
			let s = i.length === o.shape.length && i.every((e, t) => e === null || e === o.shape[t]);
			if (o.dtype !== r || !s) throw a(`input "${n}": expected ${r}[${i.map((e) => e ?? "?").join(", ")}], received ${o.dtype}[${o.shape.join(", ")}]`, n);
			t[n] = o;
		}
		return t;
	}
};
function w({ dtype: t, shape: r, data: i }) {
	if (t === "string") return new n(i, r, t);
	if (t === "int64" || t === "uint64") {
		let e = i.map((e) => BigInt(e));
		return new n(t === "int64" ? BigInt64Array.from(e) : BigUint64Array.from(e), r, t);
	}
	return new n(e(i.map((e) => e === null ? NaN : Number(e)), t), r, t);
}
function T({ data: e, shape: t, dtype: r }) {
	return new n(e.slice(0, e.length / t[0]), [1, ...t.slice(1)], r);
}
function E(e, t) {
	let n = 0;
	for (let [r, i] of Object.entries(e)) {
		let [e, a] = [w(i).data, t[r].data];
		for (let t = 0; t < e.length; t++) {
			let [r, i] = [e[t], a[t]];
			r === i || r !== r && i !== i || (n = Math.max(n, typeof r == "string" ? Infinity : Math.abs(Number(r) - Number(i))));
		}
		if (e.length !== a.length) return Infinity;
	}
	return Number.isNaN(n) ? Infinity : n;
}
export { C as Local, c as Numen, t as NumenError, n as Tensor, E as differs, f as local, w as played, o as prepared, y as replayed, s as told };
