"""Every rule of the Keras converter against Keras itself, on odd shapes and random weights."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from keras_parity import parity

from numen.core.errors import ExportFailed
from numen.core.signature import Signature, TensorSpec
from numen.train.keras.backend import load_keras
from numen.train.keras.onnx import convert

keras = load_keras()
L = keras.layers
K = keras.ops
WIDE = (None, 9, 7, 3)
LONG = (None, 11, 4)
FLAT = (None, 6)


def sample(shape, seed=0):
    return np.random.default_rng(seed).normal(0, 2, (3, *shape[1:])).astype("float32")


def chain(shape, *layers):
    given = keras.Input(shape[1:])
    x = given
    for layer in layers:
        x = layer(x)
    return keras.Model(given, x)


ACTIVATIONS = [
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "swish",
    "sigmoid",
    "hard_sigmoid",
    "hard_silu",
    "tanh",
    "hard_tanh",
    "softplus",
    "softsign",
    "softmax",
    "log_softmax",
    "linear",
    "exponential",
    "mish",
    "log_sigmoid",
    "tanh_shrink",
    "squareplus",
]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    layer = L.Conv2D(5, 2, activation=name)
    assert parity(chain(WIDE, layer), sample(WIDE))[0] < 2e-5
    assert parity(chain(FLAT, L.Dense(4, activation=name)), sample(FLAT))[0] < 2e-5


LAYERS = {
    "dense 2": (FLAT, lambda: [L.Dense(5)]),
    "dense 3": (LONG, lambda: [L.Dense(5, activation="relu")]),
    "dense 4": (WIDE, lambda: [L.Conv2D(2, 2), L.Dense(5, use_bias=False)]),
    "flatten": (WIDE, lambda: [L.Conv2D(2, 3), L.Flatten(), L.Dense(3)]),
    "flatten first": (
        WIDE,
        lambda: [L.Permute((3, 1, 2)), L.Flatten(data_format="channels_first"), L.Dense(3)],
    ),
    "reshape": (WIDE, lambda: [L.Reshape((21, -1)), L.Reshape((7, 3, 9))]),
    "permute": (WIDE, lambda: [L.Conv2D(4, 2), L.Permute((3, 1, 2))]),
    "training only": (
        FLAT,
        lambda: [L.Dropout(0.5), L.GaussianNoise(0.3), L.GaussianDropout(0.2), L.AlphaDropout(0.1)],
    ),
    "augment": (WIDE, lambda: [L.RandomFlip(), L.RandomRotation(0.2), L.RandomZoom(0.2)]),
    "relu": (FLAT, lambda: [L.ReLU()]),
    "relu max": (FLAT, lambda: [L.ReLU(max_value=1.5)]),
    "relu slope": (FLAT, lambda: [L.ReLU(negative_slope=0.3)]),
    "relu all": (FLAT, lambda: [L.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.5)]),
    "relu threshold": (FLAT, lambda: [L.ReLU(threshold=0.5)]),
    "leaky": (FLAT, lambda: [L.LeakyReLU(0.07)]),
    "prelu": (WIDE, lambda: [L.Conv2D(4, 2), L.PReLU()]),
    "prelu shared": (WIDE, lambda: [L.PReLU(shared_axes=[1, 2])]),
    "elu": (FLAT, lambda: [L.ELU(0.7)]),
    "softmax": (FLAT, lambda: [L.Softmax()]),
    "softmax axis": (WIDE, lambda: [L.Conv2D(4, 2), L.Softmax(axis=1)]),
    "softmax last": (WIDE, lambda: [L.Conv2D(4, 2), L.Softmax()]),
    "activation layer": (FLAT, lambda: [L.Dense(3, activation=L.LeakyReLU(0.3))]),
    "own activation": (FLAT, lambda: [L.Dense(3, activation=lambda x: x * K.sigmoid(1.7 * x))]),
    "rescaling": (WIDE, lambda: [L.Rescaling(1 / 3, offset=-1)]),
    "rescaling each": (WIDE, lambda: [L.Rescaling([0.1, 0.2, 0.3], [1.0, 2.0, 3.0])]),
    "normalization": (FLAT, lambda: [L.Normalization(mean=range(6), variance=range(1, 7))]),
    "normalization inverse": (FLAT, lambda: [L.Normalization(mean=2, variance=4, invert=True)]),
    "batch norm": (FLAT, lambda: [L.BatchNormalization()]),
    "batch norm 4": (WIDE, lambda: [L.Conv2D(4, 2), L.BatchNormalization(scale=False)]),
    "batch norm axis": (WIDE, lambda: [L.BatchNormalization(axis=1, center=False)]),
    "layer norm": (LONG, lambda: [L.LayerNormalization()]),
    "layer norm axes": (WIDE, lambda: [L.Conv2D(4, 2), L.LayerNormalization(axis=[1, 3])]),
    "layer norm bare": (FLAT, lambda: [L.LayerNormalization(center=False, scale=False)]),
    "conv": (WIDE, lambda: [L.Conv2D(5, (2, 3), activation="relu")]),
    "conv same": (WIDE, lambda: [L.Conv2D(5, 3, padding="same", use_bias=False)]),
    "conv even": (WIDE, lambda: [L.Conv2D(5, (4, 2), padding="same")]),
    "conv stride": (WIDE, lambda: [L.Conv2D(5, 3, strides=2, padding="same")]),
    "conv stride 3": (WIDE, lambda: [L.Conv2D(5, 2, strides=(3, 2), padding="same")]),
    "conv dilated": (WIDE, lambda: [L.Conv2D(5, 2, dilation_rate=2, padding="same")]),
    "conv dilated valid": (WIDE, lambda: [L.Conv2D(5, 3, dilation_rate=(1, 2))]),
    "conv groups": (WIDE, lambda: [L.Conv2D(6, 2, groups=3)]),
    "conv first": (WIDE, lambda: [L.Conv2D(4, 3, data_format="channels_first", padding="same")]),
    "conv 1": (LONG, lambda: [L.Conv1D(5, 3, strides=2, padding="same", activation="tanh")]),
    "conv 1 causal": (LONG, lambda: [L.Conv1D(5, 3, padding="causal", dilation_rate=2)]),
    "depthwise": (WIDE, lambda: [L.DepthwiseConv2D(3, depth_multiplier=2, activation="relu")]),
    "depthwise stride": (WIDE, lambda: [L.DepthwiseConv2D(3, strides=2, padding="same")]),
    "depthwise 1": (LONG, lambda: [L.DepthwiseConv1D(3, padding="same")]),
    "separable": (WIDE, lambda: [L.SeparableConv2D(5, 3, depth_multiplier=2, padding="same")]),
    "separable stride": (WIDE, lambda: [L.SeparableConv2D(5, 2, strides=2, activation="elu")]),
    "separable 1": (LONG, lambda: [L.SeparableConv1D(5, 3)]),
    "max pool": (WIDE, lambda: [L.MaxPooling2D(2)]),
    "max pool same": (WIDE, lambda: [L.MaxPooling2D(3, strides=2, padding="same")]),
    "max pool 1": (LONG, lambda: [L.MaxPooling1D(2, padding="same")]),
    "max pool first": (WIDE, lambda: [L.MaxPooling2D(2, data_format="channels_first")]),
    "mean pool": (WIDE, lambda: [L.AveragePooling2D((2, 3))]),
    "mean pool same": (WIDE, lambda: [L.AveragePooling2D(3, strides=2, padding="same")]),
    "mean pool 1": (LONG, lambda: [L.AveragePooling1D(3, padding="same")]),
    "global max": (WIDE, lambda: [L.Conv2D(4, 2), L.GlobalMaxPooling2D()]),
    "global mean": (WIDE, lambda: [L.Conv2D(4, 2), L.GlobalAveragePooling2D()]),
    "global keep": (WIDE, lambda: [L.Conv2D(4, 2), L.GlobalAveragePooling2D(keepdims=True)]),
    "global first": (WIDE, lambda: [L.GlobalMaxPooling2D(data_format="channels_first")]),
    "global 1": (LONG, lambda: [L.GlobalAveragePooling1D()]),
    "global 1 max": (LONG, lambda: [L.Conv1D(3, 2), L.GlobalMaxPooling1D()]),
    "pad": (WIDE, lambda: [L.ZeroPadding2D(((1, 2), (0, 3)))]),
    "pad turned": (WIDE, lambda: [L.Conv2D(4, 2), L.ZeroPadding2D(1), L.Conv2D(3, 2)]),
    "pad 1": (LONG, lambda: [L.ZeroPadding1D((2, 1))]),
    "up": (WIDE, lambda: [L.UpSampling2D((2, 3))]),
    "up bilinear": (WIDE, lambda: [L.UpSampling2D(2, interpolation="bilinear")]),
    "up 1": (LONG, lambda: [L.UpSampling1D(2)]),
    "identity": (FLAT, lambda: [L.Identity(), L.ActivityRegularization(0.1)]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    shape, layers = LAYERS[name]
    assert parity(chain(shape, *layers()), sample(shape))[0] < 1e-5


MERGES = [L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum, L.Concatenate]


@pytest.mark.parametrize("merge", MERGES)
def test_merges_of_tensors_stored_differently(merge):
    given = keras.Input(WIDE[1:])
    turned = L.Conv2D(3, 3, padding="same")(given)
    model = keras.Model(given, merge()([turned, given]))
    assert parity(model, sample(WIDE))[0] < 1e-5


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_concatenates_along_any_axis(axis):
    given = keras.Input(WIDE[1:])
    parts = [L.Conv2D(3, 3, padding="same")(given) for _ in range(3)]
    model = keras.Model(given, L.Concatenate(axis=axis)(parts))
    assert parity(model, sample(WIDE))[0] < 1e-5


OPERATIONS = {
    "numbers": lambda x: (x + 1) / 3.0 - 2 * x,
    "number first": lambda x: 1.0 - x / 255.0,
    "array": lambda x: x * np.arange(6, dtype="float32"),
    "tensors": lambda x: (x * x + x) / (1 + x * x),
    "extremes": lambda x: K.maximum(x, 0.3) + K.minimum(x, -0.1),
    "gelu": lambda x: K.gelu(x, approximate=True) + K.gelu(x, approximate=False),
    "functions": lambda x: K.exp(-K.square(x)) + K.sqrt(K.abs(x)) + K.erf(x),
    "slice": lambda x: x[:, 1:5:2] * x[:, -1:] + x[:, 0:1],
    "index": lambda x: K.concatenate([x[:, 2:4], x[..., :1]], axis=1),
    "take": lambda x: K.take(x, [3, 1, 1], axis=1),
    "cast": lambda x: K.cast(K.equal(x, x), "float32") + K.cast(x, "float32"),
    "reduce": lambda x: x - K.mean(x, axis=1, keepdims=True) + K.max(x, axis=-1, keepdims=True),
    "reshape": lambda x: K.sum(K.reshape(x, (-1, 2, 3)), axis=2),
    "relu": lambda x: keras.activations.relu(x, negative_slope=0.1, max_value=2.0),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name):
    given = keras.Input(FLAT[1:])
    assert parity(keras.Model(given, OPERATIONS[name](given)), sample(FLAT))[0] < 1e-5


def test_operations_on_turned_tensors():
    given = keras.Input(WIDE[1:])
    x = L.Conv2D(4, 2)(given)
    x = x * np.arange(4, dtype="float32") + 1.0
    x = x + L.Dense(4)(x)
    model = keras.Model(given, L.Conv2D(2, 2)(K.relu(x / 3)))
    assert parity(model, sample(WIDE))[0] < 1e-5


def test_missing_values_become_means():
    given = keras.Input((6,))
    x = L.Normalization(mean=range(6), variance=range(1, 7))(given)
    model = keras.Model(given, L.Dense(3)(K.nan_to_num(x)))
    x = sample(FLAT)
    x[0, 2] = x[1, :] = np.nan
    assert parity(model, x)[0] < 1e-5


def test_embedding():
    given = keras.Input((7,), dtype="int32")
    model = keras.Model(given, L.GlobalAveragePooling1D()(L.Embedding(10, 4)(given)))
    x = np.random.default_rng(0).integers(0, 10, (3, 7)).astype("int32")
    assert parity(model, x, "int32")[0] < 1e-5


def test_bytes_in():
    given = keras.Input((28, 28), dtype="uint8")
    model = keras.Model(given, L.Dense(2)(L.Flatten()(L.Rescaling(1 / 255)(given))))
    x = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype("uint8")
    assert parity(model, x, "uint8")[0] < 1e-5


def test_nested_and_shared_models():
    inner = keras.Sequential([L.Dense(6, activation="relu"), L.Dense(6)])
    given = keras.Input((6,))
    outer = keras.Model(given, inner(inner(given)) + given)
    whole = keras.Sequential([outer, L.Softmax()])
    whole.build((None, 6))
    assert parity(whole, sample(FLAT))[0] < 1e-5


def test_traces_the_users_own_layer():
    class Gate(keras.layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(shape[-1], shape[-1]), initializer="uniform")

        def call(self, x):
            return x * K.sigmoid(K.matmul(x, self.w))

    assert parity(chain(FLAT, Gate(), L.Dense(2)), sample(FLAT))[0] < 1e-5


def test_traces_a_subclassed_model():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = L.Dense(5, activation="relu"), L.Dense(2)

        def call(self, x, training=False):
            return self.b(self.a(x))

    model = Net()
    model(sample(FLAT))
    assert parity(model, sample(FLAT))[0] < 1e-5


def test_a_layer_of_the_same_name_is_not_keras_own():
    class Dense(keras.layers.Layer):
        def call(self, x):
            return x * 3

    assert parity(chain(FLAT, Dense()), sample(FLAT))[0] < 1e-5


def test_a_convolutional_network_is_turned_around_twice():
    layers = [L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), L.ReLU(), L.MaxPooling2D(2)]
    model = chain(WIDE, *layers, L.Conv2D(5, 2), L.Flatten(), L.Dense(3))
    worst, made = parity(model, sample(WIDE))
    assert worst < 1e-5
    assert [n.op_type for n in made.graph.node].count("Transpose") == 2


def test_grey_pictures_are_reshaped_not_transposed():
    model = chain((None, 8, 8), L.Reshape((8, 8, 1)), L.Conv2D(2, 3), L.GlobalMaxPooling2D())
    worst, made = parity(model, sample((None, 8, 8)))
    assert worst < 1e-5
    assert "Transpose" not in [n.op_type for n in made.graph.node]


def test_open_sizes():
    model = chain(
        (None, None, None, 3), L.Conv2D(4, 3, strides=2, padding="same"), L.MaxPooling2D(2)
    )
    x = sample(WIDE)
    signature = Signature(
        (TensorSpec("x", "float32", (None, None, None, 3)),),
        (TensorSpec("y", "float32", (None, None, None, 4)),),
    )
    session = onnxruntime.InferenceSession(convert(keras, model, signature).SerializeToString())
    for part in (x, x[:, :6, :5]):
        (received,) = session.run(None, {"x": part})
        np.testing.assert_allclose(received, np.asarray(model(part)), atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "layers", "named"),
    [
        (LONG, lambda: [L.RNN(L.LSTMCell(3), name="memory")], "memory"),
        (FLAT, lambda: [L.Lambda(lambda x: K.sort(x), name="sorted")], "sort"),
    ],
)
def test_names_the_layer_that_has_no_rule(shape, layers, named):
    model = chain(shape, *layers())
    signature = Signature(
        (TensorSpec("x", "float32", shape),), (TensorSpec("y", "float32", shape),)
    )
    with pytest.raises(ExportFailed, match=named):
        convert(keras, model, signature)


def test_refuses_masks():
    given = keras.Input((7,), dtype="int32")
    x = L.Embedding(9, 4, mask_zero=True)(given)
    model = keras.Model(given, L.GlobalAveragePooling1D()(x))
    ends = TensorSpec("x", "int32", (None, 7)), TensorSpec("y", "float32", (None, 4))
    with pytest.raises(ExportFailed, match="mask_zero"):
        convert(keras, model, Signature(ends[:1], ends[1:]))


def test_dropout_called_as_if_training_predicts_as_keras_does():
    given = keras.Input((6,))
    model = keras.Model(given, L.Dropout(0.5)(given, training=True))
    x = sample(FLAT)
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    assert parity(model, x)[0] == 0


def test_keras_still_keeps_its_graph_where_the_walk_reads_it():
    """Guards the internals the converter leans on; a failure here means Keras moved them."""
    model = chain(FLAT, L.Dense(3, name="first"), L.Dense(2))
    assert sorted(model._nodes_by_depth, reverse=True) == [2, 1, 0]
    (node,) = model._nodes_by_depth[1]
    assert node.operation.name == "first"
    assert not node.is_input
    assert [t.shape for t in node.input_tensors] == [(None, 6)]
    assert [t.shape for t in node.outputs] == [(None, 3)]
    args, kwargs = node.arguments.fill_in({id(node.input_tensors[0]): "filled"})
    assert (args, kwargs) == (("filled",), {})
    assert node.outputs[0]._keras_history.operation.name == "first"
    sequential = keras.Sequential([L.Dense(2)])
    sequential.build((None, 6))
    assert sequential._functional._nodes_by_depth
    assert type(model.layers[1]).__module__.startswith("keras.src.layers.")
    assert type((model.inputs[0] + 1)._keras_history.operation).__module__ == "keras.src.ops.numpy"


def test_weights_are_single_precision():
    _, made = parity(chain(FLAT, L.Dense(3)), sample(FLAT))
    kinds = {t.data_type for t in made.graph.initializer}
    assert kinds == {onnx.TensorProto.FLOAT}
