"""Recipes and families: the fields of a recipe, and the parameters of each built-in family."""

from __future__ import annotations

import re
from typing import Any, Final

from press.reference.code import described, find, one_line, sections

# Where each family says what it takes. A test holds this to the families there are.
PARAMS: Final = {
    "mlp": "numen.train.keras.families.MlpParams",
    "cnn": "numen.train.keras.families.CnnParams",
    "resnet": "numen.train.keras.families.ResnetParams",
    "sequence": "numen.train.keras.sequence.SequenceParams",
    "audio-cnn": "numen.train.keras.audio.AudioCnnParams",
    "text-cnn": "numen.train.keras.text.TextParams",
    "gru": "numen.train.keras.text.TextParams",
    "transformer": "numen.train.keras.text.TransformerParams",
    "transfer": "numen.train.keras.body.TransferParams",
    "words": "numen.train.bag.WordsParams",
    "linear": "numen.train.sklearn.LinearParams",
    "svm": "numen.train.svm.SvmParams",
    "forest": "numen.train.sklearn.ForestParams",
    "boosting": "numen.train.trees.Params",
    "xgboost": "numen.train.xgboost.Params",
}
_ANNOTATED = re.compile(r"Annotated\[(.*?), msgspec\.Meta\(.*?\)\]")
_BOUND = re.compile(r"\b(ge|gt|le|lt)=([-\w.*]+)")
_BOUNDS: Final = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_HEAD = """# Recipes and families

A recipe is a TOML file, the flags of `numen train`, or arguments of `numen.train`; the names are
the same. Written from the code.

## Fields of a recipe

| Field | Default | What |
|---|---|---|
"""
_MIDDLE = """
## Families

A family's own parameters stand in a recipe under `[params]`, or are given with `--set name=value`.
Where a default is `None`, what suits the data is taken. Your own `module:build` takes what its
function takes.
"""


def write() -> str:
    """The page."""
    recipe = find("numen.train.recipe.Recipe")
    said = described(recipe)
    rows = [f"| `{f.name}` | {_default(f)} | {said[f.name]} |" for f in _fields(recipe)]
    parts = [_HEAD + "\n".join(rows), _MIDDLE.strip()]
    for family, path in PARAMS.items():
        params = find(path)
        parts.append(f"### `{family}`")
        parts += [each.value for each in sections(params) if each.kind.value == "text"]
        parts.append(_table(params))
    return "\n\n".join(parts) + "\n"


def _table(params: Any) -> str:
    said = described(params)
    rows = [
        f"| `{f.name}` | {_kind(params, f)} | {_default(f)} | {said.get(f.name, '')} |"
        for f in [*_inherited(params), *_fields(params)]
    ]
    return "| Parameter | Kind | Default | What |\n|---|---|---|---|\n" + "\n".join(rows)


def _inherited(params: Any) -> list[Any]:
    bases = [str(base) for base in params.bases if "Struct" not in str(base)]
    return [field for base in bases for field in _fields(params.parent[base])]


def _fields(struct: Any) -> list[Any]:
    return [each for each in struct.members.values() if each.is_attribute]


def _kind(params: Any, field: Any) -> str:
    """The type in words: `int`, at least 1."""
    text = str(field.annotation)
    if text in params.parent.members and params.parent[text].is_attribute:
        text = str(params.parent[text].value)
    bounds = [f"{_BOUNDS[name]} {value}" for name, value in _BOUND.findall(text)]
    plain = _ANNOTATED.sub(r"\1", text)
    return ", ".join([f"`{one_line(plain)}`", *bounds])


def _default(field: Any) -> str:
    value = str(field.value)
    return f"`{one_line(value)}`" if value not in {"''", "{}", "PLAIN"} else ""
