"""Losses, optimizers and their options; pairs that cannot learn are refused before training."""

from __future__ import annotations

import numpy as np
import pytest
from quiet import Quiet

from numen.core.errors import InvalidInput
from numen.core.manifest import Classification
from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.keras import objective, spelled
from numen.train.keras.backend import load_keras
from numen.train.keras.pairs import check_pair, ending, loss_name
from numen.train.keras.ranking import pairwise_logistic
from numen.train.keras.trainer import KerasTrainer
from numen.train.recipe import make

keras = load_keras()
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    random = np.random.default_rng(2)
    a, b = random.normal(size=(2, 240))
    goals = {
        "two": np.where(a + b > 0.5, "yes", "no"),
        "three": np.digitize(a + b, [-1, 1]).astype(str),
        "quantity": [f"{v:.4f}" for v in 3 * a - b],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        made = {}
        for name, goal in goals.items():
            lines = [
                "a,b,goal",
                *(f"{x:.4f},{y:.4f},{g}" for x, y, g in zip(a, b, goal, strict=True)),
            ]
            (folder / f"{name}.csv").write_text("\n".join(lines))
            made[name] = Dataset.open(folder / f"{name}.csv", target="goal")
    return made


def fit(data, folder, progress=None, **table):
    usual = {"epochs": 6, "learning_rate": 0.05, "params": {"units": 8, "dropout": 0.0}}
    return KerasTrainer().fit(data, make({**usual, **table}), Run(folder, progress or Quiet()))


def right(trained, data):
    batch = data.test.arrays()
    name = data.spec.name
    (output,) = trained.predict({name: batch.inputs[name].astype("float32")}).values()
    return float((output.argmax(1) == batch.target).mean())


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        ("two", "binary_crossentropy"),
        ("two", "BinaryFocalCrossentropy(gamma=3)"),
        ("three", "focal"),
        ("two", "hinge"),
        ("three", "categorical_hinge"),
    ],
)
def test_losses_of_classes_learn(tables, tmp_path, kind, loss):
    data = tables[kind]
    trained = fit(data, tmp_path, loss=loss)
    assert right(trained, data) > 0.8
    scores = Classification("logits", data.labels, activation="softmax")
    assert trained.postprocess == (
        scores if "hinge" in loss else Classification("probabilities", data.labels)
    )
    assert trained.signature.outputs[0].name == trained.postprocess.output


def test_two_classes_by_binary_crossentropy_are_the_same_in_two_columns(tables):
    """The mean over p and 1 - p of a softmax is the binary cross-entropy of p."""
    p = np.array([[0.3], [0.9]], "float32")
    y = np.array([[1.0], [0.0]], "float32")
    both = keras.losses.binary_crossentropy(np.hstack([1 - y, y]), np.hstack([1 - p, p]))
    np.testing.assert_allclose(both, keras.losses.binary_crossentropy(y, p), rtol=1e-5)


@pytest.mark.parametrize("loss", ["mae", "huber(delta=2)", "pairwise_logistic"])
def test_losses_of_quantities_learn(tables, tmp_path, loss):
    data = tables["quantity"]
    trained = fit(data, tmp_path, loss=loss)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    batch = data.test.arrays()
    name = data.spec.name
    made = trained.predict({name: batch.inputs[name].astype("float32")})["value"][:, 0]
    assert np.corrcoef(made, batch.target)[0, 1] > 0.9


def test_ranking_is_the_mean_over_pairs():
    y = np.array([[2.0, 0], [1.0, 0], [0.0, 1], [3.0, 1]], "float32")
    s = np.array([[0.5], [1.0], [0.0], [2.0]], "float32")
    within = np.asarray(pairwise_logistic(y, s))
    log = lambda d: np.log1p(np.exp(d))  # noqa: E731
    np.testing.assert_allclose(within, [log(0.5), 0, 0, log(-2.0)], rtol=1e-5)
    across = np.asarray(pairwise_logistic(y[:, :1], s))
    np.testing.assert_allclose(
        across,
        [(log(0.5) + log(-0.5)) / 2, log(-1.0), 0, (log(-1.5) + log(-1.0) + log(-2.0)) / 3],
        rtol=1e-5,
    )


