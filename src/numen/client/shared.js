// src/errors.ts
var e = class extends Error {
	code;
	hint;
	field;
	status;
	constructor(e, t, { hint: n = "", field: r = "", status: i = 0, cause: a } = {}) {
		super(n ? `${t}; ${n}` : t, { cause: a }), this.name = "NumenError", this.code = e, this.hint = n, this.field = r, this.status = i;
	}
	get asked() {
		return [
			"invalid_input",
			"unsupported_media",
			"too_large",
			"not_on_device"
		].includes(this.code);
	}
}, t = (t, n = "", r = "") => new e("invalid_input", t, {
	field: n,
	hint: r
});
function n(t, n) {
	let r = (e) => typeof n[e] == "string" ? n[e] : "", i = r("error") || `the server answered with status ${t}`;
	return new e(r("code") || "unknown", i, {
		hint: r("hint"),
		field: r("field"),
		status: t
	});
}
function r(t, n = "internal") {
	return t instanceof e ? t : new e(n, t instanceof Error ? t.message : String(t), { cause: t });
}
// src/tensor.ts
var i = [
	[
		"FP32",
		"float32",
		Float32Array
	],
	[
		"FP64",
		"float64",
		Float64Array
	],
	[
		"INT8",
		"int8",
		Int8Array
	],
	[
		"UINT8",
		"uint8",
		Uint8Array
	],
	[
		"INT16",
		"int16",
		Int16Array
	],
	[
		"UINT16",
		"uint16",
		Uint16Array
	],
	[
		"INT32",
		"int32",
		Int32Array
	],
	[
		"UINT32",
		"uint32",
		Uint32Array
	],
	[
		"INT64",
		"int64",
		BigInt64Array
	],
	[
		"UINT64",
		"uint64",
		BigUint64Array
	],
	[
		"BOOL",
		"bool",
		Uint8Array
	]
], a = new Map(i.map(([e, t, n]) => [e, {
	dtype: t,
	make: n
}])), o = new Map(i.map(([e, t, n]) => [t, {
	datatype: e,
	make: n
}])), s = class {
	data;
	shape;
	dtype;
	constructor(e, n, r = u(e)) {
		let i = n.reduce((e, t) => e * t, 1);
		if (i !== e.length) throw t(`tensor: expected ${i} values for [${n.join(", ")}], received ${e.length}`);
		this.data = e, this.shape = n, this.dtype = r;
	}
};
function c(e, t, n) {
	return !Array.isArray(e) || typeof e[0] == "string" ? new s(e, t, n) : new s(l(e, n ?? "float32"), t, n ?? "float32");
}
function l(e, n) {
	let r = o.get(n);
	if (!r) throw t(`tensor: type ${n} is not known here`);
	let i = r.make, a = new i(e.length), s = a instanceof BigInt64Array || a instanceof BigUint64Array;
	for (let t = 0; t < e.length; t++) a[t] = s ? BigInt(e[t]) : e[t];
	return a;
}
function u(e) {
	if (Array.isArray(e)) return "string";
	for (let [, t, n] of i) if (e.constructor === n) return t;
	if (e.constructor === Uint8ClampedArray) return "uint8";
	throw t(`tensor: ${e.constructor.name} is no array of numbers or texts`);
}
function d(e, t, n) {
	let r = Object.values(e).map(p), i = Object.entries(e).map(([e, { shape: t, dtype: n }], i) => ({
		name: e,
		shape: t,
		datatype: n === "string" ? "BYTES" : o.get(n)?.datatype,
		parameters: { binary_data_size: r[i].byteLength }
	})), a = {
		...t,
		inputs: i,
		parameters: {
			binary_data_output: !0,
			...n
		}
	}, s = new TextEncoder().encode(JSON.stringify(a));
	return {
		head: s.byteLength,
		bytes: h([s, ...r])
	};
}
function f(e, t) {
	let n = {}, r = 0;
	for (let i of e.outputs) {
		let { name: e, datatype: o, shape: c } = i, u = o === "BYTES" ? "string" : a.get(o)?.dtype ?? "", d = i.parameters?.binary_data_size;
		if (d === void 0) {
			let t = i.data;
			n[e] = new s(u === "string" ? t : l(t, u), c, u);
			continue;
		}
		let f = t.slice(r, r + d).buffer;
		n[e] = new s(u === "string" ? m(f) : new (a.get(o)).make(f), c, u), r += d;
	}
	return n;
}
function p({ data: e }) {
	return Array.isArray(e) ? h(e.flatMap((e) => {
		let t = new TextEncoder().encode(e), n = /* @__PURE__ */ new Uint8Array(4);
		return new DataView(n.buffer).setUint32(0, t.length, !0), [n, t];
	})) : new Uint8Array(e.buffer, e.byteOffset, e.byteLength);
}
function m(e) {
	let t = new DataView(e), n = [];
	for (let r = 0; r < e.byteLength;) {
		let i = r + 4 + t.getUint32(r, !0);
		n.push(new TextDecoder().decode(e.slice(r + 4, i))), r = i;
	}
	return n;
}
function h(e) {
	let t = new Uint8Array(e.reduce((e, t) => e + t.byteLength, 0)), n = 0;
	for (let r of e) t.set(r, n), n += r.byteLength;
	return t;
}
// src/answer.ts
function g(e) {
	if (typeof e != "object" || !e || e instanceof s) return !1;
	let t = Object.values(e);
	return t.length > 0 && t.every((e) => e instanceof s);
}
function _(e, t) {
	let n = {};
	for (let [r, i] of Object.entries(e.outputs)) {
		if (!r.startsWith("attribution:")) continue;
		let a = r.slice(12);
		n[a] = e.outputs[`${t}:${a}`] ?? i;
	}
	return {
		...e,
		attributions: n
	};
}
// src/deadline.ts
var ee = 4, te = 3e4;
async function v(t, n, { deadlineMs: r, fallback: i, signal: a }) {
	let o = performance.now(), s = () => r === void 0 ? Infinity : r - (performance.now() - o), c = (e, t, n) => ({
		...e,
		source: t,
		ms: performance.now() - o,
		...n ? { error: n } : {}
	}), l = new AbortController();
	a?.addEventListener("abort", () => l.abort(a.reason), { once: !0 }), a?.aborted && l.abort(a.reason);
	let u = y(t(l.signal, r), "unreachable"), d = n ? s() - 2 * n.expectedMs - ee : s(), f = await b([u], Math.min(d, te));
	if (f && "value" in f) return c(f.value, "server");
	let p = f?.error ?? ne(r ?? 3e4);
	a?.aborted && (p = new e("cancelled", "the question was taken back", { cause: a.reason }));
	let m = !a?.aborted && p.code !== "cancelled";
	if (m && n && !p.asked && (i === void 0 || s() > n.expectedMs)) {
		let e = y(n.run(), "internal"), t = await b([e, u.then((t) => "value" in t ? { server: t.value } : e)], i === void 0 ? Infinity : s());
		if (t && "server" in t) return c(t.server, "server");
		if (l.abort(), t && "value" in t) return c(t.value, "local", p);
		t && (p = t.error.asked ? t.error : p);
	}
	if (l.abort(), i === void 0 || !m) throw p;
	return c(typeof i == "function" ? i(p) : i, "fallback", p);
}
async function y(e, t) {
	try {
		return { value: await e };
	} catch (e) {
		return { error: r(e, t) };
	}
}
async function b(e, t) {
	if (t === Infinity) return Promise.race(e);
	let n, r = new Promise((e) => {
		n = setTimeout(() => e(null), Math.max(0, t));
	});
	try {
		return await Promise.race([...e, r]);
	} finally {
		clearTimeout(n);
	}
}
var ne = (t) => new e("deadline_exceeded", `expected an answer within ${t} ms, received none`, { hint: "allow more time, or give a fallback" }), re = (e) => e instanceof Uint8Array || e instanceof Uint8ClampedArray;
function x(e) {
	if (typeof e != "object" || !e) return null;
	let { width: n, height: r, data: i } = e;
	if (re(i) && Number.isInteger(n) && Number.isInteger(r)) {
		let e = i.length / (n * r);
		if (e !== 1 && e !== 3 && e !== 4) throw t(`picture: expected 1, 3 or 4 bytes a pixel of ${n}x${r}, received ${i.length} bytes`);
		return {
			width: n,
			height: r,
			data: i,
			channels: e
		};
	}
	return ie(e);
}
function ie(e) {
	let t = ae(e);
	if (!t) return null;
	let { width: n, height: r } = t.canvas, { data: i } = t.getImageData(0, 0, n, r);
	return {
		width: n,
		height: r,
		data: i,
		channels: 4
	};
}
function ae(e) {
	let t = (t) => {
		let n = globalThis[t];
		return typeof n == "function" && e instanceof n;
	};
	if (t("HTMLCanvasElement") || t("OffscreenCanvas")) {
		let t = e.getContext("2d", { willReadFrequently: !0 });
		if (t) return t;
	} else if (![
		"HTMLImageElement",
		"HTMLVideoElement",
		"ImageBitmap",
		"VideoFrame"
	].some(t)) return null;
	let n = e.naturalWidth || e.videoWidth || Number(e.width), r = e.naturalHeight || e.videoHeight || Number(e.height), i = new OffscreenCanvas(n, r).getContext("2d");
	return i?.drawImage(e, 0, 0), i;
}
function oe(e) {
	let { width: t, height: n, data: r, channels: i } = e;
	if (i === 1) return e;
	let a = !0;
	for (let t = 0; t < r.length; t += i) {
		if (i === 4 && r[t + 3] !== 255) return e;
		a &&= r[t] === r[t + 1] && r[t] === r[t + 2];
	}
	let o = a ? 1 : 3;
	if (o === i) return e;
	let s = new Uint8Array(t * n * o);
	for (let e = 0, t = 0; e < r.length; e += i) for (let n = 0; n < o; n++) s[t++] = r[e + n];
	return {
		width: t,
		height: n,
		data: s,
		channels: o
	};
}
// src/png.ts
var S = [
	137,
	80,
	78,
	71,
	13,
	10,
	26,
	10
], se = {
	1: 0,
	3: 2,
	4: 6
}, ce = (e) => S.every((t, n) => e[n] === t);
async function le({ width: e, height: t, data: n, channels: r }) {
	let i = e * r, a = new Uint8Array((i + 1) * t);
	for (let e = 0; e < t; e++) a.set(n.subarray(e * i, (e + 1) * i), e * (i + 1) + 1);
	let o = /* @__PURE__ */ new Uint8Array(13), s = new DataView(o.buffer);
	s.setUint32(0, e), s.setUint32(4, t), o.set([
		8,
		se[r],
		0,
		0,
		0
	], 8);
	let c = await w(a, new CompressionStream("deflate"));
	return h([
		Uint8Array.from(S),
		C("IHDR", o),
		C("IDAT", c),
		C("IEND", /* @__PURE__ */ new Uint8Array())
	]);
}
function C(e, t) {
	let n = new Uint8Array(t.length + 12), r = new DataView(n.buffer);
	r.setUint32(0, t.length);
	for (let t = 0; t < 4; t++) n[4 + t] = e.charCodeAt(t);
	return n.set(t, 8), r.setUint32(8 + t.length, E(n.subarray(4, 8 + t.length))), n;
}
async function w(e, t) {
	let n = new Blob([e]).stream().pipeThrough(t);
	return new Uint8Array(await new Response(n).arrayBuffer());
}
var T;
function E(e) {
	T ??= Uint32Array.from({ length: 256 }, (e, t) => {
		let n = t;
		for (let e = 0; e < 8; e++) n = n & 1 ? n >>> 1 ^ 3988292384 : n >>> 1;
		return n;
	});
	let t = 4294967295;
	for (let n of e) t = T[(t ^ n) & 255] ^ t >>> 8;
	return (t ^ 4294967295) >>> 0;
}
var D = (t, n = "") => new e("invalid_input", `image: ${t}`, { hint: n });
async function ue(t) {
	let { head: n, palette: r, clear: i, packed: a } = de(t), o = {
		0: 1,
		2: 3,
		3: 1,
		4: 2,
		6: 4
	}[n.type];
	if (!o || n.bits > 8) throw new e("not_on_device", `image: expected a PNG of at most 8 bits a channel, received ${n.bits}`, { hint: "draw it on a canvas, and pass that" });
	return me(fe(await w(h(a), new DecompressionStream("deflate")).catch(() => {
		throw D("the PNG's pixels cannot be unpacked");
	}), n, o), n, r, i);
}
function de(t) {
	let n = new DataView(t.buffer, t.byteOffset, t.byteLength), r = null, i = /* @__PURE__ */ new Uint8Array(), a = null, o = [];
	for (let s = 8; s + 12 <= t.length;) {
		let c = n.getUint32(s), l = String.fromCharCode(...t.subarray(s + 4, s + 8)), u = t.subarray(s + 8, s + 8 + c);
		if (l === "IHDR") {
			if (u[12]) throw new e("not_on_device", "image: expected a PNG that is not interlaced");
			r = {
				width: n.getUint32(s + 8),
				height: n.getUint32(s + 12),
				bits: u[8],
				type: u[9]
			};
		} else if (l === "PLTE") i = u.slice();
		else if (l === "tRNS") a = u.slice();
		else if (l === "IDAT") o.push(u);
		else if (l === "IEND") break;
		s += c + 12;
	}
	if (!r || !o.length) throw D("expected a PNG, received one that is cut short");
	return {
		head: r,
		palette: i,
		clear: a,
		packed: o
	};
}
function fe(e, { width: t, height: n, bits: r }, i) {
	let a = Math.ceil(t * i * r / 8), o = Math.max(1, i * r >> 3);
	if (e.length < (a + 1) * n) throw D("expected a PNG, received one that is cut short");
	let s = new Uint8Array(t * n * i), c = new Uint8Array(a);
	for (let l = 0; l < n; l++) {
		let n = e[l * (a + 1)], u = e.slice(l * (a + 1) + 1, (l + 1) * (a + 1));
		for (let e = 0; e < a; e++) {
			let t = e < o ? 0 : u[e - o], r = e < o ? 0 : c[e - o];
			u[e] = u[e] + pe(n, t, c[e], r);
		}
		for (let e = 0; e < t * i; e++) {
			let n = 8 - r - (e * r & 7);
			s[l * t * i + e] = r === 8 ? u[e] : u[e * r >> 3] >> n & (1 << r) - 1;
		}
		c = u;
	}
	return s;
}
function pe(e, t, n, r) {
	if (e === 0) return 0;
	if (e === 1) return t;
	if (e === 2) return n;
	if (e === 3) return t + n >> 1;
	let [i, a, o] = [
		Math.abs(n - r),
		Math.abs(t - r),
		Math.abs(t + n - 2 * r)
	];
	return i <= a && i <= o ? t : a <= o ? n : r;
}
function me(e, { width: t, height: n, bits: r, type: i }, a, o) {
	let s = t * n, c = (1 << r) - 1;
	if (i === 2 && !o) return {
		width: t,
		height: n,
		data: e,
		channels: 3
	};
	if (i === 6) return {
		width: t,
		height: n,
		data: e,
		channels: 4
	};
	if (i === 0 && !o) return {
		width: t,
		height: n,
		data: e.map((e) => e * 255 / c),
		channels: 1
	};
	let l = new Uint8Array(s * 4);
	for (let t = 0; t < s; t++) {
		let n = e[t], r;
		if (i === 3) r = [...a.subarray(n * 3, n * 3 + 3), o?.[n] ?? 255];
		else if (i === 4) {
			let n = e[t * 2];
			r = [
				n,
				n,
				n,
				e[t * 2 + 1]
			];
		} else if (i === 0) {
			let e = n * 255 / c;
			r = [
				e,
				e,
				e,
				n === (o[0] << 8 | o[1]) ? 0 : 255
			];
		} else {
			let n = e.subarray(t * 3, t * 3 + 3);
			r = [...n, n.every((e, t) => e === o[t * 2 + 1]) ? 0 : 255];
		}
		l.set(r, t * 4);
	}
	return {
		width: t,
		height: n,
		data: l,
		channels: 4
	};
}
// src/input.ts
async function O(e) {
	if (typeof e == "string") return {
		kind: "text",
		text: e
	};
	if (e instanceof s) return {
		kind: "plain",
		value: he(e)
	};
	if (e instanceof Blob) return {
		kind: "file",
		bytes: new Uint8Array(await e.arrayBuffer())
	};
	if (e instanceof ArrayBuffer) return {
		kind: "file",
		bytes: new Uint8Array(e)
	};
	if (e instanceof Uint8Array) return {
		kind: "file",
		bytes: e
	};
	if (ArrayBuffer.isView(e)) return {
		kind: "plain",
		value: Array.from(e)
	};
	let n = x(e);
	if (n) return {
		kind: "pixels",
		pixels: oe(n)
	};
	if (typeof e != "object" || !e) throw t(`input: expected a picture, a sound, a text, named fields or numbers, received ${typeof e}`);
	return {
		kind: "plain",
		value: e
	};
}
function he({ data: e, shape: t }) {
	let n = Array.from(e, (e) => typeof e == "bigint" ? Number(e) : e);
	for (let e of t.slice(1).reverse()) n = Array.from({ length: n.length / e }, (t, r) => n.slice(r * e, (r + 1) * e));
	return n;
}
var ge = [
	[
		"image/png",
		1,
		"PNG"
	],
	[
		"image/jpeg",
		0,
		"ÿØ"
	],
	[
		"image/gif",
		0,
		"GIF8"
	],
	[
		"image/webp",
		8,
		"WEBP"
	],
	[
		"image/bmp",
		0,
		"BM"
	],
	[
		"audio/wav",
		8,
		"WAVE"
	]
];
async function k(e) {
	switch (e.kind) {
		case "pixels": return {
			type: "image/png",
			body: await le(e.pixels)
		};
		case "text": return {
			type: "application/json",
			body: JSON.stringify(e.text)
		};
		case "plain": return {
			type: "application/json",
			body: JSON.stringify(e.value)
		};
		case "file": {
			let { bytes: n } = e, r = (e, t) => [...t].every((t, r) => n[e + r] === t.charCodeAt(0)), i = ge.find(([, e, t]) => r(e, t))?.[0];
			if (!i) throw t("input: expected a PNG, JPEG, GIF, WebP, BMP or WAV file, received other bytes");
			return {
				type: i,
				body: n
			};
		}
	}
}
// src/describe.ts
var _e = .5, ve = 5;
function A(e, t, n = ve) {
	let r = {
		model: e.name,
		version: e.version
	}, i = ye(e, t, n);
	return i.length === 1 ? {
		...r,
		...i[0]
	} : {
		...r,
		rows: i
	};
}
function ye({ postprocess: e }, n, r) {
	if (!e) {
		let e = Object.entries(n).map(([e, t]) => [e, j(t)]);
		return e[0][1].map((t, n) => Object.fromEntries(e.map(([e, t]) => [e, t[n]])));
	}
	let i = n[e.output];
	if (!i) throw t(`expected an output "${e.output}"`);
	return j(i).map((t) => e.type === "classification" ? be(e, t, r) : Se(e, t));
}
function j({ data: e, shape: t }) {
	let n = Array.from(e, (e) => typeof e == "bigint" ? Number(e) : e), r = n.length / t[0];
	return Array.from({ length: t[0] }, (e, t) => n.slice(t * r, (t + 1) * r));
}
function be(e, t, n) {
	let { labels: r, several: i, conformal: a } = e, o = xe(e, t), s = r.map((e, t) => t).sort((e, t) => o[t] - o[e]);
	if (i) return {
		labels: s.filter((e) => o[e] >= _e).map((e) => r[e]),
		scores: Object.fromEntries(r.map((e, t) => [e, o[t]]))
	};
	let c = s.slice(0, n).map((e) => ({
		label: r[e],
		probability: o[e]
	})), l = {
		...c[0],
		top: c
	};
	return a && (l.set = s.filter((e, t) => t === 0 || o[e] >= a.threshold).map((e) => r[e])), l;
}
function xe({ activation: e, labels: t, several: n }, r) {
	if (e === "softmax") {
		let e = Math.max(...r), t = r.map((t) => Math.exp(t - e)), n = t.reduce((e, t) => e + t, 0);
		return t.map((e) => e / n);
	}
	let i = e === "sigmoid" ? r.map((e) => 1 / (1 + Math.exp(-e))) : r;
	return i.length === 1 && t.length === 2 && !n ? [1 - i[0], i[0]] : i;
}
function Se({ target: e, targets: t, conformal: n }, r) {
	if (t.length) return Object.fromEntries(t.map((e, t) => [e, r[t]]));
	if (r.length !== 1) return { [e]: r };
	let i = r[0];
	return {
		...n ? { interval: [i - n.threshold, i + n.threshold] } : {},
		[e]: i
	};
}
// src/centre.ts
var Ce = 20, we = 28, M = 8, Te = 64, N = (e, t, n) => e * 19595 + t * 38470 + n * 7471 + 32768 >> 16;
function Ee({ width: e, height: t, data: n, channels: r }) {
	let i = e * t, a = new Uint8Array(i);
	if (r === 4) {
		let e = !1;
		for (let t = 0; t < i; t++) a[t] = n[t * 4 + 3], e ||= a[t] !== 255;
		if (e) return a.map((e) => e < M ? 0 : e);
	}
	for (let e = 0; e < i; e++) {
		let t = e * r;
		a[e] = r === 1 ? n[e] : N(n[t], n[t + 1], n[t + 2]);
	}
	let o = De(a, e, t), s = o >= 128, c = s ? o : 255 - o, l = c === 255 ? M : Te, u = Uint8Array.from({ length: 256 }, (e, t) => {
		let n = s ? o - t : t - o, r = n <= 0 ? 0 : Math.floor((n * 510 + c) / (2 * c));
		return r < l ? 0 : r;
	});
	for (let e = 0; e < i; e++) a[e] = u[a[e]];
	return a;
}
function De(e, t, n) {
	let r = /* @__PURE__ */ new Uint32Array(256), i = 0;
	for (let a = 0; a < n; a++) {
		let o = a === 0 || a === n - 1 ? 1 : Math.max(1, t - 1);
		for (let n = 0; n < t; n += o, i++) r[e[a * t + n]]++;
	}
	let a = 0, o = 0;
	for (; (a += r[o]) < Math.ceil(i / 2);) o++;
	return o;
}
function Oe({ width: e, height: t, data: n }) {
	let r = e, i = -1, a = t, o = -1;
	for (let s = 0, c = 0; s < t; s++) for (let t = 0; t < e; t++, c++) n[c] && (t < r && (r = t), t > i && (i = t), s < a && (a = s), o = s);
	return i < 0 ? null : {
		left: r,
		top: a,
		width: i - r + 1,
		height: o - a + 1
	};
}
function ke(e, t, n, r) {
	let i = new Float64Array(t.height * n);
	for (let r = 0; r < t.height; r++) {
		let a = (t.top + r) * e.width + t.left;
		P(e.data, a, 1, t.width, i, r * n, 1, n);
	}
	let a = new Float64Array(n * r);
	for (let e = 0; e < n; e++) P(i, e, n, t.height, a, e, n, r);
	let o = t.width * t.height;
	return {
		width: n,
		height: r,
		data: Uint8ClampedArray.from(a, (e) => Math.floor((2 * e + o) / (2 * o)))
	};
}
function P(e, t, n, r, i, a, o, s) {
	for (let c = 0; c < s; c++) {
		let [l, u] = [c * r, (c + 1) * r], d = 0;
		for (let r = Math.floor(l / s); r * s < u; r++) {
			let i = Math.min((r + 1) * s, u) - Math.max(r * s, l);
			d += i * e[t + r * n];
		}
		i[a + c * o] = d;
	}
}
function F(e, t, n) {
	return I({
		width: e.width,
		height: e.height,
		data: Ee(e)
	}, t, n);
}
function I(e, t, n) {
	let r = Oe(e);
	if (!r) return null;
	let [i, a] = t * r.height <= n * r.width ? [t, r.width] : [n, r.height], o = (e) => Math.max(1, Math.floor((2 * e * i * Ce + we * a) / (56 * a))), s = ke(e, r, o(r.width), o(r.height)), { total: c, x: l, y: u } = Ae(s), d = L(t, s.width, c, l), f = L(n, s.height, c, u), p = new Uint8ClampedArray(t * n);
	for (let e = 0; e < s.height; e++) p.set(s.data.subarray(e * s.width, (e + 1) * s.width), (f + e) * t + d);
	let [m, h] = [r.width / s.width, r.height / s.height];
	return {
		width: t,
		height: n,
		data: p,
		shows: {
			left: r.left - d * m,
			top: r.top - f * h,
			width: t * m,
			height: n * h
		}
	};
}
function Ae({ width: e, height: t, data: n }) {
	let r = 0, i = 0, a = 0;
	for (let o = 0, s = 0; o < t; o++) for (let t = 0; t < e; t++, s++) r += n[s], i += n[s] * t, a += n[s] * o;
	return {
		total: r,
		x: i,
		y: a
	};
}
function L(e, t, n, r) {
	let i = n ? Math.floor((2 * (Math.floor(e / 2) * n - r) + n) / (2 * n)) : e - t >> 1;
	return Math.min(Math.max(i, 0), e - t);
}
// src/fields.ts
var je = /* @__PURE__ */ new Set([
	"",
	"NA",
	"N/A",
	"n/a",
	"#N/A",
	"NaN",
	"nan",
	"NULL",
	"null",
	"?"
]), Me = 34028234663852886e22, R = 86400, Ne = [
	"january",
	"february",
	"march",
	"april",
	"may",
	"june",
	"july",
	"august",
	"september",
	"october",
	"november",
	"december"
], Pe = /^(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})/, Fe = /^(?:(?<d>\d{1,2})[-. ]{1,2})?(?<m>[A-Za-z]{3,9})\.?[-, ]{1,2}(?:(?<e>\d{1,2}),?[- ])?(?<y>\d{4})/, Ie = /^(?:[Tt]|,? )(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?: ?([AaPp])[Mm])?(?: ?(?:(Z|z|UTC|GMT)|([+-])(\d{2}):?(\d{2})?))?$/, Le = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, Re = /[\p{L}\p{N}_]+/gu, z = (e) => typeof e == "object" && !!e && !Array.isArray(e), B = (e) => e.date ? 5 : e.words || 1;
function ze(e, n, r, i) {
	let a = Be(e), o = /* @__PURE__ */ new Set([...r, ...n.map(({ name: e }) => e)]);
	for (let e of a.keys()) if (!o.has(e)) throw t(`field "${e}" is unknown: expected ${n.map((e) => e.name).sort().join(", ")}`, e);
	let s = new Float32Array(n.reduce((e, t) => e + B(t), 0)).fill(NaN), c = 0;
	for (let e of n) {
		let n = Ve(e, a.get(e.name));
		if (n) s.set(n, c);
		else if (e.words) s.fill(0, c, c + e.words);
		else if (i) {
			let n = (e.categories ?? []).slice(0, 10).join(", ");
			throw t(`field "${e.name}": expected ${n ? `one of ${n}` : "a value"}, received ${JSON.stringify(a.get(e.name)) ?? "none"}`, e.name, "the model was trained on rows without gaps");
		}
		c += B(e);
	}
	return s;
}
function Be(e) {
	let t = /* @__PURE__ */ new Map();
	for (let [n, r] of Object.entries(e)) if (z(r)) for (let [e, i] of Object.entries(r)) t.set(`${n}.${e}`, i);
	else t.set(n, r);
	return t;
}
function Ve(e, t) {
	if (t == null || typeof t == "string" && je.has(t.trim())) return null;
	if (e.categories) {
		if (typeof t == "object") throw H(e, "a name", t);
		let n = e.categories.indexOf(He(t));
		return n < 0 ? null : [n];
	}
	if (e.words) {
		if (typeof t != "string") throw H(e, "text", t);
		return Ue(t, e.words);
	}
	if (e.date) {
		let n = typeof t == "string" ? Ke(t, e.date) : Ge(t);
		if (n === null) throw H(e, "a date such as 2024-01-31 or 2024-01-31T12:00:00Z", t);
		return We(n);
	}
	let n = Xe(t);
	if (n === null) throw H(e, "a finite number", t);
	return [n];
}
function He(e) {
	return typeof e == "string" ? e.trim() : typeof e == "number" ? Number.isInteger(e) ? BigInt(e).toString() : Math.abs(e) >= 1e-4 ? String(e) : e.toExponential().replace(/e([+-])(\d)$/, "e$10$2") : String(e);
}
function Ue(e, t) {
	let n = Array(t).fill(0);
	for (let r of e.toLowerCase().match(Re) ?? []) n[E(new TextEncoder().encode(r)) % t]++;
	return n.map((e) => Math.log1p(e));
}
function We(e) {
	let t = Math.floor(e / R), n = /* @__PURE__ */ new Date(t * R * 1e3);
	return [
		t,
		n.getUTCMonth() + 1,
		n.getUTCDate(),
		(n.getUTCDay() + 6) % 7,
		(e - t * R) / 3600
	];
}
function Ge(e) {
	if (typeof e != "number") return null;
	let t = Math.abs(e) > 1e11 ? e / 1e3 : e;
	return t > -6e10 && t < 25e10 ? t : null;
}
function Ke(e, t) {
	let n = e.trim(), r = Pe.exec(n), i = r ? null : Fe.exec(n), a = r ? qe(r, t) : i ? Je(i) : null;
	if (a === null) return null;
	let o = n.slice((r ?? i)[0].length), s = o ? Ye(o) : 0;
	return s === null ? null : a * R + s;
}
function qe([, e, t, n, r], i) {
	if (e.length === 4) return V(Number(e), Number(n), Number(r));
	if (i === "ymd" || e.length > 2 || ![2, 4].includes(r.length)) return null;
	let [a, o] = i === "dmy" ? [e, n] : [n, e], s = Number(r);
	if (r.length === 2) {
		if (t !== "/") return null;
		s += s > 68 ? 1900 : 2e3;
	}
	return V(s, Number(o), Number(a));
}
function Je({ groups: e }) {
	let { d: t, m: n, e: r, y: i } = e, a = Ne.findIndex((e) => e === n.toLowerCase() || e.slice(0, 3) === n.toLowerCase());
	return a < 0 || t && r ? null : V(Number(i), a + 1, Number(t ?? r ?? 1));
}
function V(e, t, n) {
	let r = /* @__PURE__ */ new Date(0);
	r.setUTCFullYear(e, t - 1, n);
	let i = r.getUTCFullYear() === e && r.getUTCMonth() === t - 1 && r.getUTCDate() === n;
	return e >= 1 && i ? Math.round(r.getTime() / (R * 1e3)) : null;
}
function Ye(e) {
	let t = Ie.exec(e);
	if (!t) return null;
	let [, n, r, i, a, o, , s, c, l] = t, u = Number(n);
	if (o) {
		if (u < 1 || u > 12) return null;
		u = u % 12 + ("pP".includes(o) ? 12 : 0);
	}
	if (u > 23 || Number(r) > 59 || Number(i ?? 0) > 60) return null;
	let d = u * 3600 + Number(r) * 60 + Number(i ?? 0) + Number(`0.${a ?? 0}`), f = Number(c ?? 0) * 3600 + Number(l ?? 0) * 60;
	return d - (s === "+" ? f : -f);
}
function Xe(e) {
	let t;
	if (typeof e == "string") {
		let n = e.trim().toLowerCase();
		if (n === "true" || n === "false") return Number(n === "true");
		if (!Le.test(n)) return null;
		t = Number(n);
	} else if (typeof e == "boolean" || typeof e == "number") t = Number(e);
	else return null;
	return Number.isFinite(t) && Math.abs(t) <= Me ? t : null;
}
function H(e, n, r) {
	let i = typeof r == "object" ? "an object" : JSON.stringify(r) ?? typeof r;
	return t(`field "${e.name}": expected ${n}, received ${i.slice(0, 80)}`, e.name);
}
// src/resize.ts
var U = 3, W = 22;
function Ze(e, t, n, r) {
	let i = Qe(e, r).map((e) => et(e, t, n));
	if (r === 1) return i[0];
	let a = new Uint8Array(t * n * 3);
	return i.forEach((e, t) => e.data.forEach((e, n) => a[n * 3 + t] = e)), {
		width: t,
		height: n,
		data: a
	};
}
function Qe({ width: e, height: t, data: n, channels: r }, i) {
	let a = e * t, o = Array.from({ length: i }, () => new Uint8Array(a));
	for (let e = 0; e < a; e++) {
		let t = e * r, a = r === 1 ? [
			n[e],
			n[e],
			n[e]
		] : [
			n[t],
			n[t + 1],
			n[t + 2]
		];
		if (r === 4 && n[t + 3] !== 255 && (a = a.map((e) => $e(e, n[t + 3]))), i === 3) for (let t = 0; t < 3; t++) o[t][e] = a[t];
		else o[0][e] = N(a[0], a[1], a[2]);
	}
	return o.map((n) => ({
		width: e,
		height: t,
		data: n
	}));
}
function $e(e, t) {
	let n = e * t * 128 + 16384;
	return (n >> 8) + n >> 15;
}
function et(e, t, n) {
	if (e.width === t && e.height === n) return e;
	let r = Math.max(1, Math.floor(e.width / t / U)), i = Math.max(1, Math.floor(e.height / n / U)), a = r > 1 || i > 1 ? tt(e, r, i) : e;
	return {
		width: t,
		height: n,
		data: G(G(a.data, a.width, a.height, 1, a.width, t, e.width / r), a.height, t, t, 1, n, e.height / i)
	};
}
function tt({ width: e, height: t, data: n }, r, i) {
	let [a, o] = [Math.ceil(e / r), Math.ceil(t / i)], s = new Uint8Array(a * o);
	for (let c = 0; c < o; c++) {
		let o = Math.min((c + 1) * i, t);
		for (let t = 0; t < a; t++) {
			let l = Math.min((t + 1) * r, e), u = 0;
			for (let a = c * i; a < o; a++) for (let i = t * r; i < l; i++) u += n[a * e + i];
			let d = (o - c * i) * (l - t * r), f = Math.floor(Math.fround(2 ** 32 / Math.fround(256 * d)));
			s[c * a + t] = Math.floor((u + (d >> 1)) * f / 2 ** 24) & 255;
		}
	}
	return {
		width: a,
		height: o,
		data: s
	};
}
function G(e, t, n, r, i, a, o) {
	let s = new Uint8Array(a * n);
	if (t === a && o === t) {
		for (let t = 0; t < s.length; t++) s[t] = e[t];
		return s;
	}
	let [c, l] = r === 1 ? [1, a] : [n, 1];
	for (let [u, { first: d, weights: f }] of nt(t, a, o).entries()) for (let t = 0; t < n; t++) {
		let n = 1 << 21, a = t * i + d * r;
		for (let t = 0; t < f.length; t++) n += f[t] * e[a + t * r];
		s[t * l + u * c] = Math.max(0, Math.min(255, Math.floor(n / 2 ** W)));
	}
	return s;
}
function nt(e, t, n) {
	let r = Math.fround(n) / t, i = Math.max(r, 1);
	return Array.from({ length: t }, (t, n) => {
		let a = (n + .5) * r, o = Math.max(0, Math.trunc(a - i + .5)), s = Math.min(e, Math.trunc(a + i + .5)), c = Array.from({ length: s - o }, (e, t) => Math.max(0, 1 - Math.abs((t + o - a + .5) * (1 / i)))), l = c.reduce((e, t) => e + t, 0);
		return {
			first: o,
			weights: c.map((e) => Math.trunc(.5 + e / l * 2 ** W))
		};
	});
}
// src/sound.ts
var rt = 16, K = 8, it = 1e3;
function at(e, t) {
	let { rate: n, channels: r } = ct(e, t), i = new Float32Array(r[0].length);
	for (let e of r) for (let t = 0; t < i.length; t++) i[t] += e[t];
	for (let e = 0; e < i.length; e++) i[e] /= r.length;
	let a = new Float32Array(t.samples);
	return a.set(ut(i, n, t.rate).subarray(0, t.samples)), a;
}
var ot = (e, t, n) => Math.ceil((n + 1) * e / t + 32 * Math.max(e / t, 1)), st = {
	"1/1": (e, t) => (e.getUint8(t) - 128) / 128,
	"1/2": (e, t) => e.getInt16(t, !0) / 2 ** 15,
	"1/3": (e, t) => (e.getUint16(t, !0) << 8 | e.getInt8(t + 2) << 24) / 2 ** 31,
	"1/4": (e, t) => e.getInt32(t, !0) / 2 ** 31,
	"3/4": (e, t) => e.getFloat32(t, !0),
	"3/8": (e, t) => e.getFloat64(t, !0)
};
function ct(e, n) {
	let r = new DataView(e.buffer, e.byteOffset, e.byteLength), i = (t) => String.fromCharCode(...e.subarray(t, t + 4)), a = (e) => t(`sound: expected ${e}`, n.input);
	if (i(0) !== "RIFF" || i(8) !== "WAVE") throw a(`a WAV file, received ${e.length} bytes that are none`);
	let o = 0;
	for (let t = 12; t + 8 <= e.length;) {
		let s = i(t), c = r.getUint32(t + 4, !0);
		if (t += 8, s === "data" && c === 4294967295 && (c = e.length - t), t + c > e.length) throw a(`${c} bytes in part '${s}', received ${e.length - t}: the file is cut short`);
		if (s === "fmt " && (o = t), s === "data") {
			if (!o) break;
			return lt(r, o, t, c, n);
		}
		t += c + c % 2;
	}
	throw a(`a WAV file with "fmt " and then "data", received ${e.length} bytes`);
}
function lt(n, r, i, a, o) {
	let s = n.getUint16(r, !0);
	s === 65534 && (s = n.getUint16(r + 24, !0));
	let c = n.getUint16(r + 2, !0), l = n.getUint32(r + 4, !0), u = Math.ceil(n.getUint16(r + 14, !0) / 8), d = st[`${s}/${u}`];
	if (!d) throw new e("unsupported_media", `sound: expected PCM of 8, 16, 24 or 32 bits or floating samples, received format ${s}`, {
		field: o.input,
		hint: "convert it to WAV with PCM samples"
	});
	let f = Math.min(ot(l, o.rate, o.samples), Math.floor(a / (u * c)));
	if (!c || !f) throw t("sound: expected at least one sample, received none", o.input);
	return {
		rate: l,
		channels: Array.from({ length: c }, (e, r) => Float32Array.from({ length: f }, (e, a) => {
			let s = d(n, i + (a * c + r) * u);
			if (!Number.isFinite(s)) throw t("sound: expected finite samples", o.input);
			return Math.max(-1, Math.min(1, s));
		}))
	};
}
function ut(e, t, n) {
	let [r, i] = ft(n, t, Math.max(1, Math.trunc(it * Math.min(1, t / n))));
	if (r === i) return e;
	let { low: a, half: o } = dt(r, i), s = new Float32Array(Math.ceil(e.length * r / i));
	for (let t = 0; t < s.length; t++) {
		let n = t * i + o, c = 0;
		for (let t = n % r, i = Math.floor(n / r); t < a.length && i >= 0; t += r, i--) i < e.length && (c += a[t] * e[i]);
		s[t] = c;
	}
	return s;
}
function dt(e, t) {
	let n = rt * Math.max(e, t), r = 1 / Math.max(e, t);
	return {
		low: Float32Array.from({ length: 2 * n + 1 }, (t, i) => {
			let a = (i - n) * r * Math.PI, o = (i - n) / n, s = q(K * Math.sqrt(Math.max(0, 1 - o * o))) / q(K);
			return e * r * (a === 0 ? 1 : Math.sin(a) / a) * s;
		}),
		half: n
	};
}
function q(e) {
	let t = 1;
	for (let n = 1, r = 1; r > t * 1e-17; n++) t += r *= (e / (2 * n)) ** 2;
	return t;
}
function ft(e, t, n) {
	let [r, i, a, o] = [
		0,
		1,
		1,
		0
	], [s, c] = [e, t];
	for (;;) {
		let e = Math.floor(s / c), t = i + e * o;
		if (t > n) break;
		if ([r, i, a, o] = [
			a,
			o,
			r + e * a,
			t
		], [s, c] = [c, s - e * c], !c) return [a, o];
	}
	let l = Math.floor((n - i) / o), [u, d] = [r + l * a, i + l * o];
	return Math.abs(a / o - e / t) <= Math.abs(u / d - e / t) ? [a, o] : [u, d];
}
// src/prepare.ts
async function J(e, n) {
	let r = e.preprocess;
	if (n.kind === "pixels" || n.kind === "file") {
		if (r?.type === "image") {
			let e = n.kind === "pixels" ? n.pixels : await pt(n.bytes);
			return { [r.input]: mt(e, r) };
		}
		if (r?.type === "audio" && n.kind === "file") return { [r.input]: new s(at(n.bytes, r), [1, r.samples]) };
		throw t("this model does not take such a file", "", "send its input as numbers or named fields");
	}
	let i = n.kind === "text" ? n.text : n.value;
	if (r?.type === "text") return { [r.input]: gt(i, r.input) };
	let a = z(i) ? [i] : i;
	if (Array.isArray(a) && a.length && (a.every(z) || r?.type === "window" && a.some(Y))) {
		let n = !e.signature.inputs.some(({ missing: e }) => e);
		if (r?.type === "columns") return { [r.input]: X(a, r, n) };
		if (r?.type === "window") return { [r.input]: ht(a.every(z) ? [a] : a, r) };
		throw t("this model does not take named fields", "", "send a picture or numbers");
	}
	return _t(e, i);
}
var Y = (e) => Array.isArray(e) && e.length > 0 && e.every(z);
async function pt(t) {
	if (ce(t)) return ue(t);
	throw new e("not_on_device", "image: expected a PNG, received another file: only the server reads those", { hint: "draw it on a canvas, and pass that" });
}
function mt(e, t) {
	let { width: n, height: r, channels: i, layout: a } = t, o = t.centre ? F(e, n, r)?.data ?? new Uint8Array(n * r) : Ze(e, n, r, i).data, [c, l] = [Math.fround(t.scale), Math.fround(t.offset)], u = new Float32Array(o.length), d = n * r;
	for (let e = 0; e < o.length; e++) {
		let t = a === "chw" ? e % i * d + Math.floor(e / i) : e;
		u[t] = Math.fround(o[e] * c) + l;
	}
	let f = {
		hw: [r, n],
		hwc: [
			r,
			n,
			i
		],
		chw: [
			i,
			r,
			n
		]
	}[a];
	return new s(u, [1, ...f]);
}
function X(e, t, n) {
	let r = e.map((e) => ze(e, t.columns, t.ignored, n)), i = r[0].length, a = new Float32Array(r.length * i);
	return r.forEach((e, t) => a.set(e, t * i)), new s(a, [r.length, i]);
}
function ht(e, n) {
	let r = e.map((e) => {
		if (!Y(e)) throw t("window: expected a list of at least one object of named fields", n.input);
		return X(e.slice(-n.steps), n, !1);
	}), i = r[0].shape[1], a = new Float32Array(r.length * n.steps * i).fill(NaN);
	return r.forEach(({ data: e, shape: t }, r) => a.set(e, (r * n.steps + n.steps - t[0]) * i)), new s(a, [
		r.length,
		n.steps,
		i
	]);
}
function gt(e, n) {
	let r = z(e) && Array.isArray(e[n]) ? e[n] : e, i = (Array.isArray(r) ? r : [r]).map((e) => {
		let r = z(e) ? e[n] : e, i = Array.isArray(r) && r.length === 1 ? r[0] : r;
		if (typeof i != "string") throw t(`"${n}": expected text, received ${typeof i}`, n);
		return i;
	});
	if (!i.length) throw t(`"${n}": expected a text, received none`, n);
	return new s(i, [i.length, 1]);
}
function _t({ signature: e }, n) {
	let [r, ...i] = e.inputs;
	if (!r || i.length) throw t("this model takes several inputs", "", "use infer");
	let a = [];
	for (let e = n; Array.isArray(e); e = e[0]) a.push(e.length);
	let o = Array.isArray(n) ? n.flat(Infinity) : [n], c = r.dtype === "string" ? "string" : "number";
	if (o.length !== a.reduce((e, t) => e * t, 1) || !o.every((e) => typeof e === c || typeof e == "boolean")) throw t(`input "${r.name}": expected ${vt(r)}, received no regular array of that`, r.name);
	a.length === r.shape.length - 1 && a.unshift(1);
	let u = c === "string" ? o : l(o.map(Number), r.dtype);
	return { [r.name]: new s(u, a, r.dtype) };
}
var vt = ({ dtype: e, shape: t }) => `${e}[${t.map((e) => e ?? "?").join(", ")}]`, Z = 100, yt = 5e3, bt = class t {
	numen;
	model;
	options;
	waiting = /* @__PURE__ */ new Map();
	openers = /* @__PURE__ */ new Set();
	socket = null;
	bundles = null;
	explains = null;
	asked = 0;
	newest = 0;
	wait = Z;
	timer;
	closed = !1;
	down = !1;
	constructor(e, t, n) {
		this.numen = e, this.model = t, this.options = n, this.connect();
	}
	get open() {
		return this.socket?.readyState === 1;
	}
	predict(e, t = {}) {
		let { top: n } = t, r = this.supersede();
		return v(async (t, i) => {
			let a = await O(e);
			if (a.kind === "text" || a.kind === "plain") {
				let e = a.kind === "text" ? a.text : a.value, { model: t, version: n, parameters: o, id: s, ...c } = (await this.send(null, { value: e }, i, r)).head;
				return {
					model: t,
					version: n,
					...c
				};
			}
			let o = await this.bundle(), s = this.inferred(await this.send(await J(o, a), {}, i, r));
			return s.version !== o.version && (this.bundles = null), A({
				...o,
				version: s.version
			}, s.outputs, n);
		}, this.local((t) => t.predict(e, { top: n })), t);
	}
	infer(e, t = {}) {
		let n = this.supersede();
		return v(async (t, r) => this.inferred(await this.send(e, {}, r, n)), this.local((t) => t.infer(e)), t);
	}
	explain(e, { method: n, target: r, parameters: i, ...a } = {}) {
		return i ? this.numen.explain(this.model, e, {
			method: n,
			target: r,
			parameters: i,
			...a
		}) : v(async (i, a) => {
			let o = await this.bundle(), s = { ...g(e) ? e : await J(o, await O(e)) };
			r !== void 0 && (s.target = xt(o, r, Object.values(s)[0].shape[0]));
			let c = this.explains ??= new t(this.numen, Ct(this.model), {
				...this.options,
				onState: void 0
			});
			return _({
				...c.inferred(await c.send(s, {}, a, c.supersede())),
				model: this.model.split("@")[0]
			}, n);
		}, null, a);
	}
	close() {
		this.closed = !0, clearTimeout(this.timer), this.explains?.close(), this.socket?.close(), this.fail(new e("cancelled", "the stream was closed"));
	}
	bundle() {
		return this.bundles ??= this.numen.bundle(this.model).catch((e) => {
			throw this.bundles = null, e;
		}), this.bundles;
	}
	local(e) {
		let t = this.numen.attached(this.model);
		return t ? {
			run: () => e(t),
			expectedMs: t.expectedMs
		} : null;
	}
	supersede() {
		if (!this.options.latest) return 0;
		let e = St();
		for (let t of this.waiting.values()) t.failed(e);
		for (let t of this.openers) t.reject(e);
		return ++this.newest;
	}
	inferred({ head: e, rest: t }) {
		return {
			model: String(e.model_name),
			version: String(e.model_version),
			outputs: f(e, t)
		};
	}
	async send(e, t, n, r) {
		let i = performance.now();
		if (this.open || await this.opened(), this.options.latest && r !== this.newest) throw St();
		let a = String(++this.asked), o = n === void 0 ? {} : { deadline_ms: Math.max(0, n - (performance.now() - i)) };
		if (e) {
			let { head: t, bytes: n } = d(e, { id: a }, o), r = new Uint8Array(4 + n.length);
			new DataView(r.buffer).setUint32(0, t, !0), r.set(n, 4), this.socket.send(r);
		} else this.socket.send(JSON.stringify({
			id: a,
			...t,
			parameters: o
		}));
		return new Promise((e, t) => {
			let n = () => this.waiting.delete(a);
			this.waiting.set(a, {
				done: (t, r) => (n(), e({
					head: t,
					rest: r
				})),
				failed: (e) => (n(), t(e))
			});
		});
	}
	opened() {
		return this.closed ? Promise.reject(new e("cancelled", "the stream was closed")) : this.down ? Promise.reject(this.unreachable()) : new Promise((e, t) => {
			let n = {
				resolve: () => (this.openers.delete(n), e()),
				reject: (e) => (this.openers.delete(n), t(e))
			};
			this.openers.add(n);
		});
	}
	connect() {
		let e = `/ws/${encodeURIComponent(this.model).replace("%40", "@")}${this.options.latest ? "?latest=1" : ""}`, t = this.numen.url.replace(/^http/, "ws") + e, { key: n, webSocket: r } = this.options, i = new r(t, n ? ["numen.v1", `numen.key.${n}`] : ["numen.v1"]);
		i.binaryType = "arraybuffer", i.onopen = () => {
			this.down = !1, this.wait = Z, this.options.onState?.(!0);
			for (let e of this.openers) e.resolve();
		}, i.onmessage = ({ data: e }) => this.receive(e), i.onclose = () => this.lost(i), this.socket = i;
	}
	lost(e) {
		e !== this.socket || this.closed || (this.down = !0, this.fail(this.unreachable()), this.options.onState?.(!1), this.timer = setTimeout(() => this.connect(), this.wait), this.wait = Math.min(this.wait * 2, yt));
	}
	unreachable() {
		return new e("unreachable", `nobody answers at ${this.numen.url}`, { hint: "it is asked again by itself; attach a model, or give a fallback" });
	}
	fail(e) {
		for (let t of this.waiting.values()) t.failed(e);
		for (let t of this.openers) t.reject(e);
	}
	receive(e) {
		let t, r = /* @__PURE__ */ new Uint8Array();
		if (typeof e == "string") t = e;
		else {
			let n = new DataView(e).getUint32(0, !0);
			t = new TextDecoder().decode(new Uint8Array(e, 4, n)), r = new Uint8Array(e, 4 + n);
		}
		let i = JSON.parse(t), a = this.waiting.get(String(i.id));
		a && (typeof i.error == "string" && "code" in i ? a.failed(n(0, i)) : a.done(i, r));
	}
};
function xt({ postprocess: e }, n, r) {
	let i = e?.type === "classification" ? e.labels : [], a = i.includes(String(n)) ? i.indexOf(String(n)) : n;
	if (typeof a != "number" || !i[a]) throw t(`target: expected one of the labels ${i.join(", ")}, received ${n}`, "target");
	return new s(new BigInt64Array(r).fill(BigInt(a)), [r], "int64");
}
var St = () => new e("cancelled", "a newer question took its place");
function Ct(e) {
	let [t, n] = e.split("@");
	return `${t}.explain${n ? `@${n}` : ""}`;
}
// src/numen.ts
var Q = "inference-header-content-length", wt = class {
	url;
	key;
	fetch;
	webSocket;
	locals = /* @__PURE__ */ new Map();
	constructor(e, { key: t = "", fetch: n, webSocket: r } = {}) {
		this.url = String(e).replace(/\/+$/, ""), this.key = t.trim(), this.fetch = n ?? ((...e) => globalThis.fetch(...e)), this.webSocket = r ?? globalThis.WebSocket;
	}
	attach(e) {
		return this.locals.set(e.name, e), this;
	}
	detach(e) {
		this.locals.delete(Tt(e));
	}
	attached(e) {
		return this.locals.get(Tt(e));
	}
	async predict(e, t, n = {}) {
		let { top: r } = n;
		return v(async (n, i) => {
			let { type: a, body: o } = await k(await O(t)), s = r === void 0 ? "" : `?top=${r}`;
			return await (await this.reach(`predict/${$(e)}${s}`, a, o, n, i)).json();
		}, this.local(e, (e) => e.predict(t, { top: r })), n);
	}
	async infer(e, t, n = {}) {
		return v((n, r) => this.ask(`${Et(e)}/infer`, t, {}, n, r), this.local(e, (e) => e.infer(t)), n);
	}
	async explain(e, t, { method: n, target: r, parameters: i, ...a } = {}) {
		let o = {
			...n && { method: n },
			...r !== void 0 && { target: r },
			...i
		};
		return v(async (n, r) => {
			let i = g(t) ? t : await this.prepared(e, await O(t), n);
			return _(await this.ask(`${Et(e)}/explain`, i, o, n, r));
		}, null, a);
	}
	async models(e = {}) {
		return (await v(async (e) => (await this.reach("api/models", "", null, e)).json(), null, e)).models;
	}
	async bundle(e, t) {
		return (await this.reach(`api/models/${$(e)}/bundle`, "", null, t)).json();
	}
	async file(e, t, n) {
		let r = new URL(`api/models/${$(e)}/bundle`, `${this.url}/`), i = await this.reach(new URL(t, r).href, "", null, n);
		return new Uint8Array(await i.arrayBuffer());
	}
	stream(t, n = {}) {
		if (!this.webSocket) throw new e("not_on_device", "this JavaScript has no WebSocket", { hint: "give `webSocket`, such as that of the package ws, or call predict" });
		return new bt(this, t, {
			...n,
			key: this.key,
			webSocket: this.webSocket
		});
	}
	local(e, t) {
		let n = this.attached(e);
		return n ? {
			run: () => t(n),
			expectedMs: n.expectedMs
		} : null;
	}
	async prepared(e, t, n) {
		let { type: r, body: i } = await k(t), a = await this.reach(`predict/${$(e)}/input`, r, i, n), o = new Uint8Array(await a.arrayBuffer()), s = Number(a.headers.get(Q));
		return f({ outputs: JSON.parse(new TextDecoder().decode(o.subarray(0, s))).inputs }, o.subarray(s));
	}
	async ask(e, t, n, r, i) {
		let a = d(t, {}, n), o = await this.reach(e, "application/octet-stream", a.bytes, r, i, { [Q]: String(a.head) }), s = new Uint8Array(await o.arrayBuffer()), c = Number(o.headers.get(Q) ?? s.length), l = JSON.parse(new TextDecoder().decode(s.subarray(0, c)));
		return {
			model: l.model_name,
			version: l.model_version,
			outputs: f(l, s.subarray(c))
		};
	}
	async reach(t, i, a, o, s, c = {}) {
		let l = { ...c };
		i && (l["content-type"] = i), this.key && (l.authorization = `Bearer ${this.key}`), s !== void 0 && (l["numen-deadline-ms"] = String(Math.max(0, Math.round(s))));
		let u = /^https?:/.test(t) ? t : `${this.url}/${t}`, d;
		try {
			d = await this.fetch(u, {
				method: a === null ? "GET" : "POST",
				headers: l,
				body: a,
				signal: o ?? AbortSignal.timeout(3e4)
			});
		} catch (t) {
			throw o?.aborted ? r(o.reason, "cancelled") : new e("unreachable", `nobody answers at ${this.url}`, {
				hint: "look whether the server runs, and whether it allows this page's origin",
				cause: t
			});
		}
		if (!d.ok) throw n(d.status, await d.json().catch(() => ({})));
		return d;
	}
}, Tt = (e) => e.split("@")[0], $ = (e) => encodeURIComponent(e).replace("%40", "@");
function Et(e) {
	let [t, n] = e.split("@");
	return `v2/models/${encodeURIComponent(t)}${n ? `/versions/${encodeURIComponent(n)}` : ""}`;
}
export { I as a, x as c, l as d, e as f, F as i, s as l, r as m, bt as n, A as o, t as p, J as r, O as s, wt as t, c as u };
