"""The kept results as Markdown, written between the marks of docs/benchmarks.md.

python benchmarks/report.py            # prints
python benchmarks/report.py --write    # rewrites the page
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from loads import LOADS, Load
from servers import CACHE

RESULTS = CACHE / "results"
PAGE = Path(__file__).parents[1] / "docs/benchmarks.md"
KINDS = {"json": "JSON", "binary": "binary", "grpc": "gRPC"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """One load: numen's figures, the peer's, and nginx's where it was there.

    The peer's are of its JSON where it has no binary tensors.
    """

    numen: Row
    peer: Row
    nginx: Row | None

    @property
    def load(self) -> Load:
        return Load(self.numen["kind"], self.numen["rows"], self.numen["connections"])

    @property
    def ratio(self) -> float:
        return self.numen["rps"] / self.peer["rps"]

    @property
    def share(self) -> float | None:
        return self.numen["rps"] / self.nginx["rps"] if self.nginx else None


def pairs(result: dict[str, Any]) -> Iterator[Pair]:
    """numen's figures of each load, with the peer's and nginx's."""
    found = {(r["server"], r["kind"], r["rows"], r["connections"]): r for r in result["figures"]}
    for row in result["figures"]:
        if row["server"] == "numen":
            load = row["rows"], row["connections"]
            same = found.get((result["peer"], row["kind"], *load))
            ceiling = found.get(("nginx", row["kind"], *load))
            yield Pair(row, same or found[result["peer"], "json", *load], ceiling)


def save(name: str, result: Row) -> None:
    """Keep a result; it replaces the one kept under that name."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2))


def peers(results: list[Row]) -> str:
    """The ratios of all, then each match whole."""
    heads = [
        f"{KINDS[load.kind]} {f'{load.rows} rows' if load.rows > 1 else f'× {load.connections}'}"
        for load in LOADS
    ]
    lines = [line("numen beside", *heads), line(*["---"] * (len(heads) + 1))]
    for result in results:
        cells = dict.fromkeys(LOADS, "")
        for pair in pairs(result):
            if pair.peer["kind"] == pair.numen["kind"]:
                cells[pair.load] = f"{pair.ratio:.1f}"
        lines.append(line(result["servers"][result["peer"]]["title"], *cells.values()))
    return "\n".join([*lines, "", *(match(result) for result in results)])


def match(result: Row) -> str:
    rival = result["servers"][result["peer"]]

    def both(key: str, digits: int) -> str:
        starts = (result["servers"][name]["starts"] for name in ("numen", result["peer"]))
        return " / ".join(f"{median(s[key] for s in own):.{digits}f}" for own in starts)

    verified = "; ".join(
        f"{KINDS[kind]} {v['requests']} distinct, {v['wrong']} wrong, gap {v['gap']:.0e}"
        for kind, v in result["verified"].items()
    )
    noise = max(row["other_cpu"] for row in result["figures"])
    heads = "load: rows × connections", "rows/s", "×", "of nginx", "p50 ms", "p99 ms", "failed"
    lines = [
        f"<details><summary>{rival['title']}</summary>\n",
        f"Its setting: {rival['setting']}. {result['date']}, {result['machine']},"
        f" Python {result['python']}; {result['rounds']} rounds of {result['seconds']} s."
        f" Memory {both('memory_mb', 0)} MB, start {both('start_s', 1)} s. Verified: {verified}."
        f" All else on the machine used up to {noise:.2f} CPUs.\n",
        line(*heads), line(*["---"] * len(heads)),
    ]  # fmt: skip
    for pair in pairs(result):
        own, other = pair.numen, pair.peer
        name = KINDS[own["kind"]] + (" beside JSON" if other["kind"] != own["kind"] else "")
        figures = [
            f"{own[key] * scale:,.{digits}f} / {other[key] * scale:,.{digits}f}"
            for key, scale, digits in (
                ("rps", own["rows"], 0), ("p50_ms", 1, 2), ("p99_ms", 1, 2), ("failed", 1, 0),
            )
        ]  # fmt: skip
        share = f"{pair.share:.0%}" if pair.share else ""
        load = f"{name}, {own['rows']} × {own['connections']}"
        lines.append(line(load, figures[0], f"{pair.ratio:.1f}", share, *figures[1:]))
    return "\n".join([*lines, "\n</details>\n"])


def computed(result: Row) -> str:
    """The CNN beside onnxruntime alone, and one worker beside two."""
    lines = [f"{result['date']}, {result['machine']}, Python {result['python']}:\n"]
    if found := result.get("batches"):
        heads = "rows a batch", "onnxruntime alone, rows/s", "numen, rows/s", "of it"
        lines += [line(*heads), line(*["---"] * len(heads))]
        for rows in (key.split()[1] for key in found if key.startswith("alone")):
            alone, served = found[f"alone {rows}"], found[f"numen {rows}"]
            lines.append(line(rows, f"{alone:,.0f}", f"{served:,.0f}", f"{served / alone:.2f}"))
        lines.append("")
    if found := result.get("workers"):
        heads = "64 rows a request", "one, rows/s", "two, rows/s", "×"
        lines += [line(*heads), line(*["---"] * len(heads))]
        for name, title in (("alone", "onnxruntime alone"), ("numen", "numen's workers")):
            one, two = found[f"{name} 1"], found[f"{name} 2"]
            lines.append(line(title, f"{one:,.0f}", f"{two:,.0f}", f"{two / one:.2f}"))
        shares = " and ".join(f"{found[f'load {n}']:.1%}" for n in (1, 2))
        lines += ["", f"The load generator took {shares} of a core.", ""]
    noise = result["noise"]
    lines.append(
        f"onnxruntime alone had at least {noise['share']:.0%} of its core; while numen ran,"
        f" all else on the machine used up to {noise['others']:.2f} CPUs."
    )
    return "\n".join(lines) + "\n"


def line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put it into docs/benchmarks.md")
    write = parser.parse_args().write
    found = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    compute = found.pop("compute", None)
    beside = [each for each in found.values() if "figures" in each]  # other scripts write there too
    sections = {"peers": peers(beside)} if beside else {}
    if compute:
        sections["compute"] = computed(compute)
    if write:
        page = PAGE.read_text()
        for name, text in sections.items():
            marked = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
            page = re.sub(marked, lambda m, t=text: m[1] + t + m[2], page, flags=re.DOTALL)
        PAGE.write_text(page)
    else:
        print("\n".join(sections.values()))


if __name__ == "__main__":
    main()
