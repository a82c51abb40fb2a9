"""Few pictures: varied while a network trains, or seen through a network trained before."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from quiet import Quiet, few_digits

import numen
from numen.core.errors import InvalidInput, NotFound
from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.keras.backend import load_keras
from numen.train.keras.trainer import KerasTrainer
from numen.train.recipe import make

keras = load_keras()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return few_digits(tmp_path_factory.mktemp("home"), 60, 300)


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    """A network that knows digits: as a `.keras` file, and published."""
    folder = tmp_path_factory.mktemp("bodies")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        whole = Dataset.open("sample:mnist")
    images, labels = (whole.train.take(range(100, 3100)).arrays().inputs["image"],
                      whole.train.target[100:3100])  # fmt: skip
    model = keras.Sequential(
        [keras.Input((28, 28)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(),
         keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
    )  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images, labels, epochs=4, batch_size=32, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras's own, of NumPy 2
        model.save(folder / "known.keras")
    return folder


def fit(data, folder, **table):
    return KerasTrainer().fit(data, make(table), Run(folder, Quiet()))


def run(trained, folder, x):
    trained.export(folder / "m.onnx")
    session = onnxruntime.InferenceSession(str(folder / "m.onnx"))
    return session.run(["probabilities"], {"image": x})[0]


def rows(split):
    batch = split.arrays()
    return batch.inputs["image"].astype("float32"), batch.target


def accuracy(trained, folder, data):
    x, y = rows(data.test)
    made = run(trained, folder, x)
    np.testing.assert_allclose(made, trained.predict({"image": x})["probabilities"], atol=1e-4)
    return float((made.argmax(1) == y).mean())


def test_sixty_pictures_are_enough_behind_a_body(digits, bodies, tmp_path):
    body = str(bodies / "known.keras")
    known = fit(digits, tmp_path / "a", family="transfer", body=body, params={"scale": 1.0})
    alone = fit(digits, tmp_path / "b", family="mlp", epochs=20)
    assert accuracy(known, tmp_path, digits) > accuracy(alone, tmp_path, digits) + 0.05
    known.export(tmp_path / "known.onnx")
    kinds = [node.op_type for node in onnx.load(tmp_path / "known.onnx").graph.node]
    assert kinds.count("Softmax") == 1, "the body's own head is left out"


def test_a_published_model_is_a_body(digits, bodies, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path))
    model = keras.saving.load_model(bodies / "known.keras")
    numen.publish(model, name="known", sample=rows(digits.test)[0][:8])
    trained = numen.train(digits, "transfer", body="known", scale=1.0)
    assert trained.metrics["accuracy"] > 0.5
    assert trained.manifest.recipe["body"] == "known"
    with pytest.raises(NotFound, match="neither a file nor a published model"):
        numen.train(digits, "transfer", body="unknown", epochs=1)


def test_a_search_learns_behind_a_published_model_or_a_file(digits, bodies, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path))
    model = keras.saving.load_model(bodies / "known.keras")
    numen.publish(model, name="known", sample=rows(digits.test)[0][:8])
    space = {"body": ["known", str(bodies / "known.keras")], "units": [0]}
    found = numen.tune(digits, "transfer", trials=2, epochs=10, scale=1.0, space=space)
    assert [row.state for row in found.trials] == ["complete"] * 2
    assert found.recipe.body in space["body"]  # as it was said
    alone = numen.tune(
        digits, body="known", trials=1, epochs=2, scale=1.0, space={"units": [0]}, study="alone"
    )
    assert alone.recipe.family == "transfer"
    assert alone.model.manifest.recipe["body"] == "known@1"
    with pytest.raises(NotFound, match="neither a file nor a published model"):
        numen.tune(digits, body="unknown", trials=1)


def colour_body(path, opset=13):
    """float[n, 3, 14, 20] through a convolution and a dense layer of four classes."""
    source = np.random.default_rng(0)
    kernel = numpy_helper.from_array(source.standard_normal((6, 3, 3, 3)).astype("float32"), "k")
    dense = numpy_helper.from_array(source.standard_normal((6, 4)).astype("float32"), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "k"], ["maps"], pads=[1, 1, 1, 1]),
         helper.make_node("Relu", ["maps"], ["on"]),
         helper.make_node("GlobalAveragePool", ["on"], ["mean"]),
         helper.make_node("Flatten", ["mean"], ["flat"]),
         helper.make_node("MatMul", ["flat", "w"], ["logits"]),
         helper.make_node("Softmax", ["logits"], ["y"])],
        "colour",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 14, 20])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [kernel, dense],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path
    )


def test_pictures_are_brought_to_what_a_body_takes(digits, tmp_path):
    colour_body(tmp_path / "colour.onnx")
    normal = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2]}
    trained = fit(
        digits, tmp_path / "run", family="transfer", body=str(tmp_path / "colour.onnx"),
        epochs=2, params=normal,
    )  # fmt: skip
    accuracy(trained, tmp_path, digits)
    # What numen does to the pixels, done by hand.
    x = rows(digits.test)[0][:3]
    made = onnx.load(tmp_path / "m.onnx")
    del made.graph.output[:]
    pixels = next(node.input[0] for node in made.graph.node if node.op_type == "Conv")
    made.graph.output.append(helper.make_tensor_value_info(pixels, TensorProto.FLOAT, None))
    (seen,) = onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"image": x})
    assert seen.shape == (3, 3, 14, 20)
    small = np.stack([_resized(each / 255, 14, 20) for each in x])
    for channel, mean in enumerate(normal["mean"]):
        np.testing.assert_allclose(seen[:, channel], (small - mean) / 0.2, atol=1e-4)


def _resized(picture, height, width):
    """Bilinear, by half-pixel centres."""

    def along(size, to):
        at = np.clip((np.arange(to) + 0.5) * size / to - 0.5, 0, size - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, size - 1), (at - low)

    top, bottom, down = along(picture.shape[0], height)
    left, right, across = along(picture.shape[1], width)
    upper = picture[top][:, left] * (1 - across) + picture[top][:, right] * across
    lower = picture[bottom][:, left] * (1 - across) + picture[bottom][:, right] * across
    return upper * (1 - down[:, None]) + lower * down[:, None]


def test_what_is_no_body_is_refused(digits, tmp_path):
    (tmp_path / "text.onnx").write_text("no network")
    dense = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])], "dense",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 5])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
            [numpy_helper.from_array(np.ones((5, 2), "float32"), "w")],
        ),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
    )  # fmt: skip
    onnx.save(dense, tmp_path / "dense.onnx")
    for body, said in [("text.onnx", "is no network"), ("dense.onnx", "there is no body"),
                       ("gone.onnx", "there is no file"), ("", "needs a network")]:  # fmt: skip
        with pytest.raises((InvalidInput, NotFound), match=said):
            fit(
                digits,
                tmp_path / "run",
                family="transfer",
                body=str(tmp_path / body) if body else "",
            )
    with pytest.raises(InvalidInput, match='body: family "mlp" has none'):
        fit(digits, tmp_path / "run", family="mlp", body="x.onnx")
    colour_body(tmp_path / "colour.onnx")
    with pytest.raises(InvalidInput, match="expected 3 values"):
        fit(digits, tmp_path / "run", family="transfer", body=str(tmp_path / "colour.onnx"),
            params={"mean": [0.5, 0.5]})  # fmt: skip


def test_variations_are_for_training_only(digits, tmp_path):
    vary = {
        "rotate": 0.05,
        "shift": 0.1,
        "zoom": 0.1,
        "flip": "horizontal",
        "contrast": 0.2,
        "noise": 0.1,
    }
    plain = fit(digits, tmp_path / "a", family="cnn", epochs=2)
    varied = fit(digits, tmp_path / "b", family="cnn", epochs=2, augment=vary)
    again = fit(digits, tmp_path / "c", family="cnn", epochs=2, augment=vary)
    accuracy(varied, tmp_path, digits)
    x = rows(digits.test)[0][:20]
    first, second, third = (
        each.predict({"image": x})["probabilities"] for each in (varied, again, plain)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - third).max() > 1e-3
    varied.export(tmp_path / "varied.onnx")
    plain.export(tmp_path / "plain.onnx")
    count = [len([n for n in onnx.load(tmp_path / f"{name}.onnx").graph.node if n.op_type != "Reshape"])
             for name in ("varied", "plain")]  # fmt: skip
    assert count[0] == count[1]


@pytest.mark.parametrize(
    ("augment", "said"),
    [
        ({"rotates": 0.1}, '"rotates" is unknown; pictures know flip, rotate'),
        ({"rotate": 0.7}, "expected a number over 0 and up to 0.5, received 0.7"),
        ({"rotate": True}, "received True"),
        ({"shift": "much"}, "augment.shift: expected a number"),
        ({"flip": "both"}, "expected one of horizontal"),
    ],
)
def test_variations_that_there_are_not(digits, tmp_path, augment, said):
    with pytest.raises(InvalidInput, match=said):
        fit(digits, tmp_path, family="cnn", epochs=1, augment=augment)


def test_a_table_is_not_varied(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    (tmp_path / "t.csv").write_text("a,label\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    with pytest.raises(InvalidInput, match="augment"):
        fit(Dataset.open(tmp_path / "t.csv"), tmp_path, family="mlp", augment={"noise": 0.1})
