"""What every trainer promises, for every family it has and every kind of data it takes."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from numen.core.errors import InvalidInput
from numen.core.manifest import Classification, Regression
from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.find import families, trainer_for
from numen.train.recipe import make

QUICK = {
    "mlp": {"epochs": 4, "batch_size": 8, "learning_rate": 0.01, "params": {"units": 16}},
    "cnn": {"epochs": 2, "params": {"filters": 4, "units": 16}},
    "resnet": {"epochs": 4, "params": {"filters": 4, "stages": 2}},
    "forest": {"epochs": 10},
    "linear": {},
    "boosting": {"epochs": 8, "params": {"min_data_in_leaf": 5}},
    "xgboost": {"epochs": 8},
    "sequence": {"epochs": 4, "batch_size": 8, "params": {"filters": 8, "units": 16}},
}
OF_TEXTS = {
    "words": {},
    "text-cnn": {"params": {"units": 8, "embedding": 8}},
    "gru": {"params": {"units": 4, "embedding": 8}},
    "transformer": {"params": {"units": 8, "embedding": 8, "heads": 2, "blocks": 2}},
}
ONLY = {
    "cnn": ("pictures",), "resnet": ("pictures",), "sequence": ("windows",),
    "xgboost": ("classes", "quantity", "windows"),
    **dict.fromkeys(OF_TEXTS, ("texts",)),
}  # fmt: skip
CASES = [
    (family, kind)
    for family in QUICK
    for kind in ("pictures", "classes", "quantity", "windows")
    if family not in ONLY or kind in ONLY[family]
]
CASES += [(family, "texts") for family in OF_TEXTS]
for network in ("text-cnn", "gru", "transformer"):
    OF_TEXTS[network] |= {"epochs": 6, "learning_rate": 0.02, "batch_size": 32}
QUICK |= OF_TEXTS
# Families that grow in epochs, of which one alone is a model already.
STEADY = ["mlp", "forest", "boosting", "xgboost"]


def kind_of(family: str) -> str:
    return ONLY.get(family, ("pictures",))[0]


class Told:
    """Remembers what it was told; presses Ctrl-C after an epoch if asked to."""

    def __init__(self, stop_after: int = 0):
        self.stop_after = stop_after
        self.epochs: list[int] = []
        self.begun: list[tuple[int, int]] = []
        self.steps = 0
        self.notes: list[str] = []

    def begin(self, epochs, steps):
        self.begun.append((epochs, steps))

    def step(self, metrics):
        self.steps += 1
        if self.stop_after and len(self.epochs) >= self.stop_after:
            raise KeyboardInterrupt

    def epoch(self, number, metrics):
        self.epochs.append(number)

    def note(self, message):
        self.notes.append(message)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        digits = Dataset.open("sample:mnist")
        tables = {}
        for kind in ("classes", "quantity"):
            write_table(folder / f"{kind}.csv", kind)
            tables[kind] = Dataset.open(folder / f"{kind}.csv", target="goal")
        tables["windows"] = Dataset.open(folder / "classes.csv", target="goal", window=3)
        write_texts(folder / "texts.jsonl")
        tables["texts"] = Dataset.open(folder / "texts.jsonl")
    few = {"train": digits.train.take(range(600)), "test": digits.test.take(range(200))}
    return {"pictures": dataclasses.replace(digits, splits=few), **tables}


def write_table(path: Path, kind: str, rows: int = 400) -> None:
    """Two numbers, one of them far from 0, and a category; some of each missing."""
    random = np.random.default_rng(5)
    a, b = random.normal(0, 1, rows), random.normal(5e4, 2e3, rows)
    colour = random.integers(0, 3, rows)
    score = a + (b - 5e4) / 2e3 + np.array([0, 2, -2])[colour]
    goal = [f"{100 + 40 * s:.3f}" for s in score]
    if kind == "classes":
        goal = [["low", "middle", "high"][int(s > -1) + int(s > 1)] for s in score]
    lines = ["a,b,colour,goal"]
    for i in range(rows):
        fields = [f"{a[i]:.4f}", f"{b[i]:.2f}", ["red", "green", "blue"][colour[i]]]
        if i % 11 == 3:
            fields[i % 3] = ""
        lines.append(",".join([*fields, goal[i]]))
    path.write_text("\n".join(lines))


def write_texts(path: Path, rows: int = 240) -> None:
    """Opinions of two kinds, by the words in them; one text is empty."""
    random = np.random.default_rng(5)
    kinds = {"good": ["fine", "great", "lovely", "warm"], "bad": ["dull", "weak", "poor", "cold"]}
    lines = []
    for n in range(rows):
        label = list(kinds)[n % 2]
        words = [*random.choice(kinds[label], 3), *random.choice(["the", "a", "plot", "Été"], 4)]
        text = " ".join(random.permutation(words)) + f", {n}!" if n != 7 else ""
        lines.append(json.dumps({"text": text, "goal": label}))
    path.write_text("\n".join(lines))


def fit(data, family, folder, *, told=None, resume=False, **more):
    table = {"family": family, "seed": 7, **QUICK[family], **more}
    recipe = make(table)
    return trainer_for(recipe).fit(data, recipe, Run(folder, told or Told(), resume))


@pytest.fixture(scope="module")
def unbroken(data, tmp_path_factory):
    """A family trained on a kind in one go: the model, what was told of it, and its folder."""

    @functools.cache
    def trained(family: str, kind: str):
        folder, told = tmp_path_factory.mktemp("unbroken"), Told()
        return fit(data[kind], family, folder, told=told), told, folder

    return trained


def rows(data, count=100):
    batch = data.test.take(range(min(count, len(data.test)))).arrays()
    name = data.spec.name
    x = batch.inputs[name]
    return {name: x if x.dtype == object else x.astype("float32")}, batch.target


def through_onnx(trained, folder, inputs):
    trained.export(folder / "model.onnx")
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    (output,) = session.get_outputs()
    return {output.name: session.run(None, inputs)[0]}, session


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_trains_and_exports_what_it_says(data, unbroken, family, kind, tmp_path):
    chosen = data[kind]
    trained, told, _ = unbroken(family, kind)
    inputs, target = rows(chosen)

    assert trained.signature.inputs == (chosen.spec,)
    (spec,) = trained.signature.outputs
    assert trained.family == family
    assert trained.stopped == "finished"
    assert trained.framework.split()[1][0].isdigit()
    assert len(told.begun) == 1
    assert told.epochs == sorted(set(told.epochs))
    assert told.epochs[-1] == told.begun[0][0]

    outputs = trained.predict(inputs)
    exported, session = through_onnx(trained, tmp_path, inputs)
    assert list(outputs) == list(exported) == [spec.name]
    expected, received = outputs[spec.name], exported[spec.name]
    assert expected.shape == received.shape == (len(target), spec.shape[1])
    assert expected.dtype == received.dtype == np.float32
    np.testing.assert_allclose(received, expected, rtol=0, atol=trained.tolerance)
    one = {name: x[:1] for name, x in inputs.items()}
    np.testing.assert_allclose(
        session.run(None, one)[0], expected[:1], rtol=0, atol=trained.tolerance
    )
    if chosen.labels is None:
        assert trained.postprocess == Regression("value", "goal")
        assert np.abs(expected[:, 0] - target).mean() < np.abs(target - target.mean()).mean()
    else:
        assert trained.postprocess == Classification("probabilities", chosen.labels)
        np.testing.assert_allclose(expected.sum(1), 1, atol=1e-5)
        assert (expected.argmax(1) == target).mean() > 1.5 / len(chosen.labels)


@pytest.mark.parametrize("family", sorted(QUICK.keys() - {"gru", "transformer"}))
def test_the_same_seed_gives_the_same_model(data, unbroken, family, tmp_path):
    kind = kind_of(family)
    inputs, _ = rows(data[kind])
    one, _, _ = unbroken(family, kind)
    same = fit(data[kind], family, tmp_path / "same")
    expected = one.predict(inputs)["probabilities"]
    np.testing.assert_array_equal(same.predict(inputs)["probabilities"], expected)
    if family in ("mlp", "cnn", "resnet", "forest"):  # the others draw nothing by lot
        other = fit(data[kind], family, tmp_path / "other", seed=8)
        assert not np.array_equal(other.predict(inputs)["probabilities"], expected)


@pytest.mark.parametrize("family", STEADY)
def test_ctrl_c_keeps_the_best_so_far(data, family, tmp_path):
    told = Told(stop_after=1)
    trained = fit(data["classes"], family, tmp_path, told=told, validation=0.2)
    assert trained.stopped == "interrupted"
    assert len(trained.history) in (1, 2)
    assert "interrupted" in told.notes[-1]
    inputs, _ = rows(data["classes"])
    exported, _ = through_onnx(trained, tmp_path, inputs)
    np.testing.assert_allclose(
        exported["probabilities"],
        trained.predict(inputs)["probabilities"],
        atol=trained.tolerance,
    )


@pytest.mark.parametrize("family", STEADY)
def test_ctrl_c_before_anything_is_there_goes_through(data, family, tmp_path):
    class AtOnce(Told):
        def begin(self, epochs, steps):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(data["classes"], family, tmp_path, told=AtOnce())


@pytest.mark.parametrize("family", STEADY)
def test_a_resumed_run_ends_where_an_unbroken_one_does(data, unbroken, family, tmp_path):
    chosen = data["classes"]
    inputs, _ = rows(chosen)
    whole, _, _ = unbroken(family, "classes")
    fit(chosen, family, tmp_path / "broken", told=Told(stop_after=1))
    told = Told()
    resumed = fit(chosen, family, tmp_path / "broken", told=told, resume=True)
    assert resumed.stopped == "finished"
    assert len(resumed.history) == len(whole.history)
    assert told.notes
    np.testing.assert_allclose(
        resumed.predict(inputs)["probabilities"],
        whole.predict(inputs)["probabilities"],
        atol=1e-6,
    )


@pytest.mark.parametrize("family", ["mlp", "boosting"])
def test_resuming_another_run_is_refused(data, unbroken, family):
    _, _, folder = unbroken(family, "classes")
    with pytest.raises(InvalidInput, match="seed"):
        fit(data["classes"], family, folder, resume=True, seed=8)


@pytest.mark.parametrize("family", ["mlp", "boosting"])
def test_patience_stops_early_and_keeps_the_best(data, family, tmp_path):
    trained = fit(
        data["classes"],
        family,
        tmp_path,
        epochs=200,
        patience=2,
        validation=0.3,
        learning_rate=0.3 if family == "boosting" else 0.2,
    )
    losses = [metrics["val_loss"] for metrics in trained.history]
    assert trained.stopped == "early"
    assert len(losses) == losses.index(min(losses)) + 1 + 2
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} == set(trained.history[0])


@pytest.mark.parametrize("family", QUICK)
def test_unknown_parameters_are_named(data, family, tmp_path):
    with pytest.raises(InvalidInput, match="wings"):
        fit(data[kind_of(family)], family, tmp_path, params={"wings": 2})


@pytest.mark.parametrize(
    ("family", "field"),
    [("forest", "optimizer"), ("linear", "batch_size"), ("boosting", "optimizer")],
)
def test_what_a_family_has_not_is_refused(data, family, field, tmp_path):
    with pytest.raises(InvalidInput, match=field):
        fit(data[kind_of(family)], family, tmp_path, **{field: "1"})


def test_every_family_is_found_and_tested_here():
    found, absent = families()
    assert not absent
    assert set(found) >= set(QUICK)  # tests/train/test_trainer_contract.py asks for all others


def test_an_unknown_family_lists_the_known_ones():
    with pytest.raises(InvalidInput, match="boosting, cnn, forest, gru, linear, mlp"):
        trainer_for(make({"family": "oracle"}))
