"""Two hundred requests that no door may take, each with its answer and the field at fault."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import io
import json
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image
from wire import image, infer_binary

HEADER = "inference-header-content-length"
JSON = {"content-type": "application/json"}


@dataclasses.dataclass(frozen=True)
class Case:
    """A request, and what must be said of it."""

    name: str
    path: str
    body: bytes
    status: int = 400
    field: str | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=lambda: JSON)
    method: str = "POST"


def _v2(x: Any = None, model: str = "linear", **change: Any) -> bytes:
    """A good infer body with one input, of which some keys are changed; ... takes one out."""
    x = image(0) if x is None else x
    one = {"name": "image", "shape": list(x.shape), "datatype": "FP32", "data": x.ravel().tolist()}
    one = {key: value for key, value in (one | change).items() if value is not ...}
    return json.dumps({"inputs": [one]}).encode()


def _message(value: Any) -> bytes:
    return json.dumps(value).encode()


GOOD = json.loads(_v2())
ROW = GOOD["inputs"][0]


def _infer() -> list[Case]:
    """`/v2/models/{m}/infer` in JSON."""
    path = "/v2/models/linear/infer"
    cases: list[Case] = []

    def add(name: str, body: bytes, at: str | None, status: int = 400, where: str = path) -> None:
        cases.append(Case(f"v2 {name}", where, body, status, at))

    for datatype in ("FP64", "FP16", "INT8", "INT64", "UINT8", "BOOL", "BYTES"):
        values = {"BOOL": [True], "BYTES": ["1"]}.get(datatype, [1]) * 784
        add(f"wrong datatype {datatype}", _v2(datatype=datatype, data=values), "image")
    for datatype in ("float32", "fp32", "", "FP128", 32, None, [], {}, True, "BF16", ...):
        add(f"unknown datatype {datatype!r}", _v2(datatype=datatype), "image")
    for shape in (
        [784],
        [1, 784],
        [28, 28],
        [1, 28, 28, 1],
        [1, 1, 28, 28],
        [2, 28, 14],
        [1, 14, 56],
    ):
        add(f"wrong shape {shape}", _v2(shape=shape), "image")
    for shape in (
        [2, 28, 28], [0, 28, 28], [1, 28, 27], [], [-1, 28, 28], [-1, -28, -28], [1.0, 28, 28],
        ["1", "28", "28"], [None, 28, 28], [True, 28, 28], [[1, 28, 28]], "1,28,28", 784, None, {},
        [1 << 31, 28, 28], [1 << 40, 1 << 40, 1 << 40], [1 << 62, 1 << 62, 0], [1 << 63, 28, 28],
        [(1 << 64) - 1], [0, 1 << 47, 1 << 47], [1] * 17, [1] * 65, [1] * 5000, [1e300, 28, 28],
        ...,
    ):  # fmt: skip
        add(f"shape {str(shape)[:40]} {len(str(shape))}", _v2(shape=shape), "image")
    for data in (
        [], [1], [0.5] * 783, [0.5] * 785, ["0.5"] * 784, [None] * 784, [True] * 784, [{}] * 784,
        [[]] * 784, [[0.5]] * 784, "0.5", 0.5, {}, None, True, [[0.5] * 28] * 28,
        [[[0.5] * 28] * 27], [[[0.5] * 28] * 27 + [[0.5] * 27]], [[[0.5] * 28] * 27 + [0.5] * 28],
        [[[[0.5]] * 28] * 28], [0.5] * 783 + [[0.5]], [0.5] * 783 + ["NaN"], [0.5] * 783 + [None],
        [1e39] + [0.5] * 783, [-1e308] * 784, [[0.5] * 784],
        ...,
    ):  # fmt: skip
        add(f"data {repr(data)[:24]} {repr(data)[-12:]} {len(repr(data))}", _v2(data=data), "image")
    text = _v2().decode()
    for token in ("NaN", "Infinity", "-Infinity", "nan", "1e400", "-1e400", "0x10", "01", "1.", ".5",
                  "+1", "1e", "'1'", "1_0", "undefined", "9" * 400):  # fmt: skip
        body = text.replace('"data": [', f'"data": [{token}, ', 1).encode()
        add(f"number {token[:12]}", body, "body")
    for name in (None, "", 5, [], {}, True, ...):
        add(f"input name {name!r}", _v2(name=name), "inputs[0].name")
    for name in ("Image", "image ", "картинка", "x" * 10_000, "\u0000", "__proto__", "../image"):
        add(f"unknown input {name[:12]!r}", _v2(name=name), name)
    for value in (None, 5, "x", {}, True, {"image": [1]}):
        add(f"inputs {value!r}", _message({"inputs": value}), "inputs")
    for value in (None, 5, "x", [], True, [ROW]):
        add(f"inputs of {str(value)[:8]}", _message({"inputs": [value]}), "inputs")
    add("no inputs", b"{}", "inputs")
    add("inputs empty", b'{"inputs": []}', "image")
    add("an input twice", _message({"inputs": [ROW, ROW]}), "image")
    add("one input more", _message({"inputs": [ROW, {**ROW, "name": "more"}]}), "more")
    add("thousands of inputs",
        _message({"inputs": [{"name": f"n{n}", "shape": [1], "datatype": "FP32", "data": [1]}
                             for n in range(5000)]}), "n0")  # fmt: skip
    for value in (5, "x", {}, True, [5], [None], ["probabilities"]):
        add(f"outputs {value!r}", _message({**GOOD, "outputs": value}), "outputs")
    for value in ({}, {"name": None}, {"name": 5}, {"name": ""}):
        add(f"outputs of {value!r}", _message({**GOOD, "outputs": [value]}), "outputs[0].name")
    add("unknown output", _message({**GOOD, "outputs": [{"name": "none"}]}), "none")
    twice = [{"name": "probabilities"}] * 2
    add("an output twice", _message({**GOOD, "outputs": twice}), "probabilities")
    for parameters, at in [
        (5, "probabilities"), ([], "probabilities"), ({"binary_data": "yes"}, "binary_data"),
        ({"binary_data": 1}, "binary_data"), ({"classification": 3}, "probabilities"),
    ]:  # fmt: skip
        wanted = [{"name": "probabilities", "parameters": parameters}]
        add(f"output parameters {parameters!r}", _message({**GOOD, "outputs": wanted}), at)
    for value in (5, "x", [], True):
        add(f"parameters {value!r}", _message({**GOOD, "parameters": value}), "parameters")
    for parameters, at in [
        ({"deadline_ms": "5"}, "deadline_ms"), ({"deadline_ms": -1}, "deadline_ms"),
        ({"deadline_ms": True}, "deadline_ms"), ({"timeout": []}, "timeout"),
        ({"timeout": -5}, "timeout"), ({"binary_data_output": "false"}, "binary_data_output"),
        ({"binary_data_output": 1}, "binary_data_output"),
    ]:  # fmt: skip
        add(f"parameters {parameters!r}", _message({**GOOD, "parameters": parameters}), at)
    for value in (5, [], {}, True, ""):
        add(f"id {value!r}", _message({**GOOD, "id": value}), "id")
    for value in (5, "x", [], True):
        add(f"input parameters {value!r}", _v2(parameters=value), "image")
    for value in (-1, "4", 1.5, True, [], 1 << 70):
        at = "body" if value == 1 << 70 else "image"
        add(f"size {value!r} in JSON", _v2(data=..., parameters={"binary_data_size": value}), at)
    add("a size and no bytes", _v2(data=..., parameters={"binary_data_size": 3136}), "image")
    add("data and a size", _v2(parameters={"binary_data_size": 3136}), "image")
    rows = _message({"inputs": [{**ROW, "shape": [70_000, 28, 28], "data": []}]})
    add("rows without data", rows, "image")
    for where, status in [
        ("/v2/models/none/infer", 404), ("/v2/models/linear/versions/9/infer", 404),
        ("/v2/models/linear/versions/-1/infer", 404), ("/v2/models/linear/versions/1.0/infer", 404),
        ("/v2/models/linear/versions/%00/infer", 404), ("/v2/models/LINEAR/infer", 404),
        ("/v2/models/../../etc/passwd/infer", 404), ("/v2/models/..%2f..%2fetc/infer", 404),
        ("/v2/models/%2e%2e/infer", 404), ("/v2/models/m%C3%BCller/infer", 404),
        ("/v2/models/%F0%9F%90%8D/infer", 404), ("/v2/models/%ff%fe/infer", 404),
        ("/v2/models/" + "m" * 8000 + "/infer", 404), ("/v2/models/linear%20/infer", 404),
        ("/v2/models//infer", 404), ("/v2/models/linear/versions/" + "9" * 5000 + "/infer", 404),
        ("/v2/models/linear/versions//infer", 404), ("/v2/models/linear;a=b/infer", 404),
        ("/v2/models/linear/infer/more", 404), ("/v2/models/${jndi:x}/infer", 404),
        ("/v2/models/linear'--/infer", 404),
    ]:  # fmt: skip
        add(f"at {where[:48]}", _v2(), None, status, where)
    return cases


def _binary() -> list[Case]:
    """The binary tensor extension."""
    x = image(0)
    good, length = infer_binary(x)
    octets = {"content-type": "application/octet-stream"}
    cases: list[Case] = []

    def add(
        name: str, body: bytes, at: str | None, header: Any = length, status: int = 400
    ) -> None:
        cases.append(
            Case(f"binary {name}", "/v2/models/linear/infer", body, status, at,
                 {**octets, HEADER: str(header)})
        )  # fmt: skip

    for cut in (1, 4, 3135, 3136):
        add(f"{cut} bytes short", good[:-cut], "image")
    add("a byte more", good + b"x", "binary_data_size")
    add("header cut short", good[: length - 5], HEADER.title())
    for header in (len(good) + 1, 10**11):
        add(f"header of {header}", good, HEADER.title(), header)
    for header in ("-1", "x", "", "1.5", "0x10", "9" * 40, "1e3", "١"):
        if header != "١":
            add(f"header {header[:6]!r}", good, HEADER.title(), header)
    add("header one short", good, "body", length - 1)
    add("header one long", good, "body", length + 1)
    add("header of all", good, "body", len(good))
    for body in (b"", b"123", bytes(3135), bytes(3137)):
        add(f"raw of {len(body)}", body, "image", 0)

    def sized(size: Any, tail: bytes, **change: Any) -> tuple[bytes, int]:
        one = {"name": "image", "shape": [1, 28, 28], "datatype": "FP32",
               "parameters": {"binary_data_size": size}} | change  # fmt: skip
        head = json.dumps({"inputs": [one]}).encode()
        return head + tail, len(head)

    for size in (-1, 0, 1, 3132, 3140, 1 << 40, 1 << 62, "3136", 3136.0, None, True, []):
        body, at = sized(size, x.tobytes())
        add(f"size {size!r}", body, "image", at)
    for value, name in [(np.nan, "NaN"), (np.inf, "Infinity"), (-np.inf, "-Infinity")]:
        bad = x.copy()
        bad[0, 27, 27] = value
        body, at = sized(3136, bad.tobytes())
        add(f"{name} bytes", body, "image", at)
        add(f"{name} raw", bad.tobytes(), "image", 0)
    for shape in ([1 << 40, 1 << 40], [0, 28, 28], [-1, 28, 28], [1 << 61, 4, 4], [784], None):
        body, at = sized(3136, x.tobytes(), shape=shape)
        add(f"shape {shape}", body, "image", at)
    for datatype in ("FP16", "FP64", "INT32", "BYTES", "BOOL", "odd"):
        body, at = sized(3136, x.tobytes(), datatype=datatype)
        add(f"datatype {datatype}", body, "image", at)
    text = {"content-type": "application/octet-stream"}
    for name, tail in [
        ("cut length", b"\x01\0"), ("length beyond", struct.pack("<I", 9) + b"a"),
        ("length of 4 GB", struct.pack("<I", 0xFFFFFFFF) + b"abcd"), ("none", b""),
        ("one of two", struct.pack("<I", 1) + b"a"),
        ("three of two", (struct.pack("<I", 1) + b"a") * 3),
        ("not UTF-8", (struct.pack("<I", 1) + b"\xff") * 2),
    ]:  # fmt: skip
        head = _message(
            {"inputs": [{"name": "text", "shape": [1, 2], "datatype": "BYTES",
                         "parameters": {"binary_data_size": len(tail)}}]}
        )  # fmt: skip
        cases.append(Case(f"BYTES {name}", "/v2/models/words/infer", head + tail, 400, "text",
                          {**text, HEADER: str(len(head))}))  # fmt: skip
    return cases


def _bodies() -> list[Case]:
    """Bodies that are no message, at every door that reads JSON."""
    cases: list[Case] = []
    deep = b"[" * 10_000 + b"]" * 10_000
    bodies = {
        "empty": b"", "blank": b"  \n", "array": b"[]", "number": b"5", "text": b'"x"', "null": b"null",
        "true": b"true", "cut": b'{"inputs": [{"name": "ima', "open": b'{"inputs": [', "word": b"hello",
        "two": b"{}{}", "tail": b"{} x", "comma": b'{"inputs": [],}', "quotes": b"{'inputs': []}",
        "not UTF-8": b'{"inputs": "\xff\xfe"}', "UTF-16": '{"inputs": []}'.encode("utf-16"),
        "BOM": b"\xef\xbb\xbf[]", "nul": b"\0", "surrogate": b'{"id": "\\ud800", "inputs": []}',
        "control": b'{"id": "a\x01", "inputs": []}', "deep": deep, "deep open": b"[" * 100_000,
        "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "deep inputs": b'{"inputs": %b}' % deep,
        "deep instances": b'{"instances": %b}' % deep, "gzip": zlib.compress(b"{}"),
        "1000 deep": b'{"inputs": %b, "instances": %b}' % ((b"[" * 1000 + b"]" * 1000,) * 2),
    }  # fmt: skip
    for path in ("/v2/models/linear/infer", "/v1/models/linear:predict"):
        for name, body in bodies.items():
            cases.append(Case(f"{path[:3]} body {name}", path, body))
        for kind in (
            "text/plain",
            "application/xml",
            "image/png",
            "multipart/form-data",
            "?",
            "x" * 3000,
        ):
            cases.append(Case(f"{path[:3]} as {kind[:20]}", path, _v2(), 415, "Content-Type",
                              {"content-type": kind}))  # fmt: skip
        for coding in ("br", "zstd", "odd", "gzip, gzip"):
            cases.append(Case(f"{path[:3]} in {coding}", path, _v2(), 415, "Content-Encoding",
                              {**JSON, "content-encoding": coding}))  # fmt: skip
        packed = gzip.compress(_v2())
        for coding, body in [
            ("gzip", _v2()), ("deflate", _v2()), ("gzip", packed[:-1]), ("gzip", packed + b"x"),
            ("gzip", b""), ("deflate", packed), ("gzip", packed[:20] + b"x" + packed[21:]),
        ]:  # fmt: skip
            cases.append(Case(f"{path[:3]} in bad {coding} {body[-5:]}", path, body, 400, "body",
                              {**JSON, "content-encoding": coding}))  # fmt: skip
        for method in ("PUT", "DELETE", "PATCH"):
            cases.append(Case(f"{path[:3]} {method}", path, _v2(), 405, None, JSON, method))
        for deadline in ("-1", "soon", "nan", ""):
            cases.append(Case(f"{path[:3]} deadline {deadline!r}", path, _v2(), 400,
                              "Numen-Deadline-Ms", {**JSON, "numen-deadline-ms": deadline}))  # fmt: skip
    octets = {"content-type": "application/octet-stream"}
    cases.append(
        Case("v2 octets alone", "/v2/models/linear/infer", _v2(), 415, "Content-Type", octets)
    )
    return cases


def _predict_v1() -> list[Case]:
    """`/v1/models/{m}:predict`."""
    path = "/v1/models/linear:predict"
    row = image(0)[0].tolist()
    cases: list[Case] = []

    def add(name: str, value: Any, at: str | None, status: int = 400, where: str = path) -> None:
        cases.append(Case(f"v1 {name}", where, _message(value), status, at))

    add("neither", {}, "instances")
    add("both", {"instances": [row], "inputs": [row]}, "instances")
    for value in (None, 5, "x", {}, [], True):
        add(f"instances {value!r}", {"instances": value}, "instances")
    for value in ([5], [[]], [[[]]], ["x"], [None], [row, row[:27]], [row, 5], [row[:27]], [[row]],
                  [[1] * 784], row, [[[str(v) for v in line] for line in row]],
                  [[[None] * 28] * 28], [[[[v] for v in line] for line in row]], [True],
                  [{"b64": "AAAA"}], [[[1e39] * 28] * 28]):  # fmt: skip
        add(f"instances {str(value)[:24]} {len(str(value))}", {"instances": value}, "image")
    for value in (
        [{}],
        [{"x": row}],
        [{"image": row, "x": 1}],
        [{"image": row}, {}],
        [{"image": row}, 5],
    ):
        add(f"named {str(value)[:8]} {len(str(value))}", {"instances": value}, "instances")
    add("inputs of nothing", {"inputs": {}}, "image")
    add("inputs unknown", {"inputs": {"x": [row]}}, "x")
    for value in (5, "x", None, True, {"b64": 5}):
        add(f"inputs {value!r}", {"inputs": value}, "image")
    add("inputs of null", {"inputs": {"image": None}}, "image")
    for name in ("other", 5, [], {}):
        add(f"signature {name!r}", {"instances": [row], "signature_name": name}, "signature_name")
    pair = "/v1/models/pair:predict"
    add("rows without names", {"instances": [[1, 2]]}, "instances", 400, pair)
    add("columns without names", {"inputs": [[1, 2]]}, "inputs", 400, pair)
    add("one of two columns", {"inputs": {"a": [[1, 2]]}}, "b", 400, pair)
    add("columns of two lengths", {"inputs": {"a": [[1, 2]], "b": [[1, 2]] * 2}}, "b", 400, pair)
    add("fractions", {"inputs": {"a": [[1.5, 2]], "b": [[1, 2]]}}, "a", 400, pair)
    add("huge integers", {"instances": [{"a": [1 << 63, 1], "b": [1, 2]}]}, "a", 400, pair)
    for value in (
        5,
        True,
        None,
        {"b64": "?"},
        {"b64": "/w=="},
        {"b64": None},
        {"other": "x"},
        ["a"],
    ):
        words = "/v1/models/words:predict"
        add(f"text {value!r}", {"instances": [["a", value]]}, "text", 400, words)
    for where in ("/v1/models/none:predict", "/v1/models/linear/versions/9:predict",
                  "/v1/models/linear/labels/none:predict", "/v1/models/..%2fx:predict",
                  "/v1/models/linear/versions/x:predict", "/v1/models/%20:predict",
                  "/v1/models/" + "n" * 5000 + ":predict"):  # fmt: skip
        add(f"at {where[:40]}", {"instances": [row]}, None, 404, where)
    return cases


def _picture(mode: str, size: tuple[int, int], kind: str = "PNG") -> bytes:
    target = io.BytesIO()
    Image.new(mode, size).save(target, kind)
    return target.getvalue()


def _png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A grey PNG's bytes with any size in its head, and whatever pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(
        b"IEND", b"")  # fmt: skip


def _friendly() -> list[Case]:
    """`/predict/{m}`."""
    cases: list[Case] = []

    def add(
        name: str, body: bytes, at: str | None, kind: str = "application/json", status: int = 400,
        where: str = "/predict/linear",
    ) -> None:  # fmt: skip
        cases.append(Case(f"predict {name}", where, body, status, at, {"content-type": kind}))

    noise = io.BytesIO()
    Image.fromarray(image(0)[0].astype(np.uint8)).save(noise, "PNG")
    flipped = bytearray(noise.getvalue())
    flipped[len(flipped) // 2] ^= 0xFF
    png, jpeg = _picture("L", (28, 28)), _picture("RGB", (64, 64), "JPEG")
    for name, body in {
        "a cut PNG": png[:40], "a PNG's head": png[:8], "no picture": b"hello", "HTML": b"<html>",
        "a cut JPEG": jpeg[:100], "zeros": bytes(1000),
        "a PNG with a wrong byte": bytes(flipped),
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no pixels": _png(28, 28),
        "no width": _png(0, 28), "base64": base64.b64encode(png),
    }.items():  # fmt: skip
        add(name, body, "image", "image/png")
    add("nothing", b"", "body", "image/png")
    add("a picture of 10 gigapixels", _png(100_000, 100_000), "image", "image/png", 413)
    add("a picture of 100 megapixels", _png(10_000, 10_000, bytes(100)), "image", "image/png", 413)
    add("a wide picture", _png(2**31 - 1, 1), "image", "image/png", 413)
    bomb = _picture("1", (7200, 7200))
    add("a bomb", bomb, "image", "image/png", 413)
    add("a GIF bomb", _picture("P", (8000, 8000), "GIF"), "image", "image/gif", 413)
    add("as text/plain", png, "body", "text/plain")
    for kind in ("audio/wav", "image/tiff", "application/octet-stream", "?"):
        add(f"as {kind}", png, "Content-Type", kind, 415)
    for text in (
        "",
        "{",
        "[",
        "nul",
        "NaN",
        "[NaN]",
        "[1, 2",
        '{"a": 1}}',
        "1 2",
        "[1] [2]",
        "\xff",
    ):
        add(f"JSON {text!r}", text.encode("latin-1"), "body")
    add("deep", b"[" * 10_000 + b"]" * 10_000, "body")
    for value in (None, True, 5, "x", [], [[]], [1, [2]], [[1], 2], ["a"], [None], [[1, 2]], [1] * 784,
                  [[[0.5] * 28] * 27], [[["1"] * 28] * 28], [[[1e39] * 28] * 28], [[[[1] * 28] * 28]] * 2,
                  [[[10**400] * 28] * 28]):  # fmt: skip
        at = "image" if "0000000" not in str(value) else None
        add(f"value {str(value)[:16]} {len(str(value))}", _message(value), at)
    add("fields", _message({"age": 1}), None)
    table = "/predict/table"
    for fields, at in [
        ({"old": 1}, "old"), ({"age": "1"}, "city"), ({"age": []}, "age"), ({"age": {}}, "age"),
        ({"age": 1e39}, "age"), ({"city": "Rom"}, "city"), ({"city": 5}, "city"), ({"city": []}, "city"),
        ([{"age": 1, "city": "Bonn"}, {"age": "x"}], "age"), ({"": 1}, None), ({"age": 10**30}, None),
        ({"x" * 5000: 1}, None),
    ]:  # fmt: skip
        if fields != {"age": 10**30}:
            add(f"fields {str(fields)[:40]}", _message(fields), at, where=table)
    add("a picture for a table", png, None, "image/png", where=table)
    add("objects and numbers", _message([{"age": 1}, 5]), "row", where=table)
    add("no rows", b"[]", "row", where=table)
    add("two inputs", b"[1, 2]", None, where="/predict/pair")
    for name, status in [
        ("none", 404), ("linear@9", 404), ("linear@none", 404), ("linear@", 400), ("linear@0", 404),
        ("linear@-1", 400), ("linear@1@1", 400), ("LINEAR", 400), ("..%2f..%2fetc", 404),
        ("%2e%2e", 400), ("m%C3%BCller", 400), ("m" * 5000, 400), ("linear@" + "9" * 5000, 400),
        ("%00", 400), ("linear%20", 400),
    ]:  # fmt: skip
        add(f"of {name[:20]}", png, None, "image/png", status, f"/predict/{name}")
    for top in ("0", "-1", "x", "1.5", "1001", "", "9" * 400):
        add(f"top {top[:5]!r}", png, "top", "image/png", where=f"/predict/linear?top={top}")
    cases.append(Case("predict in br", "/predict/linear", png, 415, "Content-Encoding",
                      {"content-type": "image/png", "content-encoding": "br"}))  # fmt: skip
    cases.append(Case("predict in bad gzip", "/predict/linear", zlib.compress(png), 400, "body",
                      {"content-type": "image/png", "content-encoding": "gzip"}))  # fmt: skip
    cases.append(Case("predict deadline", "/predict/linear", png, 400, "Numen-Deadline-Ms",
                      {"content-type": "image/png", "numen-deadline-ms": "x"}))  # fmt: skip
    return cases


def _control() -> list[Case]:
    """Everything else that takes a body or a name."""
    move = "/api/models/linear/aliases/test"
    cases = [
        Case(f"alias {body[:24]!r}", move, body, 400, at, JSON, "PUT")
        for body, at in [
            (b"", None), (b"{", None), (b"[]", None), (b"{}", "version"), (b'{"version": "x"}', "version"),
            (b'{"version": null}', "version"), (b'{"version": 1.5}', "version"),
            (b'{"version": []}', "version"), (b"\xff", None), (b"[" * 10_000, None),
        ]
    ]  # fmt: skip
    cases += [
        Case(f"{method} {path[:40]} {body[:24]!r}", path, body, status, None, JSON, method)
        for method, path, body, status in [
            ("PUT", move, b'{"version": 99}', 404), ("PUT", move, b'{"version": -1}', 400),
            ("PUT", move, b'{"version": 100000000000000000000}', 400),
            ("PUT", "/api/models/linear/aliases/9", b'{"version": 1}', 400),
            ("PUT", "/api/models/linear/aliases/A%20B", b'{"version": 1}', 400),
            ("PUT", "/api/models/none/aliases/a", b'{"version": 1}', 404),
            ("GET", "/api/models/none", b"", 404), ("GET", "/api/models/%2e%2e", b"", 404),
            ("GET", "/api/models/%00", b"", 404), ("GET", "/api/models/" + "m" * 5000, b"", 404),
            ("POST", "/api/models/linear/aliases/none/rollback", b"", 404),
            ("POST", "/api/models/LIN/aliases/none/rollback", b"", 400),
            ("POST", "/v2/repository/models/none/load", b"", 404),
            ("POST", "/v2/repository/models/%00/load", b"", 404),
            ("POST", "/v2/repository/models/none/unload", b"", 404),
            ("GET", "/v2/models/none", b"", 404), ("GET", "/v2/models/none/stats", b"", 404),
            ("GET", "/v2/models/none/ready", b"", 404), ("GET", "/v1/models/none", b"", 404),
            ("GET", "/v1/models/none/versions/1", b"", 404),
            ("GET", "/v1/models/none/labels/champion", b"", 404),
            ("GET", "/v1/models/none/metadata", b"", 404),
            ("GET", "/v1/models/none/versions/1/metadata", b"", 404),
            ("GET", "/v1/models/linear/versions/%00", b"", 404),
            ("GET", "/v1/models/linear/versions/7/metadata", b"", 404),
            ("GET", "/nothing", b"", 404), ("GET", "/docs/assets/../../../etc/passwd", b"", 404),
            ("GET", "/docs/assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd", b"", 404),
            ("GET", "/docs/assets/%00", b"", 404), ("GET", "/%2e%2e/%2e%2e/etc/passwd", b"", 404),
            ("GET", "/docs/assets/" + "x" * 5000, b"", 404),
            ("DELETE", "/v2", b"", 405), ("POST", "/metrics", b"", 405),
        ]
    ]  # fmt: skip
    return cases


def _graphql() -> list[Case]:
    """`/graphql`, whose errors have its own form."""
    return [
        Case(f"graphql {body[:48]!r}", "/graphql", body, status, at)
        for body, status, at in [
            (b"", 400, "body"), (b"{", 400, "body"), (b"[]", 400, "body"), (b"{}", 400, "query"),
            (b'{"query": 5}', 400, "query"), (b'{"query": null}', 400, "query"),
            (b'{"query": "{models{name}}", "variables": []}', 400, "variables"),
            (b'{"query": "{models{name}}", "operationName": 5}', 400, "operationName"),
            (b"\xff", 400, "body"), (b"[" * 10_000, 400, "body"),
            (_message({"query": "{" * 200_000}), 413, "query"),
        ]
    ] + [
        Case("graphql as text", "/graphql", b"{}", 415, "Content-Type", {"content-type": "text/plain"})
    ]  # fmt: skip


TABLE = [*_infer(), *_binary(), *_bodies(), *_predict_v1(), *_friendly(), *_control(), *_graphql()]
