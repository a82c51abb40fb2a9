"""Training beside tf.keras: the beginner's tutorial and a small CNN, in turn, with ratios.

    python benchmarks/train.py [--runs 3] [--seeds 5] [--epochs 5] [--only tutorial|cnn]

Every run is a process of its own: it imports, reads MNIST, builds, trains and measures, as a user's
script does. `keras` is the same script on Keras with JAX, without numen; where JAX trains,
TensorFlow is hidden, as `numen[train]` does not bring it and Keras loads whatever it finds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import host

ROADS = {"tf.keras": "tensorflow", "keras": "jax", "numen": "jax"}
# numen over tf.keras: how often as fast, at least.
WANTED = {"tutorial": {"fit": 5.0, "epoch": 8.0, "process": 2.5}, "cnn": {"fit": 1.5}}


def model_of(keras: object, kind: str) -> object:
    layers = keras.layers
    if kind == "tutorial":
        body = [layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dropout(0.2)]
    else:
        body = [
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
        ]
    model = keras.Sequential([keras.Input((28, 28)), *body, layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model


def train(road: str, kind: str, epochs: int, seed: int, rows: int) -> None:
    """One run; prints seconds and held-out accuracy as JSON."""
    os.environ["KERAS_BACKEND"] = ROADS[road]
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if road == "tf.keras":
        import tensorflow as tf

        keras = tf.keras
    else:
        sys.modules["tensorflow"] = None  # what `import` takes for "not installed"
        import keras
    import numpy as np

    from numen.data.dataset import Dataset

    data = Dataset.open("sample:mnist")
    learn, held = data.train.arrays(), data.test.arrays()
    x, y = learn.inputs["image"][:rows] / 255.0, learn.target[:rows]
    keras.utils.set_random_seed(seed)
    model = model_of(keras, kind)

    marks: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            marks.append(time.perf_counter())

    given = {"epochs": epochs, "verbose": 0, "callbacks": [Clock()]}
    began = time.perf_counter()
    if road == "numen":
        import numen

        numen.fit(model, x, y, **given)
    else:
        model.fit(x, y, **given)
    took = time.perf_counter() - began
    steady = [b - a for a, b in itertools.pairwise(marks)]
    _, accuracy = model.evaluate(held.inputs["image"] / 255.0, held.target, verbose=0)
    print(json.dumps({
        "fit": took, "epoch": statistics.median(steady or [took]),
        "accuracy": float(np.float64(accuracy)),
    }))  # fmt: skip


def run(road: str, kind: str, epochs: int, seed: int, rows: int) -> dict[str, float]:
    began = time.perf_counter()
    command = [sys.executable, __file__, "--one", road, "--only", kind]
    command += ["--epochs", str(epochs), "--seed", str(seed), "--rows", str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise SystemExit(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    return {**found, "process": time.perf_counter() - began}


def match(kind: str, epochs: int, runs: int, seeds: int, rows: int) -> bool:
    """Both in turn; prints a table and says whether what is wanted was reached."""
    found: dict[str, list[dict[str, float]]] = {road: [] for road in ROADS}
    for seed in range(max(runs, seeds)):
        for road in ROADS if seed < runs else ("tf.keras", "numen"):
            found[road].append(run(road, kind, epochs, seed, rows))
    print(f"\n{kind}: batch 32, {epochs} epochs, {rows} rows, median of {runs} runs")
    print(f"{'':<10}{'fit s':>9}{'epoch s':>9}{'process s':>11}{'accuracy':>10}")
    medians = {}
    for road, results in found.items():
        keys = ("fit", "epoch", "process")
        medians[road] = {k: statistics.median(r[k] for r in results[:runs]) for k in keys}
        accuracy = statistics.mean(r["accuracy"] for r in results)
        medians[road]["accuracy"] = accuracy
        m = medians[road]
        print(f"{road:<10}{m['fit']:>9.2f}{m['epoch']:>9.3f}{m['process']:>11.2f}{accuracy:>10.4f}")
    reached = True
    for figure, least in WANTED[kind].items():
        ratio = medians["tf.keras"][figure] / medians["numen"][figure]
        reached &= ratio >= least
        print(f"  {figure}: {ratio:.1f}x tf.keras (wanted {least:g}x)")
    gap = medians["numen"]["accuracy"] - medians["tf.keras"]["accuracy"]
    print(f"  accuracy: {gap:+.4f} over {max(runs, seeds)} seeds (wanted within 0.002)")
    return reached and abs(gap) <= 0.002


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="that are timed")
    parser.add_argument("--seeds", type=int, default=5, help="that accuracy is the mean of")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=60_000, help="of MNIST to train on")
    parser.add_argument("--only", choices=[*WANTED])
    parser.add_argument("--lock", type=Path, help="a file that those who measure here share")
    parser.add_argument("--one", choices=[*ROADS], help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        train(given.one, given.only, given.epochs, given.seed, given.rows)
        return
    print(*(f"{name}: {value}" for name, value in host.machine().items()), sep=", ")
    with host.locked(given.lock):
        kinds = [given.only] if given.only else [*WANTED]
        reached = [match(k, given.epochs, given.runs, given.seeds, given.rows) for k in kinds]
    sys.exit(not all(reached))


if __name__ == "__main__":
    main()
