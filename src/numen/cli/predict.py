"""`numen predict`: one input through a published model, no server involved."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from numen.cli import show
from numen.cli.complete import references
from numen.core.errors import InvalidInput
from numen.core.manifest import TextInput


def predict(
    model: Annotated[
        str, typer.Argument(help="name, name@3 or name@alias.", autocompletion=references)
    ],
    input_: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A picture, WAV, text, .json, .txt or .npy file, JSON, or -.",
        ),
    ],
    top: Annotated[int, typer.Option(help="How many labels to show.", min=1)] = 5,
    as_json: show.Json = False,
) -> None:
    """Predict one input."""
    from numen.api.workspace import load

    loaded = load(model)
    texts = isinstance(loaded.manifest.preprocess, TextInput)
    rows = loaded.classify(_text(input_) if texts else read(input_), top)
    if as_json:
        show.print_json(rows[0] if len(rows) == 1 else rows)
        return
    for row in rows:
        if "scores" in row:
            best = sorted(row["scores"].items(), key=lambda item: -item[1])
            _bars(best[: max(top, len(row["labels"]))], row["labels"])
        elif "top" in row:
            _bars((score["label"], score["probability"]) for score in row["top"])
        else:
            show.out.print(row)


def _bars(scores: Iterable[tuple[str, float]], said: Collection[str] = ()) -> None:
    """A bar for each label; those that the model says stand out."""
    for label, share in scores:
        name = f"{escape(label):>12}"
        name = f"[bold]{name}[/]" if label in said else name
        show.out.print(f"  {name} [cyan]{show.bar(share):<24}[/] {share:7.2%}")


def _text(text: str) -> Any:
    """A text as it is typed, unless it names a file, is JSON or stands for standard input."""
    if text == "-":
        return sys.stdin.buffer.read()
    path = Path(text)
    if path.suffix in (".txt", ".json") and (path.is_file() or len(text.split()) == 1):
        return read(text)  # one word that ends so was meant to be a file
    try:
        return read(text) if text.lstrip().startswith(("{", "[")) else text
    except InvalidInput:
        return text


def read(text: str) -> Any:
    """An input as it was typed: a file, JSON, or - for standard input.

    Raises:
        InvalidInput: There is no such file, or it is not what its name says.
    """
    if text == "-":
        return _parse(sys.stdin.buffer.read(), "standard input")
    if text.lstrip().startswith(("{", "[")):
        return _parse(text.encode(), "INPUT")
    path = Path(text)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}", field="input") from error
    if path.suffix == ".npy":
        import numpy as np

        try:
            return np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise InvalidInput(f"{path} is not an array file: {error}") from error
    return _parse(data, text) if path.suffix == ".json" else data


def _parse(data: bytes, where: str) -> Any:
    if data.lstrip()[:1] not in (b"{", b"["):
        return data
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{where} is not JSON: {error}", field="input") from error
