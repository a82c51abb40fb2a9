"""The Keras trainer: what recipes may say, users' own models, interrupts, other back ends."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from kinds import KINDS
from quiet import Quiet, few_digits

from numen.core.errors import CorruptBundle, InvalidInput, TooLarge
from numen.core.manifest import Classification
from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.find import exporter_for
from numen.train.keras.backend import load_keras
from numen.train.keras.trainer import KerasTrainer
from numen.train.recipe import make

keras = load_keras()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return few_digits(tmp_path_factory.mktemp("home"), 400, 100)


def fit(data, folder, progress=None, **table):
    table = {"epochs": 2, "params": {"units": 8}, **table}
    return KerasTrainer().fit(data, make(table), Run(folder, progress or Quiet()))


def parity(trained, folder, x):
    trained.export(folder / "m.onnx")
    session = onnxruntime.InferenceSession(str(folder / "m.onnx"))
    (source,), (target,) = trained.signature.inputs, trained.signature.outputs
    (received,) = session.run([target.name], {source.name: x})
    expected = trained.predict({source.name: x})[target.name]
    assert received.shape == expected.shape
    return float(np.abs(received - expected).max())


def pixels(data, count=40):
    return data.test.take(range(count)).arrays().inputs["image"].astype("float32")


@pytest.mark.parametrize(
    "loss",
    [
        "sparse_categorical_crossentropy",
        "categorical-crossentropy",
        "CategoricalCrossentropy",
        "mse",
        "kl_divergence",
        "categorical_hinge",
    ],
)
def test_losses(digits, tmp_path, loss):
    trained = fit(digits, tmp_path, loss=loss, epochs=3)
    assert set(trained.history[0]) == {"loss", "accuracy"}
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]


@pytest.mark.parametrize("optimizer", ["SGD", "adamw", "RMSprop", "lion"])
def test_optimizers(digits, tmp_path, optimizer):
    trained = fit(digits, tmp_path, optimizer=optimizer, learning_rate=0.002)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]


def test_gradient_descent_sees_all_rows_at_once(digits, tmp_path):
    told = Quiet()
    trained = fit(digits, tmp_path, told, optimizer="gradient-descent", epochs=12)
    assert told.steps == 1
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"loss": "sparse_categorical_crossentropi"}, "did you mean"),
        ({"optimizer": "adm"}, 'did you mean "Adam"'),
        ({"optimizer": "gradient"}, "gradient-descent"),
        ({"optimizer": "LossScaleOptimizer"}, "unknown"),
        ({"backend": "tensorflow"}, 'runs on "jax"'),
        ({"params": {"activation": "wobble"}}, "wobble"),
        ({"params": {"units": 0}}, "units"),
        ({"learning_rate": 1e30, "optimizer": "sgd"}, "learning rate"),
        ({"family": "no_such_module:build"}, "no_such_module"),
    ],
)
def test_wrong_recipes(digits, tmp_path, table, match):
    with pytest.raises(InvalidInput, match=match):
        fit(digits, tmp_path, **table)


def test_a_quantity_needs_a_loss_of_quantities(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    lines = ["a,goal", *(f"{i},{3 * i + 0.5}" for i in range(50))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    data = Dataset.open(tmp_path / "t.csv", target="goal")
    with pytest.raises(InvalidInput, match="target is a quantity"):
        fit(data, tmp_path / "run", loss="sparse_categorical_crossentropy")
    with pytest.raises(InvalidInput, match="expected pictures"):
        fit(data, tmp_path / "run", family="cnn", params={})


OWN = """
import keras

def build(data, width=4):
    return keras.Sequential([
        keras.layers.Rescaling(1 / 255), keras.layers.Flatten(),
        keras.layers.Dense(width, activation="relu"),
        keras.layers.Dense(len(data.labels), activation="softmax")])

def compiled(data):
    model = keras.Sequential([
        keras.Input((28, 28)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(),
        keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="sgd", loss=loss, metrics=["accuracy"])
    return model

def narrow(data):
    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])

def memory(data):
    return keras.Sequential([
        keras.Input((28, 28)), keras.layers.LSTM(4, name="memory"),
        keras.layers.Dense(10, activation="softmax")])

def nothing(data):
    return 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_models.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_users_own_model(digits, own):
    trained = fit(digits, own, family="own_models:build", params={"width": 6})
    assert trained.family == "own_models:build"
    assert trained.postprocess == Classification("probabilities", digits.labels)
    assert parity(trained, own, pixels(digits)) < 1e-5
    assert str(own) not in sys.path


