"""What can be asked of an explanation's bundle, and what came out as people read it.

The doors differ in how a question arrives; what may be asked, what a column or a word is and what
is drawn of it is said here, once.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from numen.core.errors import InvalidInput
from numen.core.manifest import (
    AudioInput,
    Column,
    ColumnsInput,
    ImageInput,
    Manifest,
    Regression,
    TextInput,
    WindowInput,
    places,
)
from numen.core.signature import Array, Arrays, Signature
from numen.explain import ATTRIBUTION, EXPECTED, TARGET, TOKENS, UNCERTAINTY, picture

_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True)
class Explainer:
    """What may be asked of a model that explains another.

    Attributes:
        manifest: Of its bundle.
        signature: What it takes and gives.
    """

    manifest: Manifest
    signature: Signature

    @property
    def methods(self) -> list[str]:
        """How it explains: the usual way first."""
        beside = (spec.name.partition(":") for spec in self.signature.outputs)
        names = [n for n, colon, _ in beside if colon and f"{n}:" not in (ATTRIBUTION, UNCERTAINTY)]
        return [self.manifest.variants[0].name, *dict.fromkeys(names)]

    def method(self, asked: Any = None) -> str:
        """The method that is asked for; the usual one where none is.

        Raises:
            InvalidInput: It is not known.
        """
        known = self.methods
        if asked is not None and asked not in known:
            raise InvalidInput(
                f"method: expected one of {', '.join(known)}, received {asked!r}", field="method"
            )
        return known[0] if asked is None else str(asked)

    def target(self, asked: Any) -> int:
        """The place of the label that is asked about, by place or by name.

        Raises:
            InvalidInput: There is no such label.
        """
        labels = list(getattr(self.manifest.postprocess, "labels", ()))
        if asked in labels:
            return labels.index(asked)
        if type(asked) is not int or not 0 <= asked < len(labels):
            known = ", ".join(labels[:20]) + (" …" if len(labels) > 20 else "")
            raise InvalidInput(
                f"target: expected one of the labels {known or '(the model has none)'} or its "
                f"place, received {asked!r}",
                field=TARGET,
            )
        return asked

    def about(self, inputs: Arrays, target: Any = None) -> dict[str, Array]:
        """The inputs with the label that is asked about, if one is; see `target`."""
        if target is None:
            return dict(inputs)
        rows = len(next(iter(inputs.values())))
        return {**inputs, TARGET: np.full(rows, self.target(target))}

    def explanation(
        self, method: str, inputs: Arrays, outputs: Arrays, served_by: str = ""
    ) -> Explanation:
        """What was found, by one of the methods.

        Args:
            method: One of `methods`.
            inputs: What was asked.
            outputs: What came out.
            served_by: The variant that answered, where that was not the usual one.
        """
        chosen = dict(outputs)
        for name in outputs:
            other = f"{method}:{name.removeprefix(ATTRIBUTION)}"
            if name.startswith(ATTRIBUTION) and other in outputs:
                chosen[name] = outputs[other]
        others = tuple(f"{each}:" for each in self.methods)
        kept = {name: array for name, array in chosen.items() if not name.startswith(others)}
        return Explanation(self.manifest, served_by or method, inputs, kept)


@dataclass(frozen=True)
class Explanation:
    """Why a model answered so, for a batch of rows.

    Attributes:
        manifest: Of the explanation's bundle: what a row is, and what an answer.
        method: How it was found.
        inputs: The rows, by the names of inputs, and `target` where a label was asked about.
        outputs: The model's answer, `attribution:INPUT` as the input is shaped, and what else
            belongs to the method, such as `expected`.
    """

    manifest: Manifest
    method: str
    inputs: Arrays
    outputs: dict[str, Array]

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def values(self) -> Array:
        """Attributions of the first input, `[rows, …]` as that is; of a text, of its tokens."""
        return self.outputs[f"{ATTRIBUTION}{self._input}"]

    @property
    def _input(self) -> str:
        return self.manifest.signature.inputs[0].name

    def answer(self, row: int = 0) -> str:
        """What is explained: the label that was asked about or is likeliest, or the value."""
        how = self.manifest.postprocess
        if how is None:
            return ""
        scores = np.asarray(self.outputs[how.output][row]).reshape(-1)
        if isinstance(how, Regression):
            return f"{how.target} = {scores[0]:.4g}"
        asked = int(self.inputs[TARGET][row]) if TARGET in self.inputs else -1
        place = asked if asked >= 0 else int(scores.argmax())
        # A single probability is that of the last label.
        label = how.labels[place if len(scores) > 1 else -1]
        return f"{label} ({scores[place]:.1%})"

    def parts(self, row: int = 0) -> list[dict[str, Any]]:
        """A row's attributions by column or by token, in their order; nothing of other inputs.

        Returns:
            Objects of `column`, `value` and `attribution`, or of `token` and `attribution`, with an
            `uncertainty`, a standard error, where it was sampled. The numbers that one column
            became count together.
        """
        how = self.manifest.preprocess
        if TOKENS in self.outputs:
            tokens = [str(token) for token in self.outputs[TOKENS][row]]
            return [
                {"token": token, **self._numbers(row, slice(place, place + 1))}
                for place, token in enumerate(tokens)
                if token
            ]
        if not isinstance(how, ColumnsInput) or self.values.ndim != 2:
            return []
        given = self.inputs[self._input][row]
        columns = ((slice(at, at + column.width), column) for at, column in places(how.columns))
        return [
            {
                "column": column.name,
                "value": _value(column, given[place]),
                **self._numbers(row, place),
            }
            for place, column in columns
        ]

    def _numbers(self, row: int, place: slice) -> dict[str, float]:
        said = {"attribution": float(self.values[row, place].sum())}
        errors = self.outputs.get(f"{UNCERTAINTY}{self._input}")
        return said if errors is None else {**said, "uncertainty": float(errors[row, place].sum())}

    def as_dict(self, row: int = 0) -> dict[str, Any]:
        """A row's explanation as plain data: `answer`, `method`, `parts` or `values`."""
        said: dict[str, Any] = {"answer": self.answer(row), "method": self.method}
        if EXPECTED in self.outputs:
            said[EXPECTED] = float(self.outputs[EXPECTED][row])
        parts = self.parts(row)
        return said | ({"parts": parts} if parts else {"values": self.values[row].tolist()})

    def picture(self, row: int = 0) -> bytes:
        """A row's explanation as a PNG: heat over a picture, bars of columns, coloured words.

        Raises:
            InvalidInput: The input is of no kind that is drawn.
        """
        how = self.manifest.preprocess
        title = f"{self.answer(row)} · {self.method}"
        given, values = self.inputs[self._input][row], np.asarray(self.values[row])
        if isinstance(how, ImageInput):
            return picture.heat(*self.heat(row), title)
        if isinstance(how, AudioInput):
            return picture.wave(given, values, title)
        if isinstance(how, WindowInput):
            return picture.grid(*self.grid(row), title)
        parts = self.parts(row)
        if parts and isinstance(how, TextInput):
            tokens = [part["token"] for part in parts]
            return picture.words(tokens, np.array([part["attribution"] for part in parts]), title)
        if parts:
            said = [f"{part['column']} = {picture.short(part['value'])}" for part in parts]
            return picture.bars(said, np.array([part["attribution"] for part in parts]), title)
        raise InvalidInput(
            "no picture is drawn of such an input", hint="ask for application/json", field="Accept"
        )

    def heat(self, row: int = 0) -> tuple[Array, Array]:
        """A picture's pixels, `uint8[h, w]` or `[h, w, 3]`, and its attributions `float[h, w]`."""
        how = self.manifest.preprocess
        assert isinstance(how, ImageInput)
        given, values = np.asarray(self.inputs[self._input][row], float), self.values[row]
        pixels = (given - how.offset) / (how.scale or 1)
        if how.layout == "chw":
            pixels, values = pixels.transpose(1, 2, 0), values.transpose(1, 2, 0)
        flat = values.reshape(how.height, how.width, -1).sum(-1)
        return pixels.reshape(how.shape).clip(0, 255).astype(np.uint8), flat

    def grid(self, row: int = 0) -> tuple[list[str], Array]:
        """A window's columns and its attributions, `float[columns, steps]`."""
        how = self.manifest.preprocess
        assert isinstance(how, WindowInput)
        values = self.values[row]
        sums = [values[:, at : at + column.width].sum(1) for at, column in places(how.columns)]
        return [column.name for column in how.columns], np.stack(sums)

    def plot(self, row: int = 0) -> Image.Image:
        """A row's explanation as a picture in hand; notebooks show it."""
        return Image.open(io.BytesIO(self.picture(row)))

    def save(self, path: str | Path, row: int = 0) -> Path:
        """Writes a row's explanation as a PNG.

        Raises:
            InvalidInput: The file cannot be written, or nothing is drawn of such an input.
        """
        try:
            Path(path).write_bytes(self.picture(row))
        except OSError as error:
            raise InvalidInput(f"cannot write {path}: {error.strerror}", field="out") from error
        return Path(path)

    def _repr_png_(self) -> bytes | None:
        try:
            return self.picture()
        except InvalidInput:
            return None


def _value(column: Column, numbers: Array) -> Any:
    """What a column said, from the numbers it became; None where it said nothing."""
    first = float(numbers[0])
    if column.words:
        return f"{int(np.nansum(numbers))} words"
    if np.isnan(first):
        return None
    if column.categories is not None:
        place = int(first)
        return column.categories[place] if 0 <= place < len(column.categories) else None
    if column.date:
        return (_EPOCH + timedelta(days=first)).isoformat()
    return first


def said_of(parameters: Mapping[str, Any]) -> tuple[Any, Any]:
    """The method and the target that a request's parameters ask for.

    Raises:
        InvalidInput: One is said that was fixed at publishing.
    """
    for fixed in ("steps", "baseline"):
        if fixed in parameters:
            raise InvalidInput(
                f"{fixed}: an explanation that is served goes a way that was fixed when the model "
                "was published, so that those of many callers run together",
                hint="leave it out",
                field=fixed,
            )
    return parameters.get("method"), parameters.get(TARGET)
