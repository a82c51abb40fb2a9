"""The model's card in Markdown: what was measured and what it was made of, nothing else.

What the model is meant for only people know, so its heading stands empty until they fill it in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from numen.core.bundle import EXPLANATION, MANIFEST
from numen.core.errors import CorruptBundle
from numen.core.manifest import Classification, Manifest
from numen.explain.overall import IMPORTANCE, Overall
from numen.train.evaluate.report import EVALUATION, METRICS, Report
from numen.train.selection import SELECTION, Selection

_LABELS: Final = 50
_WEAK: Final = 10
_COLUMNS: Final = 100
_WORTH: Final = 12
Found = TypeVar("Found", Report, Selection, Manifest, Overall)


def card(manifest: Manifest, files: Mapping[str, Path | bytes]) -> str:
    """The card.

    Args:
        manifest: What the bundle says.
        files: Those of its bundle, by their paths in it; of them what was measured is read.

    Raises:
        CorruptBundle: One of them is not what numen writes.
    """
    report = _read(files, EVALUATION, Report)
    columns = _read(files, SELECTION, Selection)
    inner = _read(files, f"{EXPLANATION}/{MANIFEST}", Manifest)
    whole = _read(files, IMPORTANCE, Overall)
    lines = [f"# {manifest.family or 'Model'}", "", "## Intended use", ""]
    lines += ["## Facts", "", *_facts(manifest), ""]
    lines += _inputs(manifest)
    if columns is not None:
        lines += _selection(columns)
    if manifest.metrics:
        lines += _metrics(manifest, report)
    if report is not None:
        lines += _weak(report) + _calibration(manifest, report) + _coverage(report)
    if whole is not None:
        lines += _importance(whole)
    if inner is not None:
        lines += _explanation(inner)
    if len(manifest.variants) > 1:
        lines += _variants(manifest)
    return "\n".join(lines).rstrip("\n") + "\n"


def _read(files: Mapping[str, Path | bytes], name: str, kind: type[Found]) -> Found | None:
    found = files.get(name)
    if found is None:
        return None
    try:
        text = found.read_bytes() if isinstance(found, Path) else found
        return msgspec.json.decode(text, type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptBundle(f"{name}: {error}") from error


def _facts(manifest: Manifest) -> Iterable[str]:
    recipe = manifest.recipe
    params = {**recipe, **recipe.get("params", {})}
    made = ", ".join(
        f"{name} {value}"
        for name, value in sorted(params.items())
        if isinstance(value, str | int | float)
    )
    facts = {
        "Framework": manifest.framework,
        "Data": f"{manifest.dataset} ({manifest.data[:19]})" if manifest.data else "",
        "Recipe": made,
        "Licence": manifest.licence,
        "Largest difference of the exported graph from its framework": (
            f"{manifest.parity:.2g}" if manifest.parity is not None else ""
        ),
    }
    return [f"- {name}: {value}" for name, value in facts.items() if value]


def _inputs(manifest: Manifest) -> list[str]:
    signature = manifest.signature
    rows = [("in", spec.name, str(spec)) for spec in signature.inputs]
    rows += [("out", spec.name, str(spec)) for spec in signature.outputs]
    lines = _table(("", "name", "type"), rows)
    columns = getattr(manifest.preprocess, "columns", ())
    if columns:
        names = ", ".join(column.name for column in columns[:_COLUMNS])
        lines += [f"Columns: {names}", ""]
    if isinstance(manifest.postprocess, Classification):
        lines += [f"Labels: {', '.join(manifest.postprocess.labels[:_LABELS])}", ""]
    return lines


def _selection(found: Selection) -> list[str]:
    left = ", ".join(f"{each.column} ({each.share:.0%})" for each in found.others[:_COLUMNS])
    lines = [
        "## Columns chosen",
        "",
        *_table(
            ("column", f"chosen in, of {found.resamples} halves of the rows"),
            ((each.column, f"{each.share:.0%}") for each in found.chosen),
        ),
        f"Left out, and chosen in so many: {left}",
        "",
    ]
    cost = found.cost
    if cost is not None:
        lines += [
            f"What that costs, on {cost.rows:,} training rows kept aside from choosing: "
            f"{cost.metric} {cost.all:.4f} with all columns, {cost.chosen:.4f} with these, "
            f"{cost.change:+.4f} (95 %: {cost.low:+.4f} to {cost.high:+.4f}).",
            "",
        ]
    return lines


def _metrics(manifest: Manifest, report: Report | None) -> list[str]:
    rows = []
    for name, value in sorted(manifest.metrics.items(), key=_order):
        where = report.intervals.get(name) if report else None
        rows.append((name, f"{value:.4f}", f"{where.low:.4f} to {where.high:.4f}" if where else ""))
    lines = ["## Metrics", "", *_table(("metric", "value", "95 % interval"), rows)]
    if report is not None:
        lines += [f"On {report.rows:,} test rows. {report.method}.", ""]
    return lines


def _order(item: tuple[str, float]) -> tuple[int, str]:
    name = item[0]
    return (METRICS.index(name) if name in METRICS else len(METRICS), name)


def _weak(report: Report) -> list[str]:
    lines = ["## Where it is weak", ""]
    if not report.slices:
        return [*lines, "No class or column has enough test rows to be looked at by itself.", ""]
    if not report.weak:
        return [*lines, "No class and no value of a column is worse than the rest.", ""]
    kind, _ = report.scored
    rows = [
        (f"{s.column} = {s.value}", f"{s.rows:,}", f"{s.score:.4f}", f"{s.low:.4f} to {s.high:.4f}")
        for s in report.weak[:_WEAK]
    ]
    return [*lines, *_table(("rows with", "rows", kind, "95 % interval"), rows)]


def _calibration(manifest: Manifest, report: Report) -> list[str]:
    if report.ece is None:
        return []
    lines = ["## Calibration", ""]
    lines += [f"Confidence and accuracy are {report.ece:.4f} apart on average (ECE, 10 bins)."]
    if "temperature" in manifest.metrics:
        lines += [f"Scores are divided by {manifest.metrics['temperature']:.4g} in the graph."]
    return [*lines, ""]


def _coverage(report: Report) -> list[str]:
    found = report.coverage
    if found is None:
        return []
    kind, size = ("Sets of labels", "A set has {:.3g} labels on average.")
    if report.accuracy is None:
        kind, size = ("Intervals", "An interval is {:.4g} wide.")
    return [
        "## Coverage",
        "",
        f"{kind} are meant to hold the truth of {found.level * 100:g} % of the rows or more. Set "
        f"on {found.set_on:,} rows that training did not learn from, they hold that of "
        f"{found.covered:.2%} of the test rows ({found.low:.2%} to {found.high:.2%}). "
        + size.format(found.size),
        "",
    ]


def _importance(whole: Overall) -> list[str]:
    rows = [
        (each.column, f"{each.loss.mean:.4f}", f"{each.loss.low:.4f} to {each.loss.high:.4f}")
        for each in whole.columns[:_WORTH]
    ]
    lines = ["## What it goes by", ""]
    lines += _table(("column", "loss without what it says", "95 % interval"), rows)
    return [*lines, f"On {whole.rows:,} test rows: {whole.method}.", ""]


def _explanation(inner: Manifest) -> list[str]:
    """How the model is explained, and how far that was found to be true on recorded samples."""
    found = inner.metrics
    lines = ["## Explanation", "", f"- Method: {inner.variants[0].name}"]
    if "deletion" in found:
        lines.append(
            "- When what it names is taken away, the most important first, "
            f"{found['deletion']:.3f} of the answer is left on average; in any order "
            f"{found['deletion_random']:.3f}"
        )
    if "stability" in found:
        lines.append(f"- Alike after a little noise: {found['stability']:.3f} of 1")
    if "randomised" in found:
        lines.append(
            f"- Alike when the weights are shuffled: {found['randomised']:.3f}; what was learnt "
            "should be gone, so near 0"
        )
    return [*lines, ""]


def _variants(manifest: Manifest) -> list[str]:
    names = sorted({name for v in manifest.variants for name in v.metrics})
    rows = [
        (v.name, *(f"{v.metrics[n]:.6g}" if n in v.metrics else "" for n in names))
        for v in manifest.variants
    ]
    return ["## Variants", "", *_table(("variant", *names), rows)]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [_row(head), _row(tuple("---" for _ in head))]
    return [*lines, *(_row(row) for row in rows), ""]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
