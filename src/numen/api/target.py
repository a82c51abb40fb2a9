"""What a load asks for: a server, and requests made of a model's own recorded samples.

Refuses addresses that are not this machine's, unless their owner says so.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec
import numpy as np

from numen.api.workspace import registry
from numen.core.errors import (
    DeadlineExceeded,
    Forbidden,
    InvalidInput,
    NotFound,
    NotReady,
    NumenError,
    Overloaded,
    Unauthenticated,
)
from numen.core.reference import Reference
from numen.core.signature import DATATYPES, Array, Arrays, Signature, TensorSpec
from numen.transport.binary import to_bytes

_TIMEOUT: Final = 30.0
_ROWS: Final = 16
# Nothing that could end a header line, whatever a key will look like one day.
_KEY: Final = re.compile(r"[A-Za-z0-9._~+/=-]*")
_ERRORS: Final[Mapping[int, type[NumenError]]] = {
    401: Unauthenticated, 403: Forbidden, 404: NotFound, 429: Overloaded,
    503: NotReady, 504: DeadlineExceeded,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """A model on a server, and what to send it.

    Attributes:
        host: The server's address.
        port: Its port.
        model: The model's name and the version that answered, such as `digits@3`.
        requests: Whole HTTP/1.1 requests with binary tensors, all different.
        values: Where their values come from.
    """

    host: str
    port: int
    model: str
    requests: list[bytes]
    values: str


class _Tensor(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]

    def spec(self) -> TensorSpec:
        dtype = DATATYPES.get(self.datatype, self.datatype)
        shape = tuple(size if size >= 0 else None for size in self.shape)
        return TensorSpec(self.name, dtype, shape, missing=True)  # whether it may, nobody says


class _Metadata(msgspec.Struct):
    inputs: list[_Tensor]


def find(
    url: str, reference: str, deadline_ms: float, *, key: str = "", yours: bool = False
) -> Target:
    """Finds a model on a server, and asks it once.

    Args:
        url: Such as `http://127.0.0.1:8000`.
        reference: `digits`, `digits@3` or `digits@champion`.
        deadline_ms: Said to the server with every request.
        key: Sent with every request, where the server asks for one.
        yours: The server may be another machine.

    Raises:
        InvalidInput: The URL is not a loopback address's, or nobody there speaks the protocol.
        NotReady: Nobody answers.
        NotFound: The server does not have the model.
        Unauthenticated: The server asks for a key, and this is none that is good.
        Forbidden: The key is not for this model.
    """
    ref = Reference.parse(reference)
    host, port = _address(url, yours)
    where = f"{f'[{host}]' if ':' in host else host}:{port}"
    tail = ref.version if ref.alias is None else ref.alias
    path = f"/v2/models/{ref.name}" + ("" if tail is None else f"/versions/{tail}")
    if not _KEY.fullmatch(key):
        raise InvalidInput("key: expected a key such as nm_…", field="key")
    said = {"authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(
        base_url=f"http://{where}", timeout=_TIMEOUT, trust_env=False, headers=said
    ) as client:
        signature = Signature(tuple(_inputs(_ask(client, "GET", path).content, url)), ())
        rows = _recorded(ref, signature)
        values = "recorded samples" if rows else "random values"
        bodies = [_body(row, signature) for row in rows or _random(signature)]
        head, body = bodies[0]
        reply = _ask(
            client, "POST", f"{path}/infer", content=body,
            headers={"content-type": "application/octet-stream",
                     "inference-header-content-length": str(head)},
        )  # fmt: skip
    if "content-length" not in reply.headers:
        raise InvalidInput(f"{url}: expected answers that say their Content-Length", field="url")
    lines = (
        f"POST {path}/infer HTTP/1.1\r\nHost: {where}\r\n"
        f"Content-Type: application/octet-stream\r\nNumen-Deadline-Ms: {deadline_ms:g}\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in said.items())
    )
    requests = [
        f"{lines}Inference-Header-Content-Length: {head}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
        for head, body in bodies
    ]
    return Target(
        host, port, f"{ref.name}@{_version(reply)}", list(dict.fromkeys(requests)), values
    )


def _address(url: str, yours: bool) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host = None
    if host is None or parts.scheme != "http" or parts.path not in ("", "/"):
        raise InvalidInput(
            f"url: expected an address such as http://127.0.0.1:8000, received {url}", field="url"
        )
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotReady(f"url: there is no {host}: {error.strerror}", field="url") from error
    found = [str(entry[4][0]) for entry in entries]
    if not yours and not all(ipaddress.ip_address(one).is_loopback for one in found):
        raise InvalidInput(
            f"url: expected a loopback address, received {host}",
            hint="a load test harms who does not expect it; say --i-own-this-server if you do",
            field="url",
        )
    for address in found:
        try:
            socket.create_connection((address, port), timeout=_TIMEOUT).close()
        except OSError:
            continue
        return address, port
    raise NotReady(f"url: no server answers at {url}", hint="start one: numen serve", field="url")


def _ask(client: httpx.Client, method: str, path: str, **how: Any) -> httpx.Response:
    try:
        reply = client.request(method, path, **how)
    except httpx.HTTPError as error:
        raise NotReady(f"the server did not answer {method} {path}: {error}") from error
    if reply.status_code == 200:
        return reply
    try:
        said = str(reply.json()["error"])
    except (ValueError, KeyError, TypeError):
        said = reply.text[:200]
    kind = _ERRORS.get(reply.status_code, InvalidInput)
    raise kind(f"the server answered {method} {path} with {reply.status_code}: {said}")


def _inputs(body: bytes, url: str) -> list[TensorSpec]:
    try:
        return [tensor.spec() for tensor in msgspec.json.decode(body, type=_Metadata).inputs]
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidInput) as error:
        raise InvalidInput(
            f"url: expected a server of the Open Inference Protocol at {url}: {error}", field="url"
        ) from error


def _recorded(ref: Reference, signature: Signature) -> list[dict[str, Array]]:
    """The recorded samples of the model of that name here, where they fit what is served there."""
    try:
        found = registry()
        inputs = found.open(found.resolve(ref), verify=False).golden().inputs
        rows = signature.check(inputs)
    except (NumenError, OSError):
        return []
    if any(spec.shape[:1] != (None,) for spec in signature.inputs):
        return [inputs]
    return [{name: array[i : i + 1] for name, array in inputs.items()} for i in range(rows)]


def _random(signature: Signature) -> list[dict[str, Array]]:
    source = np.random.default_rng(0)

    def made(spec: TensorSpec) -> Array:
        shape = tuple(size or 1 for size in spec.shape)
        if spec.dtype == "string":
            return np.full(shape, "numen", object)
        whole = source.integers(0, 2, shape)
        return (source.random(shape) if spec.numpy.kind == "f" else whole).astype(spec.numpy)

    return [{spec.name: made(spec) for spec in signature.inputs} for _ in range(_ROWS)]


def _body(row: Arrays, signature: Signature) -> tuple[int, bytes]:
    """A request's body, and the length of the JSON at its beginning."""
    data = [to_bytes(row[spec.name], spec) for spec in signature.inputs]
    tensors = [
        {
            "name": spec.name,
            "datatype": spec.datatype,
            "shape": row[spec.name].shape,
            "parameters": {"binary_data_size": len(part)},
        }
        for spec, part in zip(signature.inputs, data, strict=True)
    ]
    head = msgspec.json.encode({"inputs": tensors, "parameters": {"binary_data_output": True}})
    return len(head), b"".join([head, *data])


def _version(reply: httpx.Response) -> str:
    length = reply.headers.get("inference-header-content-length", "")
    head = reply.content[: int(length)] if length.isdigit() else reply.content
    try:
        return str(msgspec.json.decode(head)["model_version"])
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError):
        return "?"
