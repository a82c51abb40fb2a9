"""What a model goes by, as one HTML page: bars of the columns, and curves of the first of them.

Drawn as text (SVG), so that it loads nothing, needs no library and follows light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from html import escape
from typing import Final

from numen.explain.overall.shuffled import Importance, Overall
from numen.explain.overall.varied import Dependence

CURVES: Final = 6  # columns whose curves are drawn
_LINES: Final = 5  # outputs that are drawn of each
_WIDE, _HIGH, _LEFT, _LOW = 360, 180, 44, 24
_STYLE: Final = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1a1a1a; --faint: #5c6470;
  --line: #d9dde3; --c0: #b3541e; --c1: #2f6db5; --c2: #3c8031; --c3: #8d4aa8; --c4: #7a6a00; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181d; --ink: #e6e6e6; --faint: #9aa4b2;
  --line: #333a44; --c0: #f0a060; --c1: #8fb4dc; --c2: #8fca80; --c3: #d0a0e8; --c4: #d8c860; } }
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .25rem .8rem .25rem 0; text-align: left; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { color: var(--faint); font-weight: 500; } td.bar { width: 40%; }
td.bar div { background: var(--c1); height: .8rem; min-width: 1px; }
p.small, figcaption { color: var(--faint); font-size: .85rem; }
figure { display: inline-block; margin: 0 1rem 1rem 0; max-width: 100%; }
svg { max-width: 100%; height: auto; } svg text { fill: var(--faint); font-size: 11px; }
svg path { fill: none; stroke-width: 2; } svg path.one { stroke-width: 1; opacity: .18; }
"""


def html(title: str, found: Overall, curves: Sequence[Dependence] = ()) -> str:
    """The page.

    Args:
        title: Such as `loans@3 on loans (test)`.
        found: What each column is worth.
        curves: What the model says along some of them.
    """
    parts = [
        "<!doctype html>",
        f'<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>",
        f"<p>{found.rows:,} rows; loss {found.loss:.4f}, error {found.error:.4f}</p>",
        "<h2>What the model goes by</h2>",
        "<table><tr><th>column<th><th>loss grows by<th>95 %<th>error grows by</tr>",
        *_bars(found.columns),
        f'</table><p class="small">{escape(found.method)}. Of columns that say the same, each '
        "looks worth little, as the model still has the others.</p>",
    ]
    if curves:
        parts.append("<h2>How its answer goes with a column</h2>")
        parts += map(_curve, curves)
        parts.append(
            '<p class="small">Thick: the mean over all rows, whose other columns stay as they '
            "are. Thin: single rows. This is what the model says, not what would happen.</p>"
        )
    return "\n".join(parts) + "\n</html>\n"


def _bars(columns: Sequence[Importance]) -> list[str]:
    most = max((each.loss.mean for each in columns), default=0) or 1
    return [
        f"<tr><td>{escape(each.column)}"
        f'<td class="bar"><div style="width:{max(0, each.loss.mean / most):.1%}"></div>'
        f"<td>{each.loss.mean:+.4f}<td>{each.loss.low:+.4f} to {each.loss.high:+.4f}"
        f"<td>{each.error.mean:+.4f}</tr>"
        for each in columns
    ]


def _curve(found: Dependence) -> str:
    # Of two labels one says what the other does.
    pair = len(found.outputs) == 2
    shown = [1] if pair else range(min(len(found.outputs), _LINES))
    single = found.each if len(shown) == 1 else ()
    lines = [[step[place] for step in found.mean] for place in shown]
    thin = [[step[shown[0]] for step in row] for row in single]
    low = min(map(min, [*lines, *thin]))
    high = max(map(max, [*lines, *thin]))
    along, names = _along(found.values), ", ".join(found.outputs[place] for place in shown)
    drawn = [_path(along, line, low, high, 'class="one" stroke="var(--c0)"') for line in thin]
    drawn += [
        _path(along, line, low, high, f'stroke="var(--c{n})"') for n, line in enumerate(lines)
    ]
    ends = [_told(value) for value in (found.values[0], found.values[-1])]
    return (
        f'<figure><svg viewBox="0 0 {_WIDE} {_HIGH}" width="{_WIDE}" role="img" '
        f'aria-label="{escape(names)} along {escape(found.column)}">{"".join(drawn)}'
        f'<text x="0" y="12">{high:.3g}</text><text x="0" y="{_HIGH - _LOW}">{low:.3g}</text>'
        f'<text x="{_LEFT}" y="{_HIGH - 6}">{escape(ends[0])}</text>'
        f'<text x="{_WIDE}" y="{_HIGH - 6}" text-anchor="end">{escape(ends[1])}</text></svg>'
        f"<figcaption>{escape(names)} along {escape(found.column)}</figcaption></figure>"
    )


def _path(
    along: Sequence[float], line: Sequence[float], low: float, high: float, style: str
) -> str:
    wide = (_WIDE - _LEFT - 4) / ((along[-1] - along[0]) or 1)
    scale = (_HIGH - _LOW - 8) / ((high - low) or 1)
    points = " ".join(
        f"{_LEFT + (place - along[0]) * wide:.1f},{_HIGH - _LOW - (value - low) * scale:.1f}"
        for place, value in zip(along, line, strict=True)
    )
    return f'<path {style} d="M{points}"/>'


def _along(values: Sequence[float | str]) -> list[float]:
    """Where values stand: numbers and dates by what they are, categories one after the other."""
    if not isinstance(values[0], str):
        return [float(value) for value in values]
    try:
        return [float(date.fromisoformat(str(value)).toordinal()) for value in values]
    except ValueError:
        return [float(place) for place in range(len(values))]


def _told(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