def test_a_users_own_compiled_model_keeps_its_loss(digits, own):
    trained = fit(digits, own, family="own_models:compiled", params={})
    assert trained.postprocess == Classification("logits", digits.labels, activation="softmax")
    assert parity(trained, own, pixels(digits)) < 1e-4


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("narrow", r"expected an output \[\?, 10\], received \[\?, 1\]"),
        ("nothing", "expected a keras.Model, received int"),
        ("absent", 'no function "absent"'),
    ],
)
def test_a_users_own_model_that_does_not_fit(digits, own, name, match):
    with pytest.raises(InvalidInput, match=match):
        fit(digits, own, family=f"own_models:{name}", params={})


class Beyond:
    """A split whose rows do not fit into memory."""

    def __init__(self, split):
        self.batches, self.target, self.rows = split.batches, split.target, len(split)

    def __len__(self):
        return self.rows

    def arrays(self, limit=0):
        raise TooLarge("too many rows")


def test_rows_beyond_memory_are_read_in_batches(digits, tmp_path):
    whole = fit(digits, tmp_path / "a", seed=3)
    splits = {**digits.splits, "train": Beyond(digits.train)}
    streamed = fit(dataclasses.replace(digits, splits=splits), tmp_path / "b", seed=3)
    x = {"image": pixels(digits)}
    np.testing.assert_allclose(
        streamed.predict(x)["probabilities"], whole.predict(x)["probabilities"], atol=1e-6
    )


def test_a_broken_checkpoint_is_said_to_be_broken(digits, tmp_path):
    fit(digits, tmp_path)
    (tmp_path / "last.npz").write_bytes(b"PK nonsense")
    with pytest.raises(CorruptBundle, match=r"last\.npz"):
        KerasTrainer().fit(
            digits, make({"epochs": 3, "params": {"units": 8}}), Run(tmp_path, Quiet(), True)
        )


