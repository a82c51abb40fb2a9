"""Gradients of numen's families on whichever back end Keras runs on: run as a script, or called."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import kinds
import numpy as np

from numen.data.dataset import Dataset
from numen.train.keras.backend import load_keras
from numen.train.keras.families import FAMILIES
from numen.train.recipe import make

STEADY = {"dropout": 0.0}  # what is drawn by lot differs between back ends
SMALL_TEXT = {"embedding": 8, "units": 6, **STEADY}
# By kind of data and family.
CASES = {
    "pictures/mlp": {"units": 16, "layers": 2, **STEADY},
    "columns/mlp": {"units": 16, "activation": "tanh", **STEADY},
    "gaps/mlp": {"units": 16, **STEADY},
    "pictures/cnn": {"filters": 4, "units": 16, **STEADY},
    "pictures/resnet": {"filters": 4, "stages": 2, **STEADY},
    "windows/sequence": {"filters": 8, "units": 8, **STEADY},
    "sound/audio-cnn": {"filters": 4, "units": 8, "bands": 16, **STEADY},
    "text/text-cnn": SMALL_TEXT,
    "text/gru": SMALL_TEXT,
    "text/transformer": {"heads": 2, **SMALL_TEXT},
    "pictures/transfer": {"units": 8, **STEADY},
}


def gaps(folder: Path) -> Dataset:
    """A quantity by columns some of whose values are missing, one of them a category."""
    random = np.random.default_rng(0)
    lines = ["a,b,colour,goal"]
    for a, b in random.normal(3, 2, (40, 2)):
        lines.append(f"{a:.3f},{'' if b < 0 else f'{b:.3f}'},{'rg'[int(a > 2)]},{a - b:.3f}")
    (folder / "gaps.csv").write_text("\n".join(lines))
    return Dataset.open(folder / "gaps.csv", target="goal")


def gradients(folder: Path) -> dict[str, np.ndarray]:
    """By case and place of the variable; the loss of each case too."""
    keras = load_keras()
    found = {}
    open_kind = {**kinds.KINDS, "gaps": gaps}
    data: dict[str, Dataset] = {}
    for case, params in CASES.items():
        kind, name = case.split("/")
        if kind not in data:
            (folder / kind).mkdir(parents=True)
            data[kind] = open_kind[kind](folder / kind)
        chosen, family = data[kind], FAMILIES[name]
        said = {"family": name, "params": params}
        if family.body:
            said["body"] = str(kinds.body(folder / "body.onnx"))
        recipe = make(said)
        front = family.front(chosen, recipe) if family.front else None
        model = family.build(keras, chosen, recipe, *([front] if front else []))
        random = np.random.default_rng(1)
        for variable in model.trainable_variables:
            variable.assign(random.normal(0, 0.2, variable.shape).astype("float32"))
        batch = chosen.train.arrays()
        x = batch.inputs[chosen.spec.name]
        x = x.astype("float32") if front is None else front.encode(x)
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
        each = tape.gradient(value, [v.value for v in model.trainable_variables])
        return value, [tf.convert_to_tensor(gradient) for gradient in each]
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
    np.savez(here / "gradients.npz", **gradients(here / "tensorflow"))
