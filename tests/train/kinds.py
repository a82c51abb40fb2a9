"""A tiny data set of each kind, written as its files and opened as anybody would."""

from __future__ import annotations

import json
import random
import struct
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from numen.data.dataset import Dataset

ROWS = 80


def pictures(folder: Path) -> Dataset:
    source = np.random.default_rng(3)
    for i in range(ROWS):
        label = ("dark", "light")[i % 2]
        pixels = source.integers(0, 120, (12, 12)) + 120 * (i % 2)
        (folder / label).mkdir(exist_ok=True, parents=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{i}.png")
    return Dataset.open(folder)


def columns(folder: Path, **said: object) -> Dataset:
    source = np.random.default_rng(3)
    lines = ["a,b,kind,goal"]
    for i in range(ROWS):
        a, b = source.normal(0, 1, 2)
        lines.append(f"{a:.3f},{b:.3f},{'xyz'[i % 3]},{'yes' if a + b > 0 else 'no'}")
    (folder / "t.csv").write_text("\n".join(lines))
    return Dataset.open(folder / "t.csv", target="goal", **said)


def quantity(folder: Path) -> Dataset:
    source = np.random.default_rng(3)
    rows = [f"{a:.3f},{b:.3f},{3 * a - b:.3f}" for a, b in source.normal(0, 1, (ROWS, 2))]
    (folder / "q.csv").write_text("a,b,goal\n" + "\n".join(rows))
    return Dataset.open(folder / "q.csv", target="goal")


def windows(folder: Path) -> Dataset:
    source = np.random.default_rng(3)
    lines, level = ["who,day,value,goal"], 0.0
    for who in ("p", "q", "r", "s"):
        for day in range(30):
            level = 0.8 * level + source.normal()
            lines.append(f"{who},{day},{level:.3f},{'up' if level > 0 else 'down'}")
    (folder / "w.csv").write_text("\n".join(lines))
    return Dataset.open(
        folder / "w.csv", target="goal", group="who", order="day", window=5,
        columns={"day": "number"},
    )  # fmt: skip


def text(folder: Path) -> Dataset:
    words = random.Random(3)
    good, bad = ["great", "fine", "lovely", "warm"], ["awful", "poor", "cold", "sad"]
    lines = ["review,goal"]
    for i in range(ROWS):
        said = words.choices(good if i % 2 else bad, k=4) + words.choices(["the", "it", "was"], k=3)
        words.shuffle(said)
        lines.append(f"{' '.join(said)},{'good' if i % 2 else 'bad'}")
    (folder / "x.csv").write_text("\n".join(lines))
    return Dataset.open(folder / "x.csv", target="goal", columns={"review": "text"})


def quantities(folder: Path) -> Dataset:
    source = np.random.default_rng(3)
    rows = [
        f"{a:.3f},{b:.3f},{3 * a - b:.3f},{100 * b:.3f}" for a, b in source.normal(0, 1, (ROWS, 2))
    ]
    (folder / "m.csv").write_text("a,b,speed,price\n" + "\n".join(rows))
    return Dataset.open(folder / "m.csv", target="speed,price")


def labels(folder: Path) -> Dataset:
    source = np.random.default_rng(3)
    lines = ["a,b,tags"]
    for a, b in source.normal(0, 1, (ROWS, 2)):
        lines.append(f"{a:.3f},{b:.3f},{';'.join(n for n, v in (('hot', a), ('wet', b)) if v > 0)}")
    (folder / "n.csv").write_text("\n".join(lines))
    return Dataset.open(folder / "n.csv", target="tags", separator=";")


def tagged(folder: Path) -> Dataset:
    words = random.Random(3)
    known = {"fire": ["burn", "flame", "hot"], "ice": ["cold", "frost", "snow"]}
    lines = []
    for _ in range(ROWS):
        tags = [tag for tag in known if words.random() < 0.5]
        said = [words.choice(known[tag]) for tag in tags] + words.choices(["the", "it", "was"], k=3)
        lines.append(json.dumps({"text": " ".join(said), "labels": tags}))
    (folder / "g.jsonl").write_text("\n".join(lines))
    return Dataset.open(folder / "g.jsonl")


def sound(folder: Path) -> Dataset:
    for i in range(ROWS // 2):
        label, pitch = (("low", 300), ("high", 1200))[i % 2]
        (folder / label).mkdir(exist_ok=True, parents=True)
        with wave.open(str(folder / label / f"{i}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            tone = np.sin(2 * np.pi * (pitch + i) * np.arange(2000) / 8000)
            file.writeframes(struct.pack("<2000h", *(int(12_000 * v) for v in tone)))
    return Dataset.open(folder)


KINDS: dict[str, Callable[[Path], Dataset]] = {
    "pictures": pictures, "columns": columns, "quantity": quantity, "windows": windows,
    "text": text, "sound": sound, "quantities": quantities, "labels": labels, "tagged": tagged,
}  # fmt: skip


def body(path: Path) -> Path:
    """A network of pictures of 12 by 12, trained by nobody, for a family to learn behind."""
    weights = np.random.default_rng(3).standard_normal((144, 8)).astype(np.float32) / 12
    top = np.ones((8, 2), np.float32)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["flat"]),
         helper.make_node("MatMul", ["flat", "w"], ["low"]),
         helper.make_node("Tanh", ["low"], ["seen"]),
         helper.make_node("MatMul", ["seen", "top"], ["y"])],
        "body",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 12, 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(top, "top")],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path
