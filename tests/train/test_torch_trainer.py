"""The user's own torch modules: trained, resumed, exported, published."""

from __future__ import annotations

import os
import signal
import sys
import textwrap

import numpy as np
import onnxruntime
import pytest

import numen
from numen.core.errors import CorruptBundle, ExportFailed, InvalidInput
from numen.core.manifest import Classification, Regression
from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.find import exporter_for, trainer_for
from numen.train.recipe import make

torch = pytest.importorskip("torch", reason="needs the extra torch")

MODULES = """
import torch
from torch import nn

def build(data, units=16, dropout=0.2):
    outputs = 1 if data.labels is None else len(data.labels)
    width = 1
    for size in data.spec.row:
        width *= size
    return nn.Sequential(
        nn.Flatten(), nn.BatchNorm1d(width), nn.Linear(width, units), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(units, outputs),
    )

def wrong(data):
    return nn.Linear(3, 7)

def narrow(data):
    return nn.Sequential(nn.Flatten(), nn.Linear(2, 5))

def still(data):
    class Still(nn.Module):
        def forward(self, x):
            return x[:, :2]
    return Still()

def none(data):
    return "a model"
"""


class Told:
    def __init__(self, stop_after=0):
        self.stop_after, self.epochs, self.notes, self.steps = stop_after, [], [], 0

    def begin(self, epochs, steps):
        self.begun = (epochs, steps)

    def step(self, metrics):
        self.steps += 1

    def epoch(self, number, metrics):
        self.epochs.append(metrics)
        if number == self.stop_after:
            raise KeyboardInterrupt

    def note(self, message):
        self.notes.append(message)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torch")
    (folder / "own_torch.py").write_text(textwrap.dedent(MODULES))
    random = np.random.default_rng(5)
    x = random.normal(0, 1, (300, 2))
    score = x[:, 0] + 0.5 * x[:, 1]
    for name, goal in (("c", np.where(score > 0, "yes", "no")), ("q", 100 + 40 * score)):
        lines = [f"{a:.4f},{b:.4f},{g}" for (a, b), g in zip(x, goal, strict=True)]
        (folder / f"{name}.csv").write_text("a,b,goal\n" + "\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        patch.chdir(folder)
        yield folder
    sys.modules.pop("own_torch", None)


@pytest.fixture(scope="module")
def classes(home):
    return Dataset.open(home / "c.csv", target="goal")


def fit(data, folder, *, told=None, resume=False, **more):
    table = {"family": "own_torch:build", "trainer": "torch", "epochs": 4, "seed": 7, **more}
    recipe = make(table)
    return trainer_for(recipe).fit(data, recipe, Run(folder, told or Told(), resume))


def rows(data):
    return {data.spec.name: data.test.arrays().inputs[data.spec.name].astype("float32")}


def scores(trained, data):
    (made,) = trained.predict(rows(data)).values()
    return made


def test_learns_and_exports_the_same(classes, tmp_path):
    told = Told()
    trained = fit(classes, tmp_path, told=told, epochs=12, validation=0.2, learning_rate=0.02)
    assert trained.postprocess == Classification("logits", classes.labels, activation="softmax")
    assert trained.framework.startswith("torch 2")
    assert told.begun == (12, 6)
    assert told.steps == 72
    assert set(told.epochs[-1]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert (scores(trained, classes).argmax(1) == classes.test.target).mean() > 0.8
    trained.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    inputs = rows(classes)
    for count in (1, 3, 60):
        given = {name: x[:count] for name, x in inputs.items()}
        np.testing.assert_allclose(
            session.run(None, given)[0], scores(trained, classes)[:count], atol=1e-5
        )


def test_quantities(home, tmp_path):
    data = Dataset.open(home / "q.csv", target="goal")
    trained = fit(data, tmp_path, epochs=40, learning_rate=0.5, schedule="cosine")
    assert trained.postprocess == Regression("value", "goal")
    error = np.abs(scores(trained, data)[:, 0] - data.test.target).mean()
    assert error < np.abs(data.test.target - data.test.target.mean()).mean()


def test_the_same_seed_gives_the_same_model(classes, tmp_path):
    one, same, other = (
        scores(fit(classes, tmp_path / str(i), seed=seed), classes)
        for i, seed in enumerate((7, 7, 8))
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    "more",
    [
        {"optimizer": "adamw", "schedule": "cosine", "weight_decay": 0.01},
        {"optimizer": "sgd", "learning_rate": 0.1, "schedule": "linear"},
        {"optimizer": "rmsprop", "schedule": "exponential", "loss": "cross-entropy"},
        {"optimizer": "gradient-descent"},
    ],
)
def test_a_resumed_run_ends_where_an_unbroken_one_does(classes, tmp_path, more):
    whole = fit(classes, tmp_path / "whole", **more)
    told = Told(stop_after=2)
    broken = fit(classes, tmp_path / "broken", told=told, **more)
    assert broken.stopped == "interrupted"
    assert "keeping epoch" in told.notes[-1]
    told = Told()
    resumed = fit(classes, tmp_path / "broken", told=told, resume=True, **more)
    assert told.notes == ["going on after epoch 2"]
    assert len(resumed.history) == 4
    np.testing.assert_allclose(scores(resumed, classes), scores(whole, classes), atol=1e-6)


def test_resuming_something_else_is_refused(classes, tmp_path):
    fit(classes, tmp_path, schedule="cosine")
    with pytest.raises(InvalidInput, match="another seed"):
        fit(classes, tmp_path, resume=True, schedule="cosine", seed=8)
    with pytest.raises(InvalidInput, match="another epochs"):
        fit(classes, tmp_path, resume=True, schedule="cosine", epochs=9)
    (tmp_path / "last.npz").write_bytes(b"no checkpoint")
    with pytest.raises(CorruptBundle, match="checkpoint"):
        fit(classes, tmp_path, resume=True, schedule="cosine")


def test_ctrl_c_in_the_middle_of_an_epoch(classes, tmp_path):
    class Pressed(Told):
        def step(self, metrics):
            super().step(metrics)
            if len(self.epochs) == 1:
                os.kill(os.getpid(), signal.SIGINT)

    assert fit(classes, tmp_path, told=Pressed()).stopped == "interrupted"

    class AtOnce(Told):
        def begin(self, epochs, steps):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(classes, tmp_path / "none", told=AtOnce())


def test_patience_stops_early(classes, tmp_path):
    trained = fit(classes, tmp_path, epochs=200, patience=2, validation=0.3, learning_rate=0.2)
    losses = [metrics["val_loss"] for metrics in trained.history]
    assert trained.stopped == "early"
    assert len(losses) == losses.index(min(losses)) + 1 + 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"family": "mlp"}, "module:build"),
        ({"family": "own_torch:absent"}, "no function"),
        ({"family": "own_absent:build"}, "no module"),
        ({"family": "own_torch:none"}, "torch.nn.Module"),
        ({"family": "own_torch:wrong"}, "takes float32"),
        ({"family": "own_torch:narrow"}, "one score a class"),
        ({"family": "own_torch:still"}, "no weights"),
        ({"loss": "beauty"}, "crossentropy"),
        ({"loss": "mse"}, "knows"),
        ({"optimizer": "adamm"}, "Adam, "),
        ({"backend": "jax"}, "backend"),
        ({"class_weight": "balanced"}, "class_weight"),
        ({"body": "x"}, "body"),
        ({"learning_rate": 1e30, "optimizer": "sgd"}, "lower the learning rate"),
    ],
)
def test_what_cannot_be_is_refused(classes, tmp_path, more, said):
    with pytest.raises(InvalidInput) as refused:
        fit(classes, tmp_path, **more)
    assert said in str(refused.value)


