"""Digits on the page of Digit Duel: those that are committed, and drawing them there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

DRAWN = Path(__file__).with_name("drawn.jsonl")
SURE = 0.7  # as the game has it (src/game/reading.ts)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
_DRAW = """async ([digits, pace]) => {
  const find = (id) => document.querySelector(`[data-testid="${id}"]`);
  const frame = () => new Promise(requestAnimationFrame);
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const canvas = find("canvas");
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const send = (kind, [x, y]) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, isPrimary: true, button: 0, bubbles: true,
    clientX: left + x * width, clientY: top + y * height,
  }));
  const answers = [];
  for (const { strokes } of digits) {
    for (const { pen, points } of strokes) {
      find(`pen-${pen}`).click();
      await frame();
      send("pointerdown", points[0]);
      for (const point of points.slice(1)) {
        if (pace) await wait(pace);
        send("pointermove", point);
      }
      send("pointerup", points.at(-1));
    }
    const until = performance.now() + 10_000;
    do await frame(); while (find("reading").dataset.settled === undefined && performance.now() < until);
    if (pace) await wait(150);
    answers.push({
      shares: Array.from({ length: 10 }, (_, digit) => Number(find(`bar-${digit}`).style.getPropertyValue("--share"))),
      source: find("source")?.dataset.source ?? null,
    });
    find("clear").click();
    await frame();
  }
  return answers;
}"""


def drawn() -> list[dict[str, Any]]:
    """The committed digits: label, style, by script or by hand, strokes."""
    return [json.loads(line) for line in DRAWN.read_text("utf-8").splitlines()]


def draw_all(page: Page, digits: list[dict[str, Any]], pace: float = 0) -> list[dict[str, Any]]:
    """Draws digits one after the other before a round begins, each until it was read.

    Args:
        page: The game's, with nobody playing.
        digits: What to draw.
        pace: Milliseconds from point to point; 0 is at once.

    Returns:
        The share of each label, and who read it.
    """
    answers: list[dict[str, Any]] = page.evaluate(_DRAW, [digits, pace])
    return answers
