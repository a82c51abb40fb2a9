"""How an answer of the Open Inference Protocol is to be written.

A client that sends the same message again and again wants its answers in the same form, so what
an answer's text says around the values is made once for every shape of the outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import orjson

from numen.core.signature import Array, TensorSpec
from numen.serve.live import Endpoint
from numen.transport import tensors
from numen.transport.binary import to_bytes

_MAX_TEXTS: Final = 64


class Form:
    """What a caller wants of an answer.

    Args:
        endpoint: Who answers.
        id: The caller's own id.
        wanted: The outputs, and which of them as binary tensors.
        seconds: The time it gives for the answer, from when the message is read.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        id: str | None,  # noqa: A002 - as the protocol calls it
        wanted: list[tuple[TensorSpec, bool]],
        seconds: float | None = None,
    ):
        self._endpoint = endpoint
        self.id = id
        self.seconds = seconds
        self._wanted = wanted
        self._texts: dict[tuple[tuple[int, ...], ...], list[bytes]] = {}
        # A text's length in bytes does not follow from its tensor's shape.
        self._steady = not any(binary and spec.dtype == "string" for spec, binary in wanted)
        self._start = b'{"model_name":"%b","model_version":"%b",%b"outputs":[' % (
            endpoint.name.encode(),
            endpoint.version.encode(),
            b"" if id is None else b'"id":%b,' % orjson.dumps(id),
        )

    @cached_property
    def all_binary(self) -> Form:
        """The same with all outputs as binary tensors."""
        return Form(self._endpoint, self.id, [(spec, True) for spec, _ in self._wanted])

    def without(self, starts: Sequence[str]) -> Form:
        """The same without the outputs that begin so."""
        wanted = [each for each in self._wanted if not each[0].name.startswith(tuple(starts))]
        return Form(self._endpoint, self.id, wanted, self.seconds)

    def write(self, outputs: dict[str, Array]) -> tuple[bytes, int | None]:
        """Writes an answer.

        Returns:
            The body, and the length of its JSON where binary tensors follow, else None.
        """
        arrays = [outputs[spec.name] for spec, _ in self._wanted]
        values: list[bytes] = []
        binary: list[bytes] = []
        for array, (spec, as_binary) in zip(arrays, self._wanted, strict=True):
            if as_binary:
                binary.append(to_bytes(array, spec))
            else:
                values.append(tensors.dump(array.reshape(-1)))
        shapes = tuple([array.shape for array in arrays])
        texts = self._texts.get(shapes)
        if texts is None:
            texts = self._around(shapes, binary)
            if self._steady and len(self._texts) < _MAX_TEXTS:
                self._texts[shapes] = texts
        if not values:
            text = texts[0]
        elif len(values) == 1:
            text = b"%b%b%b" % (texts[0], values[0], texts[1])
        else:
            text = b"".join(
                [part for pair in zip(texts, [*values, b""], strict=True) for part in pair]
            )
        if not binary:
            return text, None
        return b"".join([text, *binary]), len(text)

    def _around(self, shapes: tuple[tuple[int, ...], ...], binary: list[bytes]) -> list[bytes]:
        """The JSON in pieces, between which the values go."""
        texts: list[bytes] = []
        sizes = iter(map(len, binary))
        now = self._start
        for place, ((spec, as_binary), shape) in enumerate(zip(self._wanted, shapes, strict=True)):
            now += b"," * (place > 0)
            now += b'{"name":%b,"datatype":"%b","shape":%b,' % (
                orjson.dumps(spec.name),
                spec.datatype.encode(),
                orjson.dumps(shape),
            )
            if as_binary:
                now += b'"parameters":{"binary_data_size":%d}}' % next(sizes)
            else:
                texts.append(now + b'"data":')
                now = b"}"
        texts.append(now + b"]}")
        return texts
