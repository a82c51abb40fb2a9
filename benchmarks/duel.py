"""Digit Duel in Chromium: how many drawn digits are read rightly, and how soon.

Every digit of tests/play/drawn.jsonl is drawn on the page's own canvas and read over its WebSocket,
in `--pace` milliseconds from one point to the next. Printed: how many are right, an unsure one
counted as wrong, and apart; from the pen's last move to the bars that show what came of it, and to
the heat map, as the page itself measures them (percentiles of all that were shown).

    numen play digit-duel        # in one terminal
    python benchmarks/duel.py    # in another
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from play.drawing import FLAGS, SURE, draw_all, drawn  # noqa: E402

SEEN = {"duel:bars": "stroke to bars", "duel:heat": "stroke to heat map"}


def shown(page: Page) -> dict[str, np.ndarray]:
    """Milliseconds that the page measured, by what."""
    found: list[list[Any]] = page.evaluate(
        "performance.getEntriesByType('measure').map(({ name, duration }) => [name, duration])"
    )
    return {name: np.array([ms for what, ms in found if what == name]) for name in SEEN}


def told(digits: list[dict[str, Any]], answers: list[dict[str, Any]]) -> None:
    """Prints how many are right, of all and by how they were made."""
    verdicts = []
    for digit, answer in zip(digits, answers, strict=True):
        best = int(np.argmax(answer["shares"]))
        sure = answer["shares"][best] >= SURE
        verdicts.append(
            "unsure" if not sure else "right" if str(best) == digit["label"] else "wrong"
        )
        if verdicts[-1] != "right":
            read = f"{best} ({answer['shares'][best]:.2f})"
            print(f"  {verdicts[-1]:7} {digit['label']} {digit['style']}, {digit['by']}: {read}")
    for by in ("script", "hand", ""):
        some = [v for v, d in zip(verdicts, digits, strict=True) if not by or d["by"] == by]
        counts = Counter(some)
        sure = counts["right"] + counts["wrong"]
        print(
            f"{by or 'all':7} {len(some):4}  right {counts['right'] / len(some):.1%}  unsure "
            f"{counts['unsure']}  wrong {counts['wrong']}  right of the sure ones "
            f"{counts['right'] / max(sure, 1):.1%}"
        )
    print("read by", dict(Counter(answer["source"] for answer in answers)))


def main() -> None:
    """Draws, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000/play/digit-duel/")
    parser.add_argument("--pace", type=float, default=8, help="ms from point to point")
    options = parser.parse_args()
    digits = drawn()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(options.url)
        page.locator("[data-testid=wire][data-state=server]").wait_for(timeout=60_000)
        draw_all(page, digits[:10])  # what nobody has asked before is opened now
        page.evaluate("performance.clearMeasures()")
        answers = draw_all(page, digits, options.pace)
        times = shown(page)
        browser.close()
    told(digits, answers)
    for name, what in SEEN.items():
        p50, p95, p99 = np.percentile(times[name], [50, 95, 99])
        print(f"{what:18} {len(times[name]):5}  p50 {p50:.0f}  p95 {p95:.0f}  p99 {p99:.0f} ms")


if __name__ == "__main__":
    main()