def compiled(table, labels=("a", "b", "c"), falling=(0.0, 100)):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax")])
    objective.compile_model(keras, model, make(table), labels, falling)
    return model


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"optimizer": "sgd(momentum=0.9, nesterov=true)"}, {"momentum": 0.9, "nesterov": True}),
        ({"optimizer": "SGD", "weight_decay": 0.1}, {"weight_decay": 0.1}),
        ({"optimizer": "adamw"}, {"weight_decay": 0.004, "learning_rate": 0.001}),
        ({"optimizer": "Adam( beta_1 = 0.5 )", "learning_rate": 0.5}, {"beta_1": 0.5, "learning_rate": 0.5}),
        ({"optimizer": "sgd(learning_rate=0.25)"}, {"learning_rate": 0.25}),
        ({"optimizer": "gradient-descent"}, {"learning_rate": 0.5, "momentum": 0.0}),
    ],
)  # fmt: skip
def test_optimizers_have_options(table, expected):
    config = compiled(table).optimizer.get_config()
    assert {name: config[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("schedule", "middle", "end"),
    [("constant", 0.2, 0.2), ("cosine", 0.1, 0.0), ("linear", 0.1, 0.0), ("exponential", 0.02, 0.002)],
)  # fmt: skip
def test_schedules_fall_over_the_whole_training(schedule, middle, end):
    optimizer = compiled({"schedule": schedule, "learning_rate": 0.2}).optimizer
    rates = []
    for step in (0, 50, 100):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    np.testing.assert_allclose(rates, [0.2, middle, end], atol=1e-6)


def test_a_familys_own_fall_is_left_where_the_recipe_speaks():
    falling = compiled({}, falling=(0.3, 100)).optimizer
    falling.iterations.assign(100)
    assert float(falling.learning_rate) == pytest.approx(0)
    steady = compiled({"schedule": "constant"}, falling=(0.3, 100)).optimizer
    steady.iterations.assign(100)
    assert float(steady.learning_rate) == pytest.approx(0.3)
    own = compiled({"learning_rate": 0.1}, falling=(0.3, 100)).optimizer
    assert float(own.learning_rate) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"optimizer": "sgd(momentums=0.9)"}, 'SGD has no "momentums"; it knows learning_rate, momentum'),
        ({"optimizer": "sgd(momentum=2)"}, "SGD"),
        ({"optimizer": "sgd(0.9)"}, "name(option=value)"),
        ({"optimizer": "sgd(momentum=__import__('os'))"}, "name(option=value)"),
        ({"loss": "mse(delta=3)"}, "MeanSquaredError has no"),
        ({"loss": "focal(gamma="}, "name(option=value)"),
        ({"loss": "binary_focal"}, "did you mean"),
    ],
)  # fmt: skip
def test_options_that_are_none(table, match):
    with pytest.raises(InvalidInput) as caught:
        compiled(table)
    assert match in f"{caught.value.message} {caught.value.hint}"


def test_every_keras_loss_and_optimizer_has_its_name():
    for name in ("mse", "MSE", "mean-squared-error", "MeanSquaredError"):
        loss = compiled({"loss": name}).loss
        assert loss_name(loss) == "meansquarederror"
    for name in ("SGD", "adam", "Adamax", "Nadam", "RMSprop", "Adagrad", "adadelta", "Ftrl", "Lion",
                 "lamb", "muon", "Adafactor", "AdamW"):  # fmt: skip
        made = compiled({"optimizer": name}).optimizer
        assert spelled.plain(type(made).__name__) == spelled.plain(name)


@pytest.mark.parametrize(
    ("loss", "classes", "head", "units", "hint"),
    [
        ("mae", 10, "softmax", 10, "sparse_categorical_crossentropy"),
        ("huber", 10, "softmax", 10, "sparse_categorical_crossentropy"),
        ("pairwise_logistic", 10, "softmax", 10, "sparse_categorical_crossentropy"),
        ("mse", 1000, "softmax", 1000, "sparse_categorical_crossentropy"),
        ("binary_crossentropy", 10, "softmax", 10, "sparse_categorical_crossentropy"),
        ("binary_focal_crossentropy", 3, "softmax", 3, "sparse_categorical_crossentropy"),
        ("hinge", 2, "softmax", 2, "without activation"),
        ("categorical_hinge", 3, "sigmoid", 3, "without activation"),
        ("sparse_categorical_crossentropy", 2, "sigmoid", 1, "binary_crossentropy"),
        ("categorical_crossentropy", None, "", 1, "mse, mae or huber"),
        ("hinge", None, "", 1, "mse, mae or huber"),
        ("mse", None, "softmax", 1, "without activation"),
    ],
)
def test_pairs_that_cannot_learn(loss, classes, head, units, hint):
    with pytest.raises(InvalidInput, match="loss") as caught:
        check_pair(loss, classes, head, units)
    assert hint in caught.value.hint
    if "sparse" in hint and "without" not in hint:
        fits = caught.value.hint.removeprefix("use ").split(",")[0]
        check_pair(fits, classes, head, units)  # what it advises is let through


@pytest.mark.parametrize(
    ("loss", "classes", "head", "units"),
    [
        ("mse", 10, "softmax", 10),
        ("binary_crossentropy", 2, "softmax", 2),
        ("binary_crossentropy", 2, "sigmoid", 1),
        ("hinge", 10, "linear", 10),
        ("kl_divergence", 10, "softmax", 10),
        ("mae", None, "", 1),
        ("their_own_loss", 10, "tanh", 10),
    ],
)
def test_pairs_that_can(loss, classes, head, units):
    check_pair(loss, classes, head, units)


def test_scores_taken_twice_are_refused():
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    with pytest.raises(InvalidInput, match="takes scores") as caught:
        check_pair(loss, 3, "softmax", 3)
    assert "leave from_logits out" in caught.value.hint


