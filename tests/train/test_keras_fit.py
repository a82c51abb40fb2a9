"""Keras in a compiled loop: the same numbers as Keras's own `fit`, step for step."""

from __future__ import annotations

import numpy as np
import pytest

import numen
from numen.core.errors import InvalidInput
from numen.train.keras import processor
from numen.train.keras.backend import load_keras
from numen.train.keras.scan import Scan, why_not

keras = load_keras()
layers = keras.layers

# Keras reads its variables in a way NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROWS = 75  # a last batch of 11


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(1)
    x = random.normal(size=(ROWS, 6, 6, 2)).astype("float32")
    y = (x.mean((1, 2)) @ [1.0, -1.0] > 0).astype("int64") + (x[:, 0, 0, 0] > 1)
    return x, y


def dense():
    return keras.Sequential([
        keras.Input((6, 6, 2)), layers.Flatten(),
        layers.Dense(9, activation="relu", kernel_regularizer="l2"),
        layers.BatchNormalization(), layers.Dropout(0.3, seed=3),
        layers.Dense(3, activation="softmax")])  # fmt: skip


def pooled():
    return keras.Sequential([
        keras.Input((6, 6, 2)), layers.Conv2D(3, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2), layers.Conv2D(4, 2, strides=2, activation="relu"),
        layers.Flatten(), layers.Dense(3, activation="softmax")])  # fmt: skip


def both(build, rows, compile_, **options):
    """Histories and weights of numen's fit and of Keras's, from one start and seed."""
    made = []
    for fit in (numen.fit, lambda model, *args, **more: model.fit(*args, **more)):
        keras.utils.clear_session()
        keras.utils.set_random_seed(5)
        model = build()
        compile_(model)
        more = {name: value() if callable(value) else value for name, value in options.items()}
        history = fit(model, *rows, **{"batch_size": 16, "epochs": 3, "verbose": 0, **more})
        made.append((history, model))
    (mine, model), (theirs, reference) = made
    assert mine.epoch == theirs.epoch
    assert list(mine.history) == list(theirs.history)
    for name, values in theirs.history.items():
        np.testing.assert_allclose(mine.history[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    for variable, other in zip(model.variables, reference.variables, strict=True):
        np.testing.assert_allclose(
            np.asarray(variable), np.asarray(other), atol=1e-5, err_msg=variable.path
        )
    for variable, other in zip(
        model.optimizer.variables, reference.optimizer.variables, strict=True
    ):
        np.testing.assert_allclose(np.asarray(variable), np.asarray(other), atol=1e-5)
    return mine, model


def plain(model, **options):
    model.compile(
        **{
            "optimizer": keras.optimizers.SGD(0.05, momentum=0.9),
            "loss": "sparse_categorical_crossentropy",
            "metrics": ["accuracy"],
            **options,
        }
    )


def stop_early():
    return [keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)]


def fall():
    return [keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch))]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shuffle": False, "class_weight": {0: 1.0, 1: 3.0, 2: 0.5}},
        {"sample_weight": np.linspace(0, 2, ROWS), "batch_size": None},
        {"validation_split": 0.2, "validation_freq": 2},
        {"validation_split": 0.2, "epochs": 30, "callbacks": stop_early},
        {"validation_split": 0.2, "validation_batch_size": 7, "initial_epoch": 1},
        {"callbacks": fall},
        {"batch_size": 100},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_the_same_as_keras(rows, options, capsys):
    mine, _ = both(dense, rows, plain, **options)
    assert "Keras" not in capsys.readouterr().err
    if "callbacks" in options and "epochs" in options:
        assert len(mine.epoch) < 30


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1, clipnorm=0.5),
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 15)),
        lambda: keras.optimizers.RMSprop(use_ema=True, ema_overwrite_frequency=3),
        lambda: keras.optimizers.Adam(gradient_accumulation_steps=2),
    ],
)
def test_the_same_with_any_optimizer(rows, optimizer):
    both(dense, rows, lambda model: plain(model, optimizer=optimizer()))


def test_the_same_with_convolutions_and_pooling(rows):
    both(pooled, rows, plain)


def test_several_inputs_and_outputs(rows):
    def build():
        one, two = keras.Input((6, 6, 2), name="one"), keras.Input((1,), name="two")
        x = layers.Concatenate()([layers.Flatten()(one), two])
        heads = {"kind": layers.Dense(3)(x), "size": layers.Dense(1)(x)}
        return keras.Model({"one": one, "two": two}, heads)

    x, y = rows
    given = {"one": x, "two": x[:, 0, 0, :1].astype("float64")}
    targets = {"kind": y, "size": x.sum((1, 2, 3))[:, None]}
    losses = {"kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "size": "mse"}
    both(build, (given, targets), lambda m: plain(m, loss=losses, metrics=None))


def test_a_model_built_by_its_first_rows(rows):
    def build():
        return keras.Sequential([layers.Flatten(), layers.Dense(3, activation="softmax")])

    both(build, rows, plain)


class Counting(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1


def hear(batch, logs):
    pass


class OwnStep(keras.Sequential):
    def train_step(self, state, data):
        return super().train_step(state, data)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"callbacks": lambda: [Counting()]}, "Counting looks at every batch"),
        ({"steps_per_epoch": 2}, "steps_per_epoch is given"),
        ({"shuffle": "batch"}, 'shuffle is "batch"'),
        (
            {"callbacks": lambda: [keras.callbacks.LambdaCallback(on_train_batch_end=hear)]},
            "LambdaCallback looks at every batch",
        ),
    ],
)
def test_what_goes_the_way_of_keras_says_so(rows, options, why, capsys):
    callbacks = options["callbacks"]() if "callbacks" in options else None
    model = dense()
    plain(model)
    numen.fit(model, *rows, batch_size=16, verbose=2, **{**options, "callbacks": callbacks})
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert why in err
    if callbacks and isinstance(callbacks[0], Counting):
        assert callbacks[0].batches == 5


