"""`numen change`: what would make a model answer otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from numen.cli import show
from numen.cli.predict import given
from numen.cli.quality import Ref
from numen.core.errors import InvalidInput

if TYPE_CHECKING:
    from numen.explain.counterfactual import Counterfactual


def change(
    model: Ref,
    input_: Annotated[
        str, typer.Argument(metavar="INPUT", help="One row: a .json file, JSON, or -.")
    ],
    to: Annotated[
        str, typer.Option(help="The label wanted; of a quantity a range: 10:20, 10: or :20.")
    ],
    vary: Annotated[str, typer.Option(help="Columns that may change: a,b; else all.")] = "",
    fix: Annotated[str, typer.Option(help="Columns that stay: a,b.")] = "",
    bounds: Annotated[
        list[str] | None,
        typer.Option(help="Between which values a number may change: age=18:70, age=18:."),
    ] = None,
    most: Annotated[int, typer.Option(help="How many are wanted at most.", min=1)] = 3,
    as_json: show.Json = False,
) -> None:
    """Say what would have to be different in a row for the model to answer otherwise."""
    from numen.api.workspace import load
    from numen.core.manifest import Regression

    loaded = load(model)
    row = given(input_, loaded.manifest)
    if isinstance(row, list) and len(row) == 1:
        (row,) = row
    if not isinstance(row, dict):
        raise InvalidInput("INPUT: expected one object of named fields", field="input")
    quantity = isinstance(loaded.manifest.postprocess, Regression)
    said = dict(_bound(text) for text in bounds or ())
    with show.err.status("looking for what is near"):
        found = loaded.counterfactual(
            row, _range(to, "--to") if quantity else to,
            vary=_names(vary), fix=_names(fix), bounds=said, most=most,
        )  # fmt: skip
    if as_json:
        show.print_json({"now": loaded.classify(row)[0], "changes": found})
        return
    now = loaded.classify(row)[0]
    show.out.print(f"now: {escape(_answer(now))}", highlight=False)
    for each in found:
        _tell(each)
    show.out.print(
        "[dim]what makes the model answer so, in a world where all else stays; not advice[/]"
    )


def _tell(found: Counterfactual) -> None:
    answer = escape(_answer(found.answer))
    show.out.print(f"[bold]{answer}[/], {found.distance:.2f} away", highlight=False)
    show.table(
        ("column", "now", "then"),
        (
            (c.column, "" if c.before is None else _plain(c.before), _plain(c.after))
            for c in found.changes
        ),
    )


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _answer(said: dict[str, object]) -> str:
    if "label" in said:
        return f"{said['label']} ({said['probability']:.1%})"
    return ", ".join(f"{name} {show.number(v)}" for name, v in said.items() if name != "scores")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _bound(text: str) -> tuple[str, tuple[float | None, float | None]]:
    name, equals, rest = text.rpartition("=")
    if not equals:
        raise InvalidInput(f"--bounds: expected NAME=LOW:HIGH, received {text!r}", field="bounds")
    return name, _range(rest, "--bounds")


def _range(text: str, where: str) -> tuple[float | None, float | None]:
    low, colon, high = text.partition(":")
    try:
        ends = tuple(float(each) if each.strip() else None for each in (low, high))
    except ValueError:
        colon = ""
    if not colon or ends == (None, None):
        raise InvalidInput(f"{where}: expected LOW:HIGH, LOW: or :HIGH, received {text!r}")
    return ends[0], ends[1]