def python(code, **environment):
    """Runs code in a process of its own and returns what it printed as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(find_spec("torch") is not None, reason="needs a back end that is not there")
def test_a_back_end_that_is_not_there_is_said_before_the_import():
    code = """
        import json, sys
        from numen.train.keras.backend import load_keras
        from numen.core.errors import InvalidInput, MissingExtra
        said = []
        for name in ("abacus", "torch"):
            try:
                load_keras(name)
            except (InvalidInput, MissingExtra) as error:
                said.append([error.code, error.hint])
        assert "keras" not in sys.modules
        print(json.dumps(said))
    """
    unknown, absent = python(code)
    assert unknown[0] == "invalid_input"
    assert absent == ["missing_extra", 'pip install "numen[torch]"']


TUTORIAL = """
    import json, tempfile, pathlib
    import numpy as np
    {imports}
    x = np.random.default_rng(0).random((64, 28, 28))
    y = np.arange(64) % 10
    model = keras.models.Sequential([
        keras.layers.Flatten(input_shape=(28, 28)), keras.layers.Dense(128, activation="relu"),
        keras.layers.Dropout(0.2), keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    model.fit(x, y, epochs=1, verbose=0)
    conv = keras.Sequential([
        keras.Input((9, 7, 3), name="board"), keras.layers.Conv2D(4, 3, strides=2, padding="same"),
        keras.layers.BatchNormalization(), keras.layers.MaxPooling2D(2), keras.layers.Flatten(),
        keras.layers.Dense(3, activation="softmax", name="moves")])
    probability = keras.Sequential([model, keras.layers.Softmax()])
    import onnxruntime
    from numen.train.find import exporter_for
    found = []
    for each, sample in ((model, x[:32]), (probability, x), (conv, np.ones((2, 9, 7, 3)))):
        trained = exporter_for(each).wrap(each, sample)
        path = pathlib.Path(tempfile.mkdtemp()) / "m.onnx"
        trained.export(path)
        (source,), (target,) = trained.signature.inputs, trained.signature.outputs
        given = {{source.name: sample.astype(source.dtype)}}
        received = onnxruntime.InferenceSession(str(path)).run(None, given)[0]
        worst = float(abs(received - trained.predict(given)[target.name]).max())
        reading = trained.postprocess
        found.append([source.name, target.name, reading.activation, len(reading.labels), worst,
                      trained.framework])
    print(json.dumps(found))
"""


@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`:UserWarning")
def test_the_classic_tutorial_on_jax(capsys):
    exec(textwrap.dedent(TUTORIAL.format(imports="import keras")), {})
    check_tutorial(json.loads(capsys.readouterr().out.splitlines()[-1]), "jax")


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow")
def test_the_classic_tutorial_on_tensorflow():
    imports = "import tensorflow as tf; keras = tf.keras"
    found = python(TUTORIAL.format(imports=imports), KERAS_BACKEND="tensorflow")
    check_tutorial(found, "tensorflow")


def check_tutorial(found, backend):
    plain, probability, conv = found
    assert plain[:4] == ["input", "output", "softmax", 10]
    assert probability[:4] == ["input", "output", "none", 10]
    assert conv[:4] == ["board", "moves", "none", 3]
    for *_, worst, framework in found:
        assert worst < 1e-5
        assert framework.endswith(f"({backend})")


def test_an_unknown_object_has_no_exporter():
    with pytest.raises(InvalidInput, match=r"builtins\.dict"):
        exporter_for({})


INTERRUPTED = """
    import json, os, pathlib, sys, time
    from numen.data.dataset import Dataset
    from numen.train.base import Run
    from numen.train.keras.trainer import KerasTrainer
    from numen.train.recipe import make
    class Told:
        def begin(self, epochs, steps): pass
        def step(self, metrics): pass
        def note(self, message): print(message, flush=True)
        def epoch(self, number, metrics): print("epoch", number, flush=True)
    recipe = make({{"epochs": 1000, "batch_size": 256}})
    run = Run(pathlib.Path({folder!r}), Told())
    trained = KerasTrainer().fit(Dataset.open("sample:mnist"), recipe, run)
    tensorflow = "tensorflow" in sys.modules
    print(json.dumps([trained.stopped, len(trained.history), tensorflow]), flush=True)
"""


@pytest.mark.parametrize(
    "delay", [0.11, *(pytest.param(d, marks=pytest.mark.slow) for d in (0.0, 0.23, 0.37))]
)
def test_a_real_ctrl_c_at_any_moment(tmp_path, delay):
    code = textwrap.dedent(INTERRUPTED.format(folder=str(tmp_path / "run")))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NUMEN_HOME": str(tmp_path / "home"), "KERAS_BACKEND": "jax"},
    )
    for line in process.stdout:
        if line.startswith("epoch 2"):
            break
    try:
        process.wait(delay + 0.001)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    stopped, epochs, tensorflow = json.loads(out.splitlines()[-1])
    assert not tensorflow  # it would cost JAX's users seconds, installed or not
    assert stopped == "interrupted"
    assert epochs >= 2


ON_MNIST = """
    import json, pathlib, sys
    from numen.data.dataset import Dataset
    from numen.train.base import Run
    from numen.train.keras.trainer import KerasTrainer
    from numen.train.recipe import make
    from quiet import Quiet
    data = Dataset.open("sample:mnist")
    run = Run(pathlib.Path("run"), Quiet())
    trained = KerasTrainer().fit(data, make(json.loads(sys.argv[1])), run)
    batch = data.test.arrays()
    outputs = trained.predict({"image": batch.inputs["image"].astype("float32")})
    print((outputs["probabilities"].argmax(1) == batch.target).mean())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "least"),
    [({"family": "mlp"}, 0.974), ({"family": "cnn", "epochs": 5}, 0.99)],  # a third of its epochs
)
def test_accuracy_on_mnist(tmp_path, recipe, least):
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ON_MNIST), json.dumps(recipe)],
        capture_output=True, text=True, cwd=tmp_path,
        # Compiled with all effort, unlike in the other tests: here more is run than compiled.
        env={**os.environ, "NUMEN_HOME": str(tmp_path / "home"), "XLA_FLAGS": "",
             "PYTHONPATH": str(Path(__file__).parent)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    assert float(run.stdout.splitlines()[-1]) >= least


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("kind", ["pictures", "quantities"])
def test_mixed_precision_learns_alike_and_is_exported_whole(kind, precision, tmp_path):
    data = KINDS[kind](tmp_path)
    whole = fit(data, tmp_path / "whole", epochs=3)
    mixed = fit(data, tmp_path / "mixed", epochs=3, precision=precision)
    losses = [made.history[-1]["loss"] for made in (whole, mixed)]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    batch = data.test.arrays().inputs[data.spec.name].astype("float32")
    assert parity(mixed, tmp_path, batch) <= mixed.tolerance
    assert keras.config.dtype_policy().name == "float32"