def test_where_a_model_ends():
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    assert ending(keras, inner) == "linear"
    assert ending(keras, keras.Sequential([inner, keras.layers.Softmax()])) == "softmax"
    outer = keras.Sequential([keras.Input((2,)), inner])
    assert ending(keras, outer) == "linear"


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"loss": "mae"}, "is for quantities"),
        (
            {"loss": "binary_crossentropy"},
            "for two classes or for labels of their own, the target has 3",
        ),
        ({"class_weight": {"nobody": 2.0}}, 'expected labels of 0, 1, 2, received "nobody"'),
        ({"class_weight": {"0": -1.0}}, "weight of 0 or more"),
        ({"augment": {"flip": True}}, "augment"),
    ],
)
def test_wrong_recipes_of_classes(tables, tmp_path, table, match):
    with pytest.raises(InvalidInput, match=match):
        fit(tables["three"], tmp_path, **table)
    assert not (tmp_path / "last.npz").exists()


def test_classes_weigh_what_the_recipe_says(tables, tmp_path):
    data = tables["three"]
    target, labels = data.train.target, data.labels
    balanced = objective.class_weights(make({"class_weight": "balanced"}), target, labels)
    np.testing.assert_allclose(balanced * np.bincount(target), len(target) / 3, rtol=1e-5)
    said = objective.class_weights(make({"class_weight": {"1": 4}}), target, labels)
    np.testing.assert_array_equal(said, [1, 4, 1])
    assert objective.class_weights(make({}), target, labels) is None
    with pytest.raises(InvalidInput, match="quantity"):
        objective.class_weights(make({"class_weight": "balanced"}), target, None)
    alone = fit(data, tmp_path, class_weight={"0": 0.0, "1": 0.0, "2": 50.0}, epochs=8)
    batch = data.test.arrays()
    made = alone.predict({data.spec.name: batch.inputs[data.spec.name].astype("float32")})
    assert (made["probabilities"].argmax(1) == 2).mean() > 0.9


OWN = """
import keras

def sigmoid(data):
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])

def linear(data):
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(len(data.labels))])

def stepping(data):
    class Own(keras.Sequential):
        def train_step(self, state, batch):
            return super().train_step(state, batch)
    return Own([keras.Input((2,)), keras.layers.Dense(len(data.labels), activation="softmax")])
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_heads.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_own_heads_are_read_for_what_they_are(tables, own):
    table = {"params": {}, "epochs": 12, "learning_rate": 0.2}
    two, three = tables["two"], tables["three"]
    one = fit(two, own / "a", family="own_heads:sigmoid", **table)
    assert one.postprocess == Classification("probabilities", two.labels)
    assert one.signature.outputs[0].shape == (None, 1)
    assert one.history[-1]["accuracy"] > 0.8
    scores = fit(three, own / "b", family="own_heads:linear", **table)
    assert scores.postprocess == Classification("logits", three.labels, activation="softmax")
    assert right(scores, three) > 0.8
    with pytest.raises(InvalidInput, match="wants scores"):
        fit(three, own / "c", family="own_heads:stepping", loss="hinge", **table)


def test_the_two_roads_are_one(tables, own):
    """The same network, looped and step by step, learns the same weights."""
    data = tables["three"]
    table = {"params": {}, "validation": 0.2, "class_weight": "balanced", "batch_size": 50}
    told = Quiet()
    stepped = fit(data, own / "a", told, family="own_heads:stepping", **table)
    assert told.notes == ["step by step, as Keras does it: the model has its own train_step"]
    (own / "own_twins.py").write_text(OWN.replace("def train_step", "def another_step"))
    looped = fit(data, own / "b", family="own_twins:stepping", **table)
    for mine, theirs in zip(looped.history, stepped.history, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-5)
    name = data.spec.name
    x = {name: data.test.arrays().inputs[name].astype("float32")}
    np.testing.assert_allclose(
        looped.predict(x)["probabilities"], stepped.predict(x)["probabilities"], atol=1e-5
    )


def test_a_resumed_schedule_goes_on(tables, tmp_path):
    data = tables["three"]

    class Stops(Quiet):
        def epoch(self, number, metrics):
            if number == 3:
                raise KeyboardInterrupt

    table = {"schedule": "cosine", "params": {"units": 8}, "validation": 0.2}
    whole = fit(data, tmp_path / "a", **table)
    assert fit(data, tmp_path / "b", Stops(), **table).stopped == "interrupted"
    recipe = make({"epochs": 6, "learning_rate": 0.05, **table})
    resumed = KerasTrainer().fit(data, recipe, Run(tmp_path / "b", Quiet(), resume=True))
    for mine, theirs in zip(resumed.history, whole.history, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-5)
    changed = Run(tmp_path / "b", Quiet(), resume=True)
    with pytest.raises(InvalidInput, match="another schedule"):
        KerasTrainer().fit(
            data, make({**table, "schedule": "linear", "epochs": 6, "learning_rate": 0.05}), changed
        )
