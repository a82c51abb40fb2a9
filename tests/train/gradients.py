"""Gradients of numen's families on whichever back end Keras runs on: run as a script, or called."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import numpy as np

from numen.data.dataset import Dataset
from numen.train.keras.backend import load_keras
from numen.train.keras.families import FAMILIES
from numen.train.recipe import make

STEADY = {"dropout": 0.0}  # what is drawn by lot differs between back ends
CASES = {
    "mlp-pictures": ("mlp", {"units": 16, "layers": 2, **STEADY}),
    "mlp-table": ("mlp", {"units": 16, "activation": "tanh", **STEADY}),
    "mlp-quantity": ("mlp", {"units": 16, **STEADY}),
    "cnn-pictures": ("cnn", {"filters": 4, "units": 16, **STEADY}),
    "resnet-pictures": ("resnet", {"filters": 4, "stages": 2, **STEADY}),
}


def datasets(folder: Path) -> dict[str, Dataset]:
    digits = Dataset.open("sample:mnist")
    few = {"train": digits.train.take(range(24)), "test": digits.test.take(range(4))}
    found = {"pictures": dataclasses.replace(digits, splits=few)}
    random = np.random.default_rng(0)
    for kind in ("table", "quantity"):
        lines = ["a,b,colour,goal"]
        for a, b in random.normal(3, 2, (40, 2)):
            goal = f"{a - b:.3f}" if kind == "quantity" else str(int(a > b) + int(a > 5))
            lines.append(f"{a:.3f},{'' if b < 0 else f'{b:.3f}'},{'rg'[int(a > 2)]},{goal}")
        (folder / f"{kind}.csv").write_text("\n".join(lines))
        found[kind] = Dataset.open(folder / f"{kind}.csv", target="goal")
    return found


def gradients(folder: Path) -> dict[str, np.ndarray]:
    """By case and place of the variable; the loss of each case too."""
    keras = load_keras()
    found = {}
    data = datasets(folder)
    for case, (family, params) in CASES.items():
        chosen = data[case.partition("-")[2]]
        recipe = make({"family": family, "params": params})
        model = FAMILIES[family].build(keras, chosen, recipe)
        random = np.random.default_rng(1)
        for variable in model.trainable_variables:
            variable.assign(random.normal(0, 0.2, variable.shape).astype("float32"))
        batch = chosen.train.arrays()
        x = batch.inputs[chosen.spec.name].astype("float32")
        loss = keras.losses.SparseCategoricalCrossentropy()
        if chosen.labels is None:
            loss = keras.losses.MeanSquaredError()
        y = batch.target.astype("float32")[:, None]
        value, each = _differentiate(keras, model, loss, x, y)
        found[f"{case}/loss"] = np.asarray(value)
        found |= {f"{case}/{i}": np.asarray(gradient) for i, gradient in enumerate(each)}
    return found


def _differentiate(keras, model, loss, x, y):
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        return value, tape.gradient(value, [v.value for v in model.trainable_variables])
    import jax

    from numen.train.keras.processor import matrix_products

    def of(variables):
        made, _ = model.stateless_call(
            variables, [v.value for v in model.non_trainable_variables], x, training=True
        )
        return loss(y, made)

    with matrix_products():
        return jax.value_and_grad(of)([v.value for v in model.trainable_variables])


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    here = Path(sys.argv[1])
    np.savez(here / "gradients.npz", **gradients(here))
