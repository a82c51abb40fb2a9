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
// src/deadline.ts
var i = 4, a = 3e4;
async function o(t, n, { deadlineMs: r, fallback: o, signal: u }) {
	let d = performance.now(), f = () => r === void 0 ? 1e400 : r - (performance.now() - d), p = (e, t, n) => ({
		...e,
		source: t,
		ms: performance.now() - d,
		...n ? { error: n } : {}
	}), m = new AbortController();
	u?.addEventListener("abort", () => m.abort(u.reason), { once: !0 }), u?.aborted && m.abort(u.reason);
	let h = s(t(m.signal, r), "unreachable"), g = n ? f() - n.expectedMs - i : f(), _ = await c([h], Math.min(g, a));
	if (_ && "value" in _) return p(_.value, "server");
	let v = _?.error ?? l(r ?? 3e4);
	u?.aborted && (v = new e("cancelled", "the question was taken back", { cause: u.reason }));
	let y = !u?.aborted && v.code !== "cancelled";
	if (y && n && !v.asked && (o === void 0 || f() > n.expectedMs)) {
		let e = s(n.run(), "internal"), t = await c([e, h.then((t) => "value" in t ? { server: t.value } : e)], o === void 0 ? 1e400 : f());
		if (t && "server" in t) return p(t.server, "server");
		if (m.abort(), t && "value" in t) return p(t.value, "local", v);
		t && (v = t.error.asked ? t.error : v);
	}
	if (m.abort(), o === void 0 || !y) throw v;
	return p(typeof o == "function" ? o(v) : o, "fallback", v);
}
async function s(e, t) {
	try {
		return { value: await e };
	} catch (e) {
		return { error: r(e, t) };
	}
}
async function c(e, t) {
	if (t === 1e400) return Promise.race(e);
	let n, r = new Promise((e) => {
		n = setTimeout(() => e(null), Math.max(0, t));
	});
	try {
		return await Promise.race([...e, r]);
	} finally {
		clearTimeout(n);
	}
}
var l = (t) => new e("deadline_exceeded", `expected an answer within ${t} ms, received none`, { hint: "allow more time, or give a fallback" }), u = (e) => e instanceof Uint8Array || e instanceof Uint8ClampedArray;
function d(e) {
	if (typeof e != "object" || !e) return null;
	let { width: n, height: r, data: i } = e;
	if (u(i) && Number.isInteger(n) && Number.isInteger(r)) {
		let e = i.length / (n * r);
		if (e !== 1 && e !== 3 && e !== 4) throw t(`picture: expected 1, 3 or 4 bytes a pixel of ${n}x${r}, received ${i.length} bytes`);
		return {
			width: n,
			height: r,
			data: i,
			channels: e
		};
	}
	return f(e);
}
function f(e) {
	let t = p(e);
	if (!t) return null;
	let { width: n, height: r } = t.canvas, { data: i } = t.getImageData(0, 0, n, r);
	return {
		width: n,
		height: r,
		data: i,
		channels: 4
	};
}
function p(e) {
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
function m(e) {
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
// src/tensor.ts
var h = [
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
], g = new Map(h.map(([e, t, n]) => [e, {
	dtype: t,
	make: n
}])), _ = new Map(h.map(([e, t, n]) => [t, {
	datatype: e,
	make: n
}])), v = class {
	data;
	shape;
	dtype;
	constructor(e, n, r = ee(e)) {
		let i = n.reduce((e, t) => e * t, 1);
		if (i !== e.length) throw t(`tensor: expected ${i} values for [${n.join(", ")}], received ${e.length}`);
		this.data = e, this.shape = n, this.dtype = r;
	}
};
function y(e, t, n) {
	return !Array.isArray(e) || typeof e[0] == "string" ? new v(e, t, n) : new v(b(e, n ?? "float32"), t, n ?? "float32");
}
function b(e, n) {
	let r = _.get(n);
	if (!r) throw t(`tensor: type ${n} is not known here`);
	let i = new r.make(e.length), a = i instanceof BigInt64Array || i instanceof BigUint64Array;
	for (let t = 0; t < e.length; t++) i[t] = a ? BigInt(e[t]) : e[t];
	return i;
}
function ee(e) {
	if (Array.isArray(e)) return "string";
	for (let [, t, n] of h) if (e.constructor === n) return t;
	if (e.constructor === Uint8ClampedArray) return "uint8";
	throw t(`tensor: ${e.constructor.name} is no array of numbers or texts`);
}
function x(e, t, n) {
	let r = Object.values(e).map(te), i = Object.entries(e).map(([e, { shape: t, dtype: n }], i) => ({
		name: e,
		shape: t,
		datatype: n === "string" ? "BYTES" : _.get(n)?.datatype,
		parameters: { binary_data_size: r[i].byteLength }
	})), a = {
		...t,
		inputs: i,
		parameters: {
			binary_data_output: !0,
			...n
		}
	}, o = new TextEncoder().encode(JSON.stringify(a));
	return {
		head: o.byteLength,
		bytes: C([o, ...r])
	};
}
function S(e, t) {
	let n = {}, r = 0;
	for (let i of e.outputs) {
		let { name: e, datatype: a, shape: o } = i, s = a === "BYTES" ? "string" : g.get(a)?.dtype ?? "", c = i.parameters?.binary_data_size;
		if (c === void 0) {
			let t = i.data;
			n[e] = new v(s === "string" ? t : b(t, s), o, s);
			continue;
		}
		let l = t.slice(r, r + c).buffer;
		n[e] = new v(s === "string" ? ne(l) : new (g.get(a)).make(l), o, s), r += c;
	}
	return n;
}
function te({ data: e }) {
	return Array.isArray(e) ? C(e.flatMap((e) => {
		let t = new TextEncoder().encode(e), n = /* @__PURE__ */ new Uint8Array(4);
		return new DataView(n.buffer).setUint32(0, t.length, !0), [n, t];
	})) : new Uint8Array(e.buffer, e.byteOffset, e.byteLength);
}
function ne(e) {
	let t = new DataView(e), n = [];
	for (let r = 0; r < e.byteLength;) {
		let i = r + 4 + t.getUint32(r, !0);
		n.push(new TextDecoder().decode(e.slice(r + 4, i))), r = i;
	}
	return n;
}
function C(e) {
	let t = new Uint8Array(e.reduce((e, t) => e + t.byteLength, 0)), n = 0;
	for (let r of e) t.set(r, n), n += r.byteLength;
	return t;
}
// src/png.ts
var w = [
	137,
	80,
	78,
	71,
	13,
	10,
	26,
	10
], re = {
	1: 0,
	3: 2,
	4: 6
}, ie = (e) => w.every((t, n) => e[n] === t);
async function ae({ width: e, height: t, data: n, channels: r }) {
	let i = e * r, a = new Uint8Array((i + 1) * t);
	for (let e = 0; e < t; e++) a.set(n.subarray(e * i, (e + 1) * i), e * (i + 1) + 1);
	let o = /* @__PURE__ */ new Uint8Array(13), s = new DataView(o.buffer);
	s.setUint32(0, e), s.setUint32(4, t), o.set([
		8,
		re[r],
		0,
		0,
		0
	], 8);
	let c = await oe(a, new CompressionStream("deflate"));
	return C([
		Uint8Array.from(w),
		T("IHDR", o),
		T("IDAT", c),
		T("IEND", /* @__PURE__ */ new Uint8Array())
	]);
}
function T(e, t) {
	let n = new Uint8Array(t.length + 12), r = new DataView(n.buffer);
	r.setUint32(0, t.length);
	for (let t = 0; t < 4; t++) n[4 + t] = e.charCodeAt(t);
	return n.set(t, 8), r.setUint32(8 + t.length, E(n.subarray(4, 8 + t.length))), n;
}
async function oe(e, t) {
	let n = new Blob([e]).stream().pipeThrough(t);
	return new Uint8Array(await new Response(n).arrayBuffer());
}
var se;
function E(e) {
	se ??= Uint32Array.from({ length: 256 }, (e, t) => {
		let n = t;
		for (let e = 0; e < 8; e++) n = n & 1 ? n >>> 1 ^ 0xedb88320 : n >>> 1;
		return n;
	});
	let t = 0xffffffff;
	for (let n of e) t = se[(t ^ n) & 255] ^ t >>> 8;
	return (t ^ 0xffffffff) >>> 0;
}
var D = (t, n = "") => new e("invalid_input", `image: ${t}`, { hint: n });
async function ce(t) {
	let { head: n, palette: r, clear: i, packed: a } = le(t), o = {
		0: 1,
		2: 3,
		3: 1,
		4: 2,
		6: 4
	}[n.type];
	if (!o || n.bits > 8) throw new e("not_on_device", `image: expected a PNG of at most 8 bits a channel, received ${n.bits}`, { hint: "draw it on a canvas, and pass that" });
	return fe(ue(await oe(C(a), new DecompressionStream("deflate")).catch(() => {
		throw D("the PNG's pixels cannot be unpacked");
	}), n, o), n, r, i);
}
function le(t) {
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
function ue(e, { width: t, height: n, bits: r }, i) {
	let a = Math.ceil(t * i * r / 8), o = Math.max(1, i * r >> 3);
	if (e.length < (a + 1) * n) throw D("expected a PNG, received one that is cut short");
	let s = new Uint8Array(t * n * i), c = new Uint8Array(a);
	for (let l = 0; l < n; l++) {
		let n = e[l * (a + 1)], u = e.slice(l * (a + 1) + 1, (l + 1) * (a + 1));
		for (let e = 0; e < a; e++) {
			let t = e < o ? 0 : u[e - o], r = e < o ? 0 : c[e - o];
			u[e] = u[e] + de(n, t, c[e], r);
		}
		for (let e = 0; e < t * i; e++) {
			let n = 8 - r - (e * r & 7);
			s[l * t * i + e] = r === 8 ? u[e] : u[e * r >> 3] >> n & (1 << r) - 1;
		}
		c = u;
	}
	return s;
}
function de(e, t, n, r) {
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
function fe(e, { width: t, height: n, bits: r, type: i }, a, o) {
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
	if (e instanceof v) return {
		kind: "plain",
		value: pe(e)
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
	let n = d(e);
	if (n) return {
		kind: "pixels",
		pixels: m(n)
	};
	if (typeof e != "object" || !e) throw t(`input: expected a picture, a sound, a text, named fields or numbers, received ${typeof e}`);
	return {
		kind: "plain",
		value: e
	};
}
function pe({ data: e, shape: t }) {
	let n = Array.from(e, (e) => typeof e == "bigint" ? Number(e) : e);
	for (let e of t.slice(1).reverse()) n = Array.from({ length: n.length / e }, (t, r) => n.slice(r * e, (r + 1) * e));
	return n;
}
var me = [
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
			body: await ae(e.pixels)
		};
		case "text": return {
			type: "text/plain",
			body: e.text
		};
		case "plain": return {
			type: "application/json",
			body: JSON.stringify(e.value)
		};
		case "file": {
			let { bytes: n } = e, r = (e, t) => [...t].every((t, r) => n[e + r] === t.charCodeAt(0)), i = me.find(([, e, t]) => r(e, t))?.[0];
			if (!i) throw t("input: expected a PNG, JPEG, GIF, WebP, BMP or WAV file, received other bytes");
			return {
				type: i,
				body: n
			};
		}
	}
}
// src/describe.ts
var he = .5, ge = 5;
function A(e, t, n = ge) {
	let r = {
		model: e.name,
		version: e.version
	}, i = _e(e, t, n);
	return i.length === 1 ? {
		...r,
		...i[0]
	} : {
		...r,
		rows: i
	};
}
function _e({ postprocess: e }, n, r) {
	if (!e) {
		let e = Object.entries(n).map(([e, t]) => [e, j(t)]);
		return e[0][1].map((t, n) => Object.fromEntries(e.map(([e, t]) => [e, t[n]])));
	}
	let i = n[e.output];
	if (!i) throw t(`expected an output "${e.output}"`);
	return j(i).map((t) => e.type === "classification" ? ve(e, t, r) : be(e, t));
}
function j({ data: e, shape: t }) {
	let n = Array.from(e, (e) => typeof e == "bigint" ? Number(e) : e), r = n.length / t[0];
	return Array.from({ length: t[0] }, (e, t) => n.slice(t * r, (t + 1) * r));
}
function ve(e, t, n) {
	let { labels: r, several: i, conformal: a } = e, o = ye(e, t), s = r.map((e, t) => t).sort((e, t) => o[t] - o[e]);
	if (i) return {
		labels: s.filter((e) => o[e] >= he).map((e) => r[e]),
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
function ye({ activation: e, labels: t, several: n }, r) {
	if (e === "softmax") {
		let e = Math.max(...r), t = r.map((t) => Math.exp(t - e)), n = t.reduce((e, t) => e + t, 0);
		return t.map((e) => e / n);
	}
	let i = e === "sigmoid" ? r.map((e) => 1 / (1 + Math.exp(-e))) : r;
	return i.length === 1 && t.length === 2 && !n ? [1 - i[0], i[0]] : i;
}
function be({ target: e, targets: t, conformal: n }, r) {
	if (t.length) return Object.fromEntries(t.map((e, t) => [e, r[t]]));
	if (r.length !== 1) return { [e]: r };
	let i = r[0];
	return {
		...n ? { interval: [i - n.threshold, i + n.threshold] } : {},
		[e]: i
	};
}
// src/centre.ts
var xe = 20, Se = 28, M = 8, Ce = 64, we = (e, t, n) => e * 19595 + t * 38470 + n * 7471 + 32768 >> 16;
function Te({ width: e, height: t, data: n, channels: r }) {
	let i = e * t, a = new Uint8Array(i);
	if (r === 4) {
		let e = !1;
		for (let t = 0; t < i; t++) a[t] = n[t * 4 + 3], e ||= a[t] !== 255;
		if (e) return a.map((e) => e < M ? 0 : e);
	}
	for (let e = 0; e < i; e++) {
		let t = e * r;
		a[e] = r === 1 ? n[e] : we(n[t], n[t + 1], n[t + 2]);
	}
	let o = Ee(a, e, t), s = o >= 128, c = s ? o : 255 - o, l = c === 255 ? M : Ce, u = Uint8Array.from({ length: 256 }, (e, t) => {
		let n = s ? o - t : t - o, r = n <= 0 ? 0 : Math.floor((n * 510 + c) / (2 * c));
		return r < l ? 0 : r;
	});
	for (let e = 0; e < i; e++) a[e] = u[a[e]];
	return a;
}
function Ee(e, t, n) {
	let r = /* @__PURE__ */ new Uint32Array(256), i = 0;
	for (let a = 0; a < n; a++) {
		let o = a === 0 || a === n - 1 ? 1 : Math.max(1, t - 1);
		for (let n = 0; n < t; n += o, i++) r[e[a * t + n]]++;
	}
	let a = 0, o = 0;
	for (; (a += r[o]) < Math.ceil(i / 2);) o++;
	return o;
}
function De({ width: e, height: t, data: n }) {
	let r = e, i = -1, a = t, o = -1;
	for (let s = 0, c = 0; s < t; s++) for (let t = 0; t < e; t++, c++) n[c] && (t < r && (r = t), t > i && (i = t), s < a && (a = s), o = s);
	return i < 0 ? null : {
		left: r,
		top: a,
		width: i - r + 1,
		height: o - a + 1
	};
}
function Oe(e, t, n, r) {
	let i = new Float64Array(t.height * n);
	for (let r = 0; r < t.height; r++) {
		let a = (t.top + r) * e.width + t.left;
		ke(e.data, a, 1, t.width, i, r * n, 1, n);
	}
	let a = new Float64Array(n * r);
	for (let e = 0; e < n; e++) ke(i, e, n, t.height, a, e, n, r);
	let o = t.width * t.height;
	return {
		width: n,
		height: r,
		data: Uint8ClampedArray.from(a, (e) => Math.floor((2 * e + o) / (2 * o)))
	};
}
function ke(e, t, n, r, i, a, o, s) {
	for (let c = 0; c < s; c++) {
		let [l, u] = [c * r, (c + 1) * r], d = 0;
		for (let r = Math.floor(l / s); r * s < u; r++) {
			let i = Math.min((r + 1) * s, u) - Math.max(r * s, l);
			d += i * e[t + r * n];
		}
		i[a + c * o] = d;
	}
}
function Ae(e, t, n) {
	let r = "channels" in e ? e : {
		...e,
		channels: 1
	}, i = {
		width: r.width,
		height: r.height,
		data: Te(r)
	}, a = De(i);
	if (!a) return null;
	let [o, s] = t * a.height <= n * a.width ? [t, a.width] : [n, a.height], c = (e) => Math.max(1, Math.floor((2 * e * o * xe + Se * s) / (56 * s))), l = Oe(i, a, c(a.width), c(a.height)), { total: u, x: d, y: f } = je(l), p = N(t, l.width, u, d), m = N(n, l.height, u, f), h = new Uint8ClampedArray(t * n);
	for (let e = 0; e < l.height; e++) h.set(l.data.subarray(e * l.width, (e + 1) * l.width), (m + e) * t + p);
	let [g, _] = [a.width / l.width, a.height / l.height];
	return {
		width: t,
		height: n,
		data: h,
		shows: {
			left: a.left - p * g,
			top: a.top - m * _,
			width: t * g,
			height: n * _
		}
	};
}
function je({ width: e, height: t, data: n }) {
	let r = 0, i = 0, a = 0;
	for (let o = 0, s = 0; o < t; o++) for (let t = 0; t < e; t++, s++) r += n[s], i += n[s] * t, a += n[s] * o;
	return {
		total: r,
		x: i,
		y: a
	};
}
function N(e, t, n, r) {
	let i = n ? Math.floor((2 * (Math.floor(e / 2) * n - r) + n) / (2 * n)) : e - t >> 1;
	return Math.min(Math.max(i, 0), e - t);
}
// src/fields.ts
var Me = /* @__PURE__ */ new Set([
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
]), Ne = 34028234663852886e22, P = 86400, Pe = [
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
], Fe = /^(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})/, Ie = /^(?:(?<d>\d{1,2})[-. ]{1,2})?(?<m>[A-Za-z]{3,9})\.?[-, ]{1,2}(?:(?<e>\d{1,2}),?[- ])?(?<y>\d{4})/, Le = /^(?:[Tt]|,? )(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?: ?([AaPp])[Mm])?(?: ?(?:(Z|z|UTC|GMT)|([+-])(\d{2}):?(\d{2})?))?$/, Re = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, ze = /[\p{L}\p{N}_]+/gu, F = (e) => typeof e == "object" && !!e && !Array.isArray(e), I = (e) => e.date ? 5 : e.words || 1;
function Be(e, n, r, i) {
	let a = Ve(e), o = /* @__PURE__ */ new Set([...r, ...n.map(({ name: e }) => e)]);
	for (let e of a.keys()) if (!o.has(e)) throw t(`field "${e}" is unknown: expected ${n.map((e) => e.name).sort().join(", ")}`, e);
	let s = new Float32Array(n.reduce((e, t) => e + I(t), 0)).fill(NaN), c = 0;
	for (let e of n) {
		let n = He(e, a.get(e.name));
		if (n) s.set(n, c);
		else if (e.words) s.fill(0, c, c + e.words);
		else if (i) {
			let n = (e.categories ?? []).slice(0, 10).join(", ");
			throw t(`field "${e.name}": expected ${n ? `one of ${n}` : "a value"}, received ${JSON.stringify(a.get(e.name)) ?? "none"}`, e.name, "the model was trained on rows without gaps");
		}
		c += I(e);
	}
	return s;
}
function Ve(e) {
	let t = /* @__PURE__ */ new Map();
	for (let [n, r] of Object.entries(e)) if (F(r)) for (let [e, i] of Object.entries(r)) t.set(`${n}.${e}`, i);
	else t.set(n, r);
	return t;
}
function He(e, t) {
	if (t == null || typeof t == "string" && Me.has(t.trim())) return null;
	if (e.categories) {
		if (typeof t == "object") throw R(e, "a name", t);
		let n = e.categories.indexOf(Ue(t));
		return n < 0 ? null : [n];
	}
	if (e.words) {
		if (typeof t != "string") throw R(e, "text", t);
		return We(t, e.words);
	}
	if (e.date) {
		let n = typeof t == "string" ? qe(t, e.date) : Ke(t);
		if (n === null) throw R(e, "a date such as 2024-01-31 or 2024-01-31T12:00:00Z", t);
		return Ge(n);
	}
	let n = Ze(t);
	if (n === null) throw R(e, "a finite number", t);
	return [n];
}
function Ue(e) {
	return typeof e == "string" ? e.trim() : typeof e == "number" ? Number.isInteger(e) ? BigInt(e).toString() : Math.abs(e) >= 1e-4 ? String(e) : e.toExponential().replace(/e([+-])(\d)$/, "e$10$2") : String(e);
}
function We(e, t) {
	let n = Array(t).fill(0);
	for (let r of e.toLowerCase().match(ze) ?? []) n[E(new TextEncoder().encode(r)) % t]++;
	return n.map((e) => Math.log1p(e));
}
function Ge(e) {
	let t = Math.floor(e / P), n = /* @__PURE__ */ new Date(t * P * 1e3);
	return [
		t,
		n.getUTCMonth() + 1,
		n.getUTCDate(),
		(n.getUTCDay() + 6) % 7,
		(e - t * P) / 3600
	];
}
function Ke(e) {
	if (typeof e != "number") return null;
	let t = Math.abs(e) > 1e11 ? e / 1e3 : e;
	return t > -6e10 && t < 25e10 ? t : null;
}
function qe(e, t) {
	let n = e.trim(), r = Fe.exec(n), i = r ? null : Ie.exec(n), a = r ? Je(r, t) : i ? Ye(i) : null;
	if (a === null) return null;
	let o = n.slice((r ?? i)[0].length), s = o ? Xe(o) : 0;
	return s === null ? null : a * P + s;
}
function Je([, e, t, n, r], i) {
	if (e.length === 4) return L(Number(e), Number(n), Number(r));
	if (i === "ymd" || e.length > 2 || ![2, 4].includes(r.length)) return null;
	let [a, o] = i === "dmy" ? [e, n] : [n, e], s = Number(r);
	if (r.length === 2) {
		if (t !== "/") return null;
		s += s > 68 ? 1900 : 2e3;
	}
	return L(s, Number(o), Number(a));
}
function Ye({ groups: e }) {
	let { d: t, m: n, e: r, y: i } = e, a = Pe.findIndex((e) => e === n.toLowerCase() || e.slice(0, 3) === n.toLowerCase());
	return a < 0 || t && r ? null : L(Number(i), a + 1, Number(t ?? r ?? 1));
}
function L(e, t, n) {
	let r = /* @__PURE__ */ new Date(0);
	r.setUTCFullYear(e, t - 1, n);
	let i = r.getUTCFullYear() === e && r.getUTCMonth() === t - 1 && r.getUTCDate() === n;
	return e >= 1 && i ? Math.round(r.getTime() / (P * 1e3)) : null;
}
function Xe(e) {
	let t = Le.exec(e);
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
function Ze(e) {
	let t;
	if (typeof e == "string") {
		let n = e.trim().toLowerCase();
		if (n === "true" || n === "false") return Number(n === "true");
		if (!Re.test(n)) return null;
		t = Number(n);
	} else if (typeof e == "boolean" || typeof e == "number") t = Number(e);
	else return null;
	return Number.isFinite(t) && Math.abs(t) <= Ne ? t : null;
}
function R(e, n, r) {
	let i = typeof r == "object" ? "an object" : JSON.stringify(r) ?? typeof r;
	return t(`field "${e.name}": expected ${n}, received ${i.slice(0, 80)}`, e.name);
}
// src/resize.ts
var z = 3, B = 22;
function Qe(e, t, n, r) {
	let i = $e(e, r).map((e) => tt(e, t, n));
	if (r === 1) return i[0];
	let a = new Uint8Array(t * n * 3);
	return i.forEach((e, t) => e.data.forEach((e, n) => a[n * 3 + t] = e)), {
		width: t,
		height: n,
		data: a
	};
}
function $e({ width: e, height: t, data: n, channels: r }, i) {
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
		if (r === 4 && n[t + 3] !== 255 && (a = a.map((e) => et(e, n[t + 3]))), i === 3) for (let t = 0; t < 3; t++) o[t][e] = a[t];
		else o[0][e] = we(a[0], a[1], a[2]);
	}
	return o.map((n) => ({
		width: e,
		height: t,
		data: n
	}));
}
function et(e, t) {
	let n = e * t * 128 + 16384;
	return (n >> 8) + n >> 15;
}
function tt(e, t, n) {
	if (e.width === t && e.height === n) return e;
	let r = Math.max(1, Math.floor(e.width / t / z)), i = Math.max(1, Math.floor(e.height / n / z)), a = r > 1 || i > 1 ? nt(e, r, i) : e;
	return {
		width: t,
		height: n,
		data: V(V(a.data, a.width, a.height, 1, a.width, t, e.width / r), a.height, t, t, 1, n, e.height / i)
	};
}
function nt({ width: e, height: t, data: n }, r, i) {
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
function V(e, t, n, r, i, a, o) {
	let s = new Uint8Array(a * n);
	if (t === a && o === t) {
		for (let t = 0; t < s.length; t++) s[t] = e[t];
		return s;
	}
	let [c, l] = r === 1 ? [1, a] : [n, 1];
	for (let [u, { first: d, weights: f }] of rt(t, a, o).entries()) for (let t = 0; t < n; t++) {
		let n = 1 << 21, a = t * i + d * r;
		for (let t = 0; t < f.length; t++) n += f[t] * e[a + t * r];
		s[t * l + u * c] = Math.max(0, Math.min(255, Math.floor(n / 2 ** B)));
	}
	return s;
}
function rt(e, t, n) {
	let r = n / t, i = Math.max(r, 1);
	return Array.from({ length: t }, (t, n) => {
		let a = (n + .5) * r, o = Math.max(0, Math.trunc(a - i + .5)), s = Math.min(e, Math.trunc(a + i + .5)), c = Array.from({ length: s - o }, (e, t) => Math.max(0, 1 - Math.abs((t + o - a + .5) * (1 / i)))), l = c.reduce((e, t) => e + t, 0);
		return {
			first: o,
			weights: c.map((e) => Math.trunc(.5 + e / l * 2 ** B))
		};
	});
}
// src/sound.ts
var it = 16, H = 8, at = 1e3;
function ot(e, t) {
	let { rate: n, channels: r } = lt(e, t), i = new Float32Array(r[0].length);
	for (let e of r) for (let t = 0; t < i.length; t++) i[t] += e[t];
	for (let e = 0; e < i.length; e++) i[e] /= r.length;
	let a = new Float32Array(t.samples);
	return a.set(dt(i, n, t.rate).subarray(0, t.samples)), a;
}
var st = (e, t, n) => Math.ceil((n + 1) * e / t + 32 * Math.max(e / t, 1)), ct = {
	"1/1": (e, t) => (e.getUint8(t) - 128) / 128,
	"1/2": (e, t) => e.getInt16(t, !0) / 2 ** 15,
	"1/3": (e, t) => (e.getUint16(t, !0) << 8 | e.getInt8(t + 2) << 24) / 2 ** 31,
	"1/4": (e, t) => e.getInt32(t, !0) / 2 ** 31,
	"3/4": (e, t) => e.getFloat32(t, !0),
	"3/8": (e, t) => e.getFloat64(t, !0)
};
function lt(e, n) {
	let r = new DataView(e.buffer, e.byteOffset, e.byteLength), i = (t) => String.fromCharCode(...e.subarray(t, t + 4)), a = (e) => t(`sound: expected ${e}`, n.input);
	if (i(0) !== "RIFF" || i(8) !== "WAVE") throw a(`a WAV file, received ${e.length} bytes that are none`);
	let o = 0;
	for (let t = 12; t + 8 <= e.length;) {
		let s = i(t), c = r.getUint32(t + 4, !0);
		if (t += 8, s === "data" && c === 0xffffffff && (c = e.length - t), t + c > e.length) throw a(`${c} bytes in part '${s}', received ${e.length - t}: the file is cut short`);
		if (s === "fmt " && (o = t), s === "data") {
			if (!o) break;
			return ut(r, o, t, c, n);
		}
		t += c + c % 2;
	}
	throw a(`a WAV file with "fmt " and then "data", received ${e.length} bytes`);
}
function ut(n, r, i, a, o) {
	let s = n.getUint16(r, !0);
	s === 65534 && (s = n.getUint16(r + 24, !0));
	let c = n.getUint16(r + 2, !0), l = n.getUint32(r + 4, !0), u = Math.ceil(n.getUint16(r + 14, !0) / 8), d = ct[`${s}/${u}`];
	if (!d) throw new e("unsupported_media", `sound: expected PCM of 8, 16, 24 or 32 bits or floating samples, received format ${s}`, {
		field: o.input,
		hint: "convert it to WAV with PCM samples"
	});
	let f = Math.min(st(l, o.rate, o.samples), Math.floor(a / (u * c)));
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
function dt(e, t, n) {
	let [r, i] = pt(n, t, Math.max(1, Math.trunc(at * Math.min(1, t / n))));
	if (r === i) return e;
	let { low: a, half: o } = ft(r, i), s = new Float32Array(Math.ceil(e.length * r / i));
	for (let t = 0; t < s.length; t++) {
		let n = t * i + o, c = 0;
		for (let t = n % r, i = Math.floor(n / r); t < a.length && i >= 0; t += r, i--) i < e.length && (c += a[t] * e[i]);
		s[t] = c;
	}
	return s;
}
function ft(e, t) {
	let n = it * Math.max(e, t), r = 1 / Math.max(e, t);
	return {
		low: Float32Array.from({ length: 2 * n + 1 }, (t, i) => {
			let a = (i - n) * r * Math.PI, o = (i - n) / n, s = U(H * Math.sqrt(Math.max(0, 1 - o * o))) / U(H);
			return e * r * (a === 0 ? 1 : Math.sin(a) / a) * s;
		}),
		half: n
	};
}
function U(e) {
	let t = 1;
	for (let n = 1, r = 1; r > t * 1e-17; n++) t += r *= (e / (2 * n)) ** 2;
	return t;
}
function pt(e, t, n) {
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
async function W(e, n) {
	let r = e.preprocess;
	if (n.kind === "pixels" || n.kind === "file") {
		if (r?.type === "image") {
			let e = n.kind === "pixels" ? n.pixels : await mt(n.bytes);
			return { [r.input]: ht(e, r) };
		}
		if (r?.type === "audio" && n.kind === "file") return { [r.input]: new v(ot(n.bytes, r), [1, r.samples]) };
		throw t("this model does not take such a file", "", "send its input as numbers or named fields");
	}
	let i = n.kind === "text" ? n.text : n.value;
	if (r?.type === "text") return { [r.input]: _t(i, r.input) };
	let a = F(i) ? [i] : i;
	if (Array.isArray(a) && a.length && (a.every(F) || r?.type === "window" && a.some(G))) {
		let n = !e.signature.inputs.some(({ missing: e }) => e);
		if (r?.type === "columns") return { [r.input]: K(a, r, n) };
		if (r?.type === "window") return { [r.input]: gt(a.every(F) ? [a] : a, r) };
		throw t("this model does not take named fields", "", "send a picture or numbers");
	}
	return vt(e, i);
}
var G = (e) => Array.isArray(e) && e.length > 0 && e.every(F);
async function mt(t) {
	if (ie(t)) return ce(t);
	throw new e("not_on_device", "image: expected a PNG, received another file: only the server reads those", { hint: "draw it on a canvas, and pass that" });
}
function ht(e, t) {
	let { width: n, height: r, channels: i, layout: a } = t, o = t.centre ? Ae(e, n, r)?.data ?? new Uint8Array(n * r) : Qe(e, n, r, i).data, [s, c] = [Math.fround(t.scale), Math.fround(t.offset)], l = new Float32Array(o.length), u = n * r;
	for (let e = 0; e < o.length; e++) {
		let t = a === "chw" ? e % i * u + Math.floor(e / i) : e;
		l[t] = Math.fround(o[e] * s) + c;
	}
	return new v(l, [1, ...{
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
	}[a]]);
}
function K(e, t, n) {
	let r = e.map((e) => Be(e, t.columns, t.ignored, n)), i = r[0].length, a = new Float32Array(r.length * i);
	return r.forEach((e, t) => a.set(e, t * i)), new v(a, [r.length, i]);
}
function gt(e, n) {
	let r = e.map((e) => {
		if (!G(e)) throw t("window: expected a list of at least one object of named fields", n.input);
		return K(e.slice(-n.steps), n, !1);
	}), i = r[0].shape[1], a = new Float32Array(r.length * n.steps * i).fill(NaN);
	return r.forEach(({ data: e, shape: t }, r) => a.set(e, (r * n.steps + n.steps - t[0]) * i)), new v(a, [
		r.length,
		n.steps,
		i
	]);
}
function _t(e, n) {
	let r = F(e) && Array.isArray(e[n]) ? e[n] : e, i = (Array.isArray(r) ? r : [r]).map((e) => {
		let r = F(e) ? e[n] : e, i = Array.isArray(r) && r.length === 1 ? r[0] : r;
		if (typeof i != "string") throw t(`"${n}": expected text, received ${typeof i}`, n);
		return i;
	});
	if (!i.length) throw t(`"${n}": expected a text, received none`, n);
	return new v(i, [i.length, 1]);
}
function vt({ signature: e }, n) {
	let [r, ...i] = e.inputs;
	if (!r || i.length) throw t("this model takes several inputs", "", "use infer");
	let a = [];
	for (let e = n; Array.isArray(e); e = e[0]) a.push(e.length);
	let o = Array.isArray(n) ? n.flat(1e400) : [n], s = r.dtype === "string" ? "string" : "number";
	if (o.length !== a.reduce((e, t) => e * t, 1) || !o.every((e) => typeof e === s || typeof e == "boolean")) throw t(`input "${r.name}": expected ${yt(r)}, received no regular array of that`, r.name);
	a.length === r.shape.length - 1 && a.unshift(1);
	let c = s === "string" ? o : b(o.map(Number), r.dtype);
	return { [r.name]: new v(c, a, r.dtype) };
}
var yt = ({ dtype: e, shape: t }) => `${e}[${t.map((e) => e ?? "?").join(", ")}]`, q = 100, bt = 5e3, J = class t {
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
	wait = q;
	timer;
	closed = !1;
	constructor(e, t, n) {
		this.numen = e, this.model = t, this.options = n, this.connect();
	}
	get open() {
		return this.socket?.readyState === 1;
	}
	predict(e, t = {}) {
		let { top: n } = t, r = this.supersede();
		return o(async (t, i) => {
			let a = await O(e);
			if (a.kind === "text" || a.kind === "plain") {
				let e = a.kind === "text" ? a.text : a.value, { model: t, version: n, parameters: o, id: s, ...c } = (await this.send(null, { value: e }, i, r)).head;
				return {
					model: t,
					version: n,
					...c
				};
			}
			let o = await this.bundle(), s = this.inferred(await this.send(await W(o, a), {}, i, r));
			return s.version !== o.version && (this.bundles = null), A({
				...o,
				version: s.version
			}, s.outputs, n);
		}, this.local((t) => t.predict(e, { top: n })), t);
	}
	infer(e, t = {}) {
		let n = this.supersede();
		return o(async (t, r) => this.inferred(await this.send(e, {}, r, n)), this.local((t) => t.infer(e)), t);
	}
	explain(e, { method: n, target: r, parameters: i, ...a } = {}) {
		return i ? this.numen.explain(this.model, e, {
			method: n,
			target: r,
			parameters: i,
			...a
		}) : o(async (i, a) => {
			let o = await this.bundle(), s = { ...Q(e) ? e : await W(o, await O(e)) };
			r !== void 0 && (s.target = xt(o, r, Object.values(s)[0].shape[0]));
			let c = this.explains ??= new t(this.numen, St(this.model), {
				...this.options,
				onState: void 0
			});
			return $({
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
		let e = Y();
		for (let t of this.waiting.values()) t.failed(e);
		for (let t of this.openers) t.reject(e);
		return ++this.newest;
	}
	inferred({ head: e, rest: t }) {
		return {
			model: String(e.model_name),
			version: String(e.model_version),
			outputs: S(e, t)
		};
	}
	async send(e, t, n, r) {
		let i = performance.now();
		if (this.open || await this.opened(), this.options.latest && r !== this.newest) throw Y();
		let a = String(++this.asked), o = n === void 0 ? {} : { deadline_ms: Math.max(0, n - (performance.now() - i)) };
		if (e) {
			let { head: t, bytes: n } = x(e, { id: a }, o), r = new Uint8Array(4 + n.length);
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
		return this.closed ? Promise.reject(new e("cancelled", "the stream was closed")) : new Promise((e, t) => {
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
			this.wait = q, this.options.onState?.(!0);
			for (let e of this.openers) e.resolve();
		}, i.onmessage = ({ data: e }) => this.receive(e), i.onclose = () => this.lost(i), this.socket = i;
	}
	lost(t) {
		t !== this.socket || this.closed || (this.fail(new e("unreachable", `nobody answers at ${this.numen.url}`)), this.options.onState?.(!1), this.timer = setTimeout(() => this.connect(), this.wait), this.wait = Math.min(this.wait * 2, bt));
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
	return new v(new BigInt64Array(r).fill(BigInt(a)), [r], "int64");
}
var Y = () => new e("cancelled", "a newer question took its place");
function St(e) {
	let [t, n] = e.split("@");
	return `${t}.explain${n ? `@${n}` : ""}`;
}
// src/numen.ts
var X = "inference-header-content-length", Ct = class {
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
		this.locals.delete(wt(e));
	}
	attached(e) {
		return this.locals.get(wt(e));
	}
	async predict(e, t, n = {}) {
		let { top: r } = n;
		return o(async (n, i) => {
			let { type: a, body: o } = await k(await O(t)), s = r === void 0 ? "" : `?top=${r}`;
			return await (await this.reach(`predict/${Z(e)}${s}`, a, o, n, i)).json();
		}, this.local(e, (e) => e.predict(t, { top: r })), n);
	}
	async infer(e, t, n = {}) {
		return o((n, r) => this.ask(`${Tt(e)}/infer`, t, {}, n, r), this.local(e, (e) => e.infer(t)), n);
	}
	async explain(e, t, { method: n, target: r, parameters: i, ...a } = {}) {
		let s = {
			...n && { method: n },
			...r !== void 0 && { target: r },
			...i
		};
		return o(async (n, r) => {
			let i = Q(t) ? t : await this.prepared(e, await O(t), n);
			return $(await this.ask(`${Tt(e)}/explain`, i, s, n, r));
		}, null, a);
	}
	async models(e = {}) {
		return (await o(async (e) => (await this.reach("api/models", "", null, e)).json(), null, e)).models;
	}
	async bundle(e, t) {
		return (await this.reach(`api/models/${Z(e)}/bundle`, "", null, t)).json();
	}
	async file(e, t, n) {
		let r = new URL(`api/models/${Z(e)}/bundle`, `${this.url}/`), i = await this.reach(new URL(t, r).href, "", null, n);
		return new Uint8Array(await i.arrayBuffer());
	}
	stream(t, n = {}) {
		if (!this.webSocket) throw new e("not_on_device", "this JavaScript has no WebSocket", { hint: "give `webSocket`, such as that of the package ws, or call predict" });
		return new J(this, t, {
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
		let { type: r, body: i } = await k(t), a = await this.reach(`predict/${Z(e)}/input`, r, i, n), o = new Uint8Array(await a.arrayBuffer()), s = Number(a.headers.get(X));
		return S({ outputs: JSON.parse(new TextDecoder().decode(o.subarray(0, s))).inputs }, o.subarray(s));
	}
	async ask(e, t, n, r, i) {
		let a = x(t, {}, n), o = await this.reach(e, "application/octet-stream", a.bytes, r, i, { [X]: String(a.head) }), s = new Uint8Array(await o.arrayBuffer()), c = Number(o.headers.get(X) ?? s.length), l = JSON.parse(new TextDecoder().decode(s.subarray(0, c)));
		return {
			model: l.model_name,
			version: l.model_version,
			outputs: S(l, s.subarray(c))
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
}, wt = (e) => e.split("@")[0], Z = (e) => encodeURIComponent(e).replace("%40", "@");
function Tt(e) {
	let [t, n] = e.split("@");
	return `v2/models/${encodeURIComponent(t)}${n ? `/versions/${encodeURIComponent(n)}` : ""}`;
}
function Q(e) {
	if (typeof e != "object" || !e || e instanceof v) return !1;
	let t = Object.values(e);
	return t.length > 0 && t.every((e) => e instanceof v);
}
function $(e, t) {
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
export { W as a, O as c, b as d, e as f, J as i, v as l, r as m, Q as n, Ae as o, t as p, $ as r, A as s, Ct as t, y as u };