def test_what_a_model_does_in_its_own_way_is_not_looped(rows):
    own = OwnStep(dense().layers)
    plain(own)
    assert why_not(keras, own) == "the model has its own train_step"
    eager = dense()
    plain(eager, run_eagerly=True)
    assert "step by step" in why_not(keras, eager)
    generated = dense()
    plain(generated)
    x, y = rows
    history = numen.fit(
        generated, ((x[:16], y[:16]) for _ in range(4)), steps_per_epoch=4, shuffle=False, verbose=0
    )
    assert len(history.history["loss"]) == 1


def test_callbacks_that_save_an_epoch_stay_on_the_fast_road(rows, tmp_path, capsys):
    model = dense()
    plain(model)
    save = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "{epoch}.weights.h5"), save_weights_only=True
    )
    numen.fit(model, *rows, epochs=2, verbose=1, callbacks=[save, keras.callbacks.TerminateOnNaN()])
    seen = capsys.readouterr()
    assert seen.err == ""
    assert "3/3" in seen.out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.weights.h5", "2.weights.h5"]


def test_a_loss_that_is_no_number_ends_it(rows):
    model = dense()
    plain(model, optimizer=keras.optimizers.SGD(1e30))
    history = numen.fit(
        model, *rows, epochs=9, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()]
    )
    assert len(history.epoch) < 9


def test_compiling_anew_is_seen(rows):
    x, y = rows
    model = dense()
    plain(model)
    numen.fit(model, x, y, verbose=0)
    before = model._numen_made
    numen.fit(model, x, y, verbose=0)
    assert model._numen_made is before
    model.compile("sgd", "categorical_crossentropy", metrics=["mae"])
    history = numen.fit(model, x, np.eye(3)[y], verbose=0).history
    assert set(history) == {"loss", "mae"}


@pytest.mark.parametrize(
    ("loss", "targets", "hint"),
    [
        ("categorical_crossentropy", lambda y: y, "sparse_categorical_crossentropy"),
        ("sparse_categorical_crossentropy", lambda y: np.eye(3)[y], "use categorical"),
        ("binary_crossentropy", lambda y: y, "sparse_categorical_crossentropy"),
    ],
)
def test_targets_that_do_not_suit_the_loss(rows, loss, targets, hint):
    model = dense()
    plain(model, loss=loss, metrics=None)
    with pytest.raises(InvalidInput, match="takes") as caught:
        numen.fit(model, rows[0], targets(rows[1]), verbose=0)
    assert hint in caught.value.hint


def test_only_compiled_models_are_fitted(rows):
    for thing in (dense(), object()):
        with pytest.raises(InvalidInput, match=r"compiled keras\.Model"):
            numen.fit(thing, *rows)


def test_an_interrupt_leaves_the_weights_of_the_last_piece(rows):
    model = dense()
    plain(model)
    scan = Scan(keras, model, rows, 4, training=True)
    before = model.get_weights()

    def told(done, metrics):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan.run(None, told)
    after = model.get_weights()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    assert all(np.isfinite(a).all() for a in after)


def test_an_epoch_is_a_few_pieces(rows):
    model = dense()
    plain(model)
    scan = Scan(keras, model, rows, 1, training=True)
    heard = []
    scan.run(None, lambda done, metrics: heard.append(done) or True)
    assert heard[-1] == ROWS
    assert heard == sorted(set(heard))
    assert len(heard) < ROWS // 2
    stopped = []
    scan.run(None, lambda done, metrics: stopped.append(done))
    assert len(stopped) == 1


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("size", "strides", "dilation"), [(3, 1, 1), (2, 2, 1), (3, 1, 2), (1, 1, 1)]
)
def test_products_are_convolutions(padding, size, strides, dilation):
    import jax

    random = np.random.default_rng(0)
    x = random.normal(size=(2, 7, 8, 3)).astype("float32")
    kernel = random.normal(size=(size, size, 3, 4)).astype("float32")

    def loss(x, kernel):
        made = keras.ops.conv(x, kernel, strides=strides, padding=padding, dilation_rate=dilation)
        return (made**2).sum()

    check_gradients(jax, loss, x, kernel, absent="conv_general_dilated")


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("size", "strides"), [(2, 2), (3, 2), (2, 1)])
def test_products_are_pooling(padding, size, strides):
    import jax

    x = np.random.default_rng(0).integers(0, 3, (2, 7, 8, 3)).astype("float32")  # many equal
    weights = np.random.default_rng(1).normal(size=(2, 8, 8, 3)).astype("float32")

    def loss(x):
        made = keras.ops.max_pool(x, size, strides, padding)
        return (made * weights[:, : made.shape[1], : made.shape[2]]).sum()

    check_gradients(jax, loss, x, absent="select_and_scatter_add")


def check_gradients(jax, loss, *arrays, absent):
    places = tuple(range(len(arrays)))
    expected = jax.value_and_grad(loss, places)(*arrays)
    with processor.matrix_products():
        traced = jax.make_jaxpr(jax.value_and_grad(loss, places))(*arrays)
        received = jax.value_and_grad(loss, places)(*arrays)
    assert absent not in str(traced)
    for mine, theirs in zip(jax.tree.leaves(received), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


def test_grouped_convolutions_are_left_to_xla(rows):
    def build():
        return keras.Sequential([
            keras.Input((6, 6, 2)), layers.DepthwiseConv2D(3), layers.Conv2D(4, 3, groups=2),
            layers.Flatten(), layers.Dense(3, activation="softmax")])  # fmt: skip

    both(build, rows, plain)
