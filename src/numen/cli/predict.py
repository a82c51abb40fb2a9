"""`numen predict`: one input through a published model, no server involved."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from numen.cli import show
from numen.cli.complete import references
from numen.core.conformal import Conformal
from numen.core.errors import InvalidInput
from numen.core.manifest import Manifest, TextInput

Input = Annotated[
    str,
    typer.Argument(
        metavar="INPUT", help="A picture, WAV, text, .json, .txt or .npy file, JSON, or -."
    ),
]


def predict(
    model: Annotated[
        str, typer.Argument(help="name, name@3 or name@alias.", autocompletion=references)
    ],
    input_: Input,
    top: Annotated[int, typer.Option(help="How many labels to show.", min=1)] = 5,
    as_json: show.Json = False,
) -> None:
    """Predict one input."""
    from numen.api.workspace import load

    loaded = load(model)
    rows = loaded.classify(given(input_, loaded.manifest), top)
    if as_json:
        show.print_json(rows[0] if len(rows) == 1 else rows)
        return
    level = _level(loaded.manifest)
    for row in rows:
        if "scores" in row:
            best = sorted(row["scores"].items(), key=lambda item: -item[1])
            _bars(best[: max(top, len(row["labels"]))], row["labels"])
        elif "top" in row:
            _bars((score["label"], score["probability"]) for score in row["top"])
            if level:
                show.out.print(f"  {level}: {escape(_either(row['set']))}")
        else:
            show.out.print(row)
            if level and isinstance(row.get("interval"), list):  # a target may be called so
                low, high = row["interval"]
                show.out.print(f"  {level}: {low:.6g} to {high:.6g}")


def _level(manifest: Manifest) -> str:
    """How often the model's sets or intervals are to hold the truth; empty where it has none."""
    how = manifest.postprocess
    found = how.conformal if how is not None else None
    return f"{found.level * 100:g} %" if isinstance(found, Conformal) else ""


def _either(labels: Sequence[str]) -> str:
    *others, last = labels
    return f"{', '.join(others)} or {last}" if others else last


def given(said: str, manifest: Manifest) -> Any:
    """What an INPUT says: a file's contents, JSON, standard input, or a text as it is typed.

    Raises:
        InvalidInput: It cannot be read.
    """
    return _text(said) if isinstance(manifest.preprocess, TextInput) else _read(said)


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
        return _read(text)  # one word that ends so was meant to be a file
    try:
        return _read(text) if text.lstrip().startswith(("{", "[")) else text
    except InvalidInput:
        return text


def _read(text: str) -> Any:
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
