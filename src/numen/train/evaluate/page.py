"""A report as something to read and to pass on: Markdown, and one HTML page with all in it.

The page loads nothing from anywhere, and follows the reader's choice of light or dark.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from numen.train.evaluate.charts import DARK, plots
from numen.train.evaluate.report import Comparison, Interval, Report

_STYLE: Final = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1a1a1a; --faint: #5c6470;
  --line: #d9dde3; --mark: #b3541e; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181d; --ink: #e6e6e6; --faint: #9aa4b2;
  --line: #333a44; --mark: #f0a060; } }
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block;
  overflow-x: auto; }
th, td { padding: .25rem .8rem .25rem 0; text-align: right; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 500; } th:first-child, td:first-child { text-align: left; }
p.small { color: var(--faint); font-size: .85rem; } .weak { color: var(--mark); font-weight: 600; }
img { max-width: min(100%, 36rem); height: auto; } figure { margin: 1rem 0; }
"""
_ALT: Final = {
    "confusion.png": "rows by true and predicted class",
    "calibration.png": "accuracy against confidence",
    "slices.png": "score of each slice with its interval",
}
HEADS: Final = {
    "Metrics": ("metric", "value", "95 % from", "to"),
    "Against": ("metric", "first", "second", "change", "95 % from", "to", "p", "better"),
    "Slices": ("slice", "rows", "score", "95 % from", "to", "p", "weak"),
    "Coverage": ("level", "set on rows", "covered", "95 % from", "to", "mean size"),
    "Classes": ("class", "precision", "recall", "f1", "rows"),
    "Labels": (
        "label",
        "precision",
        "recall",
        "f1",
        "f1 from … to",
        "average precision",
        "from … to",
        "auc",
        "rows",
    ),
    "Quantities": ("quantity", "mae", "from … to", "rmse", "from … to", "r2", "from … to"),
}


def markdown(title: str, report: Report, against: Comparison | None = None) -> str:
    """The report in Markdown; its pictures are files beside it.

    Args:
        title: Such as `digits@3 on mnist (test)`.
        report: What was measured.
        against: What a comparison said, if there was one.
    """
    lines = [f"# {title}", "", f"{report.rows:,} rows. {report.method}", ""]
    for name, rows in tables(report, against).items():
        head = HEADS[name]
        lines += [f"## {name}", "", _row(head), _row(["---", *["---:"] * (len(head) - 1)])]
        lines += [_row(row) for row in rows] + [""]
    if against is not None:
        lines += [against.method, ""]
    lines += [f"![{_ALT[name]}]({name})" for name in plots(report)]
    return "\n".join(lines) + "\n"


def html(title: str, report: Report, against: Comparison | None = None) -> str:
    """The report as one page with its pictures inside, light and dark; see `markdown`."""
    parts = [
        "<!doctype html>",
        f'<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style>",
        f"<h1>{escape(title)}</h1>",
        f'<p>{report.rows:,} rows</p><p class="small">{escape(report.method)}</p>',
    ]
    for name, rows in tables(report, against).items():
        parts += [f"<h2>{name}</h2>", _table(HEADS[name], rows)]
        if name == "Against" and against is not None:
            parts.append(f'<p class="small">{escape(against.method)}</p>')
    light, dark = plots(report), plots(report, DARK)
    parts += [_picture(light[name], dark[name], _ALT[name]) for name in light]
    return "\n".join(parts) + "\n</html>\n"


def tables(report: Report, against: Comparison | None = None) -> Mapping[str, list[list[str]]]:
    """The report's tables as cells of text, by name; those that are empty are left out."""
    metrics = []
    for name, value in report.metrics.items():
        where = report.intervals.get(name)
        metrics.append([name, _n(value), *((_n(where.low), _n(where.high)) if where else ("", ""))])
    compared = [
        [
            d.metric,
            _n(d.first),
            _n(d.second),
            _n(d.change),
            _n(d.low),
            _n(d.high),
            _n(d.p),
            d.better,
        ]
        for d in (against.differences if against else ())
    ]
    classes = {c.label for c in report.classes}
    ordered = sorted(report.slices, key=lambda s: (not s.weak, s.p))
    slices = [
        [f"{s.column} = {s.value}", f"{s.rows:,}", _n(s.score), _n(s.low), _n(s.high), _n(s.p),
         "weak" if s.weak else ""]
        for s in ordered
        if s.weak or s.value not in classes
    ]  # fmt: skip
    each = [
        [c.label, _n(c.precision), _n(c.recall), _n(c.f1), f"{c.support:,}"]
        for c in (report.classes if report.exact is None else ())
    ]
    found = {"Metrics": metrics, "Against": compared, "Coverage": _coverage(report)}
    found |= {"Slices": slices, "Classes": each}
    found |= {"Labels": _labels(report), "Quantities": _quantities(report)}
    return {name: rows for name, rows in found.items() if rows}


def _coverage(report: Report) -> list[list[str]]:
    """Of sets of labels, or of intervals."""
    c = report.coverage
    if c is None:
        return []
    return [[f"{c.level:g}", f"{c.set_on:,}", _n(c.covered), _n(c.low), _n(c.high), _n(c.size)]]


def _labels(report: Report) -> list[list[str]]:
    """Labels of which a row carries any number."""
    return [
        [c.label, _n(c.precision), _n(c.recall), _n(c.f1), _between(c.intervals.get("f1")),
         "" if c.ap is None else _n(c.ap), _between(c.intervals.get("ap")),
         "" if c.auc is None else _n(c.auc), f"{c.support:,}"]
        for c in (() if report.exact is None else report.classes)
    ]  # fmt: skip


def _quantities(report: Report) -> list[list[str]]:
    rows = []
    for q in report.quantities:
        cells = [q.name]
        for name, value in (("mae", q.mae), ("rmse", q.rmse), ("r2", q.r2)):
            cells += [_n(value), _between(q.intervals.get(name))]
        rows.append(cells)
    return rows


def _between(where: Interval | None) -> str:
    return f"{_n(where.low)} … {_n(where.high)}" if where else ""


def _n(value: float) -> str:
    return f"{value:.4f}" if abs(value) >= 1e-3 or value == 0 else f"{value:.1e}"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<table><tr>", *(f"<th>{escape(name)}</th>" for name in head), "</tr>"]
    for row in rows:
        marked = ' class="weak"' if row[-1] == "weak" else ""
        lines.append(f"<tr{marked}>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>")
    return "".join([*lines, "</table>"])


def _picture(light: bytes, dark: bytes, alt: str) -> str:
    sources = [f"data:image/png;base64,{base64.b64encode(made).decode()}" for made in (light, dark)]
    return (
        f'<figure><picture><source srcset="{sources[1]}" media="(prefers-color-scheme: dark)">'
        f'<img src="{sources[0]}" alt="{escape(alt)}"></picture></figure>'
    )