def test_the_whole_way_to_a_model_in_hand(home, classes):
    model = numen.train(
        home / "c.csv", "own_torch:build", trainer="torch", name="own", epochs=10,
        learning_rate=0.02, read={"target": "goal"}, units=8,
    )  # fmt: skip
    assert model.version.name == "own"
    assert model.manifest.parity < 1e-5
    assert model.metrics["accuracy"] > 0.8
    assert model.classify({"a": 3.0, "b": 3.0})[0]["label"] == "yes"


class LastState(torch.nn.Module):
    """A recurrent network that answers what it ends with."""

    def __init__(self):
        super().__init__()
        self.steps = torch.nn.GRU(3, 5, batch_first=True)

    def forward(self, x):
        return self.steps(x)[0][:, -1]


class Twice(torch.nn.Module):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    ("module", "sample", "shape"),
    [
        (torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
                             torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(676, 10),
                             torch.nn.Softmax(1)), (4, 1, 28, 28), (4, 10)),
        (torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.LogSoftmax(1)), (2, 3), (2, 5)),
        (torch.nn.LSTM(3, 5, batch_first=True), None, None),
        (LastState(), (4, 6, 3), (4, 5)),
    ],
)  # fmt: skip
def test_a_users_module_is_published(home, module, sample, shape):
    random = np.random.default_rng(0)
    if sample is None:
        with pytest.raises(ExportFailed, match="one output"):
            numen.publish(module, name="guest", sample=random.random((2, 4, 3), np.float32))
        return
    x = random.random(sample, np.float32)
    assert module.training
    published = numen.publish(module, name="guest", sample=x)
    assert module.training  # left as it was
    module.eval()
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    assert published.predict(x).shape == shape
    np.testing.assert_allclose(published.predict(x), expected, atol=1e-5)
    module.train()


def test_scores_are_known_by_the_last_layer():
    softmax = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Softmax(1))
    wrapped = exporter_for(softmax).wrap(softmax, np.zeros((2, 3), np.float32))
    assert wrapped.postprocess == Classification("output", ("0", "1", "2", "3"))
    plain = torch.nn.Linear(3, 4)
    assert exporter_for(plain).wrap(plain, np.zeros((2, 3), np.float32)).postprocess is None


@pytest.mark.parametrize(
    ("module", "said"), [(torch.nn.Linear(7, 2), "does not take"), (Twice(), "one output")]
)
def test_what_cannot_be_exported_says_why(module, said):
    with pytest.raises(ExportFailed, match=said):
        exporter_for(module).wrap(module, np.zeros((2, 3), np.float32))
