"""Every way to explain, on five models: how soon what it names takes the answer away, and its cost.

    python benchmarks/methods.py [--rows 64] [--pictures docs/pictures]

The figure is deletion (see numen.explain.faithful): what is left of the answer, from 0 to 1, on
average while what is named is taken away, the most important first. Lower is better, and an order
of chance stands beside it. Rows are test rows. Milliseconds are of a row in a batch of 16, one
thread. Prints a table in Markdown; --pictures draws a digit and a biopsy by every method.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from PIL import Image
from sklearn.datasets import load_breast_cancer

import numen
from numen.explain import ATTRIBUTION
from numen.explain.explanation import Explanation
from numen.explain.faithful import Rows, deletion
from numen.explain.graph import served, write
from numen.explain.perturb import METHODS
from numen.explain.perturb.planning import plans
from numen.runtime.onnx import OnnxRuntime
from numen.runtime.perturb import PerturbRuntime
from numen.runtime.trees import TreesRuntime

GRADIENTS = ("integrated-gradients", "gradient-x-input", "smoothgrad", "saliency")
BATCH = 16
Explain = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Subject:
    """A model, rows that it did not learn from, and what stands for a number that is gone."""

    title: str
    model: numen.Model
    rows: np.ndarray
    baseline: np.ndarray

    @property
    def name(self) -> str:
        return self.model.manifest.signature.inputs[0].name


def subjects(folder: Path, count: int) -> Iterator[Subject]:
    digits = numen.Dataset.open("sample:mnist")
    for family, epochs in (("mlp", 3), ("cnn", 2)):
        model = numen.train(digits, family, epochs=epochs)
        (rows,) = model.given(next(iter(digits.test.batches(count)))).values()
        yield Subject(f"digits, {family}", model, rows, np.zeros_like(rows[:1]))
    found = load_breast_cancer(as_frame=True)
    frame = found.frame
    frame["target"] = [found.target_names[code] for code in frame["target"]]
    frame.to_csv(folder / "biopsies.csv", index=False)
    biopsies = numen.Dataset.open(folder / "biopsies.csv", target="target")
    (usual,) = biopsies.train.arrays().inputs.values()
    for family in ("mlp", "boosting", "svm"):
        model = numen.train(biopsies, family)
        (rows,) = model.given(next(iter(biopsies.test.batches(count)))).values()
        yield Subject(f"biopsies, {family}", model, rows, usual.mean(0, keepdims=True))


def ways(subject: Subject, folder: Path) -> Iterator[tuple[str, Explain]]:
    """The methods that the model has, each as what explains rows."""
    graph = subject.model.bundle.file("predict.onnx")
    inner = subject.model.bundle.explanation()
    first = inner.manifest.variants[0]
    if first.name == "integrated-gradients":
        written = write(onnx.load(graph), subject.model.manifest.signature.outputs[0].name)
        for method in GRADIENTS:
            path = folder / f"{method}.onnx"
            onnx.save(served(written, {subject.name: subject.baseline}, method), path)
            yield method, opened(OnnxRuntime(), path, subject.name)
    if first.runtime == "trees":
        yield first.name, opened(TreesRuntime(), inner.file(first.file), subject.name)
    (folder / "graph.onnx").write_bytes(graph.read_bytes())
    golden = subject.model.bundle.golden().inputs[subject.name]
    exact, quick = plans(subject.model.manifest.preprocess, golden, graph.stat().st_size // 4)
    for method in METHODS:
        plan = quick if method == "occlusion" else replace(exact, method=method)
        path = folder / f"graph.{method}.npz"
        path.write_bytes(plan.pack())
        yield method, opened(PerturbRuntime(), path, subject.name)


def opened(runtime: object, path: Path, name: str) -> Explain:
    runtime.open(path, threads=1)
    asked = any(spec.name == "target" for spec in runtime.signature.inputs)

    def explain(x: np.ndarray) -> dict[str, np.ndarray]:
        return runtime.predict({name: x} | ({"target": np.full(len(x), -1)} if asked else {}))

    return explain


def judged(subject: Subject, explain: Explain) -> tuple[float, float, float, Explanation]:
    """Deletion, that of chance, milliseconds a row, and what was found of the first rows."""
    explain(subject.rows[:2])
    begin = time.perf_counter()
    parts = [explain(subject.rows[at : at + BATCH]) for at in range(0, len(subject.rows), BATCH)]
    spent = (time.perf_counter() - begin) / len(subject.rows) * 1e3
    values = np.concatenate([part[f"{ATTRIBUTION}{subject.name}"] for part in parts])
    output = subject.model.manifest.signature.outputs[0].name
    best = subject.model.runtime.predict({subject.name: subject.rows})[output].argmax(1)

    def score(rows: np.ndarray, row: int) -> np.ndarray:
        made = subject.model.runtime.predict({subject.name: rows.astype(np.float32)})
        return made[output][:, best[row]]

    found = deletion(score, Rows(subject.rows, values, None, subject.baseline))
    why = Explanation(subject.model.manifest, "", {subject.name: subject.rows[:BATCH]}, parts[0])
    return found["deletion"], found["deletion_random"], spent, why


def montage(pictures: list[bytes], path: Path) -> None:
    """Pictures side by side, on one page."""
    import io

    drawn = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    drawn = [each.resize((each.width // 2, each.height // 2)) for each in drawn]
    wide, high = max(e.width for e in drawn), max(e.height for e in drawn)
    across = 4 if wide < 250 else 2
    page = Image.new("RGB", (wide * across, high * -(-len(drawn) // across)), "white")
    for place, each in enumerate(drawn):
        page.paste(each, (place % across * wide, place // across * high))
    page.quantize(128).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--pictures", type=Path, help="where pictures go")
    said = parser.parse_args()
    cells: dict[str, dict[str, str]] = {}
    chance: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        os.environ["NUMEN_HOME"] = f"{name}/home"
        for place, subject in enumerate(subjects(Path(name), said.rows)):
            folder = Path(name) / str(place)
            folder.mkdir()
            drawn = []
            for method, explain in ways(subject, folder):
                left, random, spent, why = judged(subject, explain)
                cells.setdefault(method, {})[subject.title] = f"{left:.3f} · {spent:.2g} ms"
                chance[subject.title] = f"{random:.3f}"
                drawn.append(replace(why, method=method).picture())
            if said.pictures and place in (1, 3):
                said.pictures.mkdir(exist_ok=True)
                kind = subject.title.partition(",")[0]
                montage(drawn, said.pictures / f"{kind}-by-every-method.png")
    titles = list(chance)
    print("| | " + " | ".join(titles) + " |\n|" + "---|" * (1 + len(titles)))
    for method, found in {**cells, "an order of chance": chance}.items():
        print(f"| {method} | " + " | ".join(found.get(title, "–") for title in titles) + " |")


if __name__ == "__main__":
    main()
