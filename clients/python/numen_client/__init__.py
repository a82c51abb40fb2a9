"""Calls a numen server from Python. Knows HTTP and NumPy, and nothing of numen's insides.

client = Client("http://127.0.0.1:8000")
client.predict("digits", image)      # -> Prediction(label="7", probability=0.99, …)
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
from websockets.sync.client import connect

from numen_client.stream import Stream, StreamAnswer

__all__ = ["AsyncClient", "Client", "Prediction", "ServerError", "Stream", "StreamAnswer"]


class ServerError(Exception):
    """The server refused or failed. `status` is HTTP's, `code` is numen's."""

    def __init__(self, status: int, code: str, message: str, hint: str = ""):
        super().__init__(f"{message}; {hint}" if hint else message)
        self.status = status
        self.code = code
        self.hint = hint


@dataclass(frozen=True)
class Prediction:
    """What a model said of one input.

    Attributes:
        model: The model's name.
        version: The version that answered.
        label: The likeliest label, for a classifier.
        probability: Its probability.
        top: The likeliest labels with their probabilities.
        value: All the server said, as it said it.
        labels: Where an input carries any number of labels: those that are as likely as not.
        scores: And the probability of each.
    """

    model: str
    version: str
    label: str | None = None
    probability: float | None = None
    top: tuple[tuple[str, float], ...] = ()
    value: dict[str, Any] = field(default_factory=dict, repr=False)
    labels: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)


def _body(x: Any) -> tuple[bytes, str]:
    if isinstance(x, Path):
        x = x.read_bytes()
    if isinstance(x, bytes | bytearray | memoryview):
        data = bytes(x)
        if data[8:12] == b"WAVE":
            return data, "audio/wav"
        return data, "image/jpeg" if data[:2] == b"\xff\xd8" else "image/png"
    plain = x.tolist() if isinstance(x, np.ndarray | np.generic) else x
    return json.dumps(plain).encode(), "application/json"


def _prediction(reply: httpx.Response) -> Prediction:
    value = _checked(reply)
    top = tuple((row["label"], row["probability"]) for row in value.get("top", ()))
    made = Prediction(
        value["model"], value["version"], value.get("label"), value.get("probability"), top, value
    )
    labels, scores = value.get("labels"), value.get("scores")
    if isinstance(labels, list) and isinstance(scores, dict):  # not quantities called so
        made = replace(made, labels=tuple(labels), scores=scores)
    return made


def _checked(reply: httpx.Response) -> dict[str, Any]:
    try:
        value: dict[str, Any] = reply.json()
    except ValueError:
        value = {"error": reply.text[:200]}
    if reply.is_error:
        raise ServerError(
            reply.status_code,
            value.get("code", "unknown"),
            value.get("error", ""),
            value.get("hint", ""),
        )
    return value


def _predict_path(model: str) -> str:
    return f"/predict/{quote(model, safe='@')}"


def _infer_path(model: str) -> str:
    name, at, version = model.partition("@")
    where = f"/versions/{quote(version, safe='')}" if at else ""
    return f"/v2/models/{quote(name, safe='')}{where}/infer"


def _infer_body(inputs: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    body, length = _message(inputs, {}, {})
    return body, {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(length),
    }


def _message(
    inputs: dict[str, Any], fields: dict[str, Any], parameters: dict[str, Any]
) -> tuple[bytes, int]:
    """An infer message, and the length of the JSON at its beginning."""
    tensors = []
    parts = []
    for name, value in inputs.items():
        array = np.asarray(value)
        datatype = "BYTES" if array.dtype.kind in "OSU" else _DATATYPES.get(array.dtype.name)
        if datatype is None:
            raise TypeError(f'input "{name}": {array.dtype} cannot be sent')
        data = _to_bytes(array)
        parts.append(data)
        tensors.append(
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": datatype,
                "parameters": {"binary_data_size": len(data)},
            }
        )
    head = json.dumps(
        {**fields, "inputs": tensors, "parameters": {"binary_data_output": True, **parameters}},
        separators=(",", ":"),
    ).encode()
    return b"".join([head, *parts]), len(head)


def _to_bytes(array: np.ndarray[Any, Any]) -> bytes:
    """An array little-endian, row by row; texts each with their length as 4 bytes before them."""
    if array.dtype.kind not in "OSU":
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    texts = (v if isinstance(v, bytes) else str(v).encode() for v in array.reshape(-1))
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def _from_bytes(data: bytes, datatype: str, shape: list[int]) -> np.ndarray[Any, Any]:
    if datatype != "BYTES":
        dtype = np.dtype(_NAMES[datatype]).newbyteorder("<")
        return np.frombuffer(data, dtype).reshape(shape)
    texts = []
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        texts.append(data[at + 4 : end].decode())
        at = end
    return np.array(texts, object).reshape(shape)


def _infer_answer(reply: httpx.Response) -> dict[str, np.ndarray[Any, Any]]:
    length = reply.headers.get("inference-header-content-length")
    if reply.is_error or length is None:
        _checked(reply)
    body = reply.content
    return _outputs(json.loads(body[: int(length)]), body[int(length) :])


def _outputs(head: dict[str, Any], body: bytes) -> dict[str, np.ndarray[Any, Any]]:
    outputs = {}
    at = 0
    for tensor in head["outputs"]:
        end = at + tensor["parameters"]["binary_data_size"]
        outputs[tensor["name"]] = _from_bytes(body[at:end], tensor["datatype"], tensor["shape"])
        at = end
    return outputs


_NAMES = {
    "BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    **{f"{'U' * u}INT{bits}": f"{'u' * u}int{bits}" for u in (0, 1) for bits in (8, 16, 32, 64)},
}  # fmt: skip
_DATATYPES = {numpy: name for name, numpy in _NAMES.items()}


def _headers(key: str | None) -> dict[str, str]:
    key = os.environ.get("NUMEN_KEY") if key is None else key
    key = (key or "").strip()  # as it comes from a file with a line's end
    return {"authorization": f"Bearer {key}"} if key else {}


class Client:
    """A connection to a server.

    Args:
        url: Such as `http://127.0.0.1:8000`.
        key: An API key, where the server asks for one; `NUMEN_KEY` in the environment by default.
        timeout: Longest wait for an answer, in seconds.
    """

    def __init__(self, url: str, *, key: str | None = None, timeout: float = 30.0):
        self._http = httpx.Client(base_url=url, headers=_headers(key), timeout=timeout)

    def predict(self, model: str, x: Any) -> Prediction:
        """Asks the friendly door.

        Args:
            model: `digits`, `digits@3` or `digits@champion`.
            x: A picture's or a WAV's bytes or path; an object of named fields; an array of one row.

        Raises:
            ServerError: The server refused or failed.
        """
        body, kind = _body(x)
        reply = self._http.post(_predict_path(model), content=body, headers={"content-type": kind})
        return _prediction(reply)

    def infer(self, model: str, **inputs: Any) -> dict[str, np.ndarray[Any, Any]]:
        """Sends arrays as they are, by input name, and returns the outputs by name.

        Args:
            model: `digits`, `digits@3` or `digits@champion`.
            **inputs: Numbers, booleans or texts of the types the model takes.

        Raises:
            ServerError: The server refused or failed.
        """
        body, headers = _infer_body(inputs)
        reply = self._http.post(_infer_path(model), content=body, headers=headers)
        return _infer_answer(reply)

    def stream(self, model: str, *, latest: bool = False) -> Stream:
        """Opens a WebSocket to a model, for many requests under way at once.

        Args:
            model: `digits`, `digits@3` or `digits@champion`.
            latest: Whether a newer request cancels those that wait.

        Raises:
            websockets.exceptions.InvalidHandshake: The server refused.
        """
        url = self._http.base_url
        url = url.copy_with(scheme="wss" if url.scheme == "https" else "ws")
        path = f"/ws/{quote(model, safe='@')}" + "?latest=1" * latest
        timeout = self._http.timeout.read or 30.0
        key = self._http.headers.get("authorization")
        opening = connect(
            str(url.join(path)), additional_headers={"authorization": key} if key else None,
            compression=None, open_timeout=timeout, max_size=None,
        )  # fmt: skip
        return Stream(opening, _message, _outputs, timeout)

    def models(self) -> list[dict[str, Any]]:
        """The cards of all published models."""
        cards: list[dict[str, Any]] = _checked(self._http.get("/api/models"))["models"]
        return cards

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient:
    """As `Client`, for programs that await."""

    def __init__(self, url: str, *, key: str | None = None, timeout: float = 30.0):
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(key), timeout=timeout)

    async def predict(self, model: str, x: Any) -> Prediction:
        """Asks the friendly door; see `Client.predict`."""
        body, kind = _body(x)
        reply = await self._http.post(
            _predict_path(model), content=body, headers={"content-type": kind}
        )
        return _prediction(reply)

    async def infer(self, model: str, **inputs: Any) -> dict[str, np.ndarray[Any, Any]]:
        """Sends arrays as they are; see `Client.infer`."""
        body, headers = _infer_body(inputs)
        reply = await self._http.post(_infer_path(model), content=body, headers=headers)
        return _infer_answer(reply)

    async def models(self) -> list[dict[str, Any]]:
        """The cards of all published models."""
        cards: list[dict[str, Any]] = _checked(await self._http.get("/api/models"))["models"]
        return cards

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
