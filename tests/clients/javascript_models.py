"""A home with a small model of every kind the JavaScript client runs, and what to ask each."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import numen
from numen.data.dataset import Dataset
from train.kinds import KINDS


def people(folder: Path) -> Dataset:
    """Numbers, a category, a date and words, some of them missing."""
    source = np.random.default_rng(5)
    lines = ["age,home,joined,about,stays"]
    for i in range(120):
        age, home = int(source.integers(18, 80)), ("rents", "owns", "")[i % 3]
        joined = f"{1 + i % 28:02}.{1 + i % 12:02}.20{10 + i % 14}" if i % 7 else ""
        about = " ".join(source.choice(["early", "late", "Ünder", "often", "quiet", "42"], 9))
        lines.append(f"{age},{home},{joined},{about},{'yes' if age > 45 else 'no'}")
    (folder / "people.csv").write_text("\n".join(lines))
    return Dataset.open(
        folder / "people.csv", target="stays", columns={"joined": "date", "home": "category"}
    )


def drawings(folder: Path) -> Dataset:
    KINDS["pictures"](folder)
    return Dataset.open(folder, centre=True)


def make(home: Path, patch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Trains and publishes; returns what to ask each model: its name, and inputs as JSON has them.

    A file is `{"file": base64}`.
    """
    patch.setenv("NUMEN_HOME", str(home))
    sources: dict[str, tuple[Any, str, int]] = {
        "drawn": (drawings, "cnn", 2), "seen": (KINDS["pictures"], "mlp", 2),
        "people": (people, "boosting", 8), "reviews": (KINDS["text"], "words", 0),
        "tags": (KINDS["labels"], "linear", 0), "price": (KINDS["quantity"], "linear", 0),
        "speeds": (KINDS["quantities"], "linear", 0), "levels": (KINDS["windows"], "boosting", 4),
        "heard": (KINDS["sound"], "forest", 0),
    }  # fmt: skip
    for name, (source, family, epochs) in sources.items():
        (home / "data" / name).mkdir(parents=True)
        numen.train(source(home / "data" / name), family, name=name, epochs=epochs or None)
    dated = ["2021-03-04", "3.4.2019", "31 Jan 2020 13:05", "2020-02-29T23:59:59.5+02:00", "?"]
    return [
        {"model": "drawn", "inputs": [file(each) for each in pictures()]},
        {"model": "seen", "inputs": [file(each) for each in pictures()]},
        {"model": "people", "inputs": [
            {"age": age, "home": home_, "joined": joined, "about": "late and LATE, Ünder 42 – früh"}
            for age, home_, joined in zip((20, "55", 61.5, None, " 1e1 "),
                                          ("rents", "owns", "boat", None, "NA"), dated, strict=True)
        ]},
        {"model": "reviews", "inputs": ["great and warm", "it was awful, so COLD", "", "naïve 😀"]},
        {"model": "tags", "inputs": [{"a": 1.5, "b": -0.25}, {"a": "-2", "b": 3}]},
        {"model": "price", "inputs": [{"a": 1.5, "b": -0.25}]},
        {"model": "speeds", "inputs": [{"a": 1.5, "b": -0.25}]},
        {"model": "levels", "inputs": [
            [{"day": day, "value": day / 7, "who": "p"} for day in range(days)] for days in (3, 9)
        ]},
        {"model": "heard", "inputs": [file(tone(rate, 440)) for rate in (8000, 11025, 44100)]},
    ]  # fmt: skip


def file(content: bytes) -> dict[str, str]:
    return {"file": base64.b64encode(content).decode()}


def png(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def drawing(source: np.random.Generator, mode: str, ink: Any, paper: Any) -> Image.Image:
    """Some lines, thick or thin, over the edge or not."""
    width, height = (int(side) for side in source.integers(6, 180, 2))
    picture = Image.new(mode, (width, height), paper)
    points = [tuple(source.integers(-5, 185, 2).tolist()) for _ in range(source.integers(2, 7))]
    points[0] = (int(source.integers(0, width)), int(source.integers(0, height)))
    ImageDraw.Draw(picture).line(points, ink, int(source.integers(1, 20)), "curve")
    return picture


def pictures() -> list[bytes]:
    """Drawings of all sorts: on black, white, scanned and transparent paper, in all modes."""
    source = np.random.default_rng(7)
    dot = Image.new("L", (28, 28))
    dot.putpixel((27, 0), 255)
    made = [
        Image.new("L", (40, 30)),
        Image.new("L", (40, 30), 255),
        Image.new("L", (1, 9), 90),
        dot,
    ]
    for _ in range(12):
        scan = np.asarray(drawing(source, "L", 40, 215), int)
        scan = (scan + source.integers(-12, 12, scan.shape)).clip(0, 255).astype(np.uint8)
        made += [
            drawing(source, "L", 255, 0), drawing(source, "L", 0, 255), Image.fromarray(scan),
            drawing(source, "RGBA", (0, 0, 0, 255), (0, 0, 0, 0)),
            drawing(source, "RGB", (200, 30, 90), (250, 240, 230)),
        ]  # fmt: skip
    for mode in ("L", "RGB", "RGBA", "LA", "P", "1"):
        for _ in range(4):
            width, height = (int(side) for side in source.integers(1, 300, 2))
            noise = source.integers(0, 256, (height, width, 4), np.uint8)
            made.append(Image.fromarray(noise, "RGBA").convert(mode))
    return [png(picture) for picture in made]


def tone(rate: int, pitch: int) -> bytes:
    """Half a second of a tone on two channels, as a WAV file of 16 bits."""
    import wave

    wavy = np.sin(2 * np.pi * pitch * np.arange(rate // 2) / rate)
    written = io.BytesIO()
    with wave.open(written, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        both = np.stack([wavy * 9000, wavy * 20_000], axis=1)
        sound.writeframes(both.astype("<i2").tobytes())
    return written.getvalue()
