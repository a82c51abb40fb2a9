"""The Python API: train, publish what was made elsewhere, load, measure, promote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import numen
from numen.core.errors import ExportFailed, InvalidInput, NotFound
from parts import linear_graph

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two numbers and a category decide the class."""
    source = np.random.default_rng(0)
    rows = ["width,height,colour,kind"]
    for _ in range(400):
        width, height = source.normal(size=2)
        colour = source.choice(["red", "green"])
        kind = "big" if width + height + (colour == "red") > 0.5 else "small"
        rows.append(f"{width:.4f},{height:.4f},{colour},{kind}")
    path = tmp_path / "things.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("family", ["forest", "boosting"])
def test_a_table_becomes_a_published_model(table: Path, family: str) -> None:
    data = numen.Dataset.open(table)
    model = numen.train(data, family, name="things", epochs=20)
    assert model.metrics["accuracy"] > 0.8
    assert model.manifest.parity < 1e-4
    assert model.manifest.batched
    loaded = numen.load("things@champion")
    (row,) = loaded.classify({"width": 3.0, "height": 3.0, "colour": "red"})
    assert row["label"] == "big"
    assert loaded.evaluate(data.test).accuracy == pytest.approx(model.metrics["accuracy"])
    # A category that training never saw tells as much as none.
    unseen, absent = (
        loaded.classify({"width": 0.5, "height": 0.1, **colour})
        for colour in ({"colour": "blue"}, {})
    )
    assert unseen == absent
    with pytest.raises(InvalidInput, match='field "size" is unknown'):
        loaded.classify({"size": 3.0})


def test_training_twice_is_one_version(table: Path) -> None:
    first = numen.train(table, "forest", name="things", epochs=10)
    again = numen.train(table, "forest", name="things", epochs=10)
    assert again.bundle.digest == first.bundle.digest
    assert [v.version for v in numen.models()[0].versions] == [1]
    other = numen.train(table, "forest", name="things", epochs=12)
    assert other.version.version == 2
    assert numen.load("things").version.version == 1  # the champion stays until promoted
    numen.promote("things@2")
    assert numen.load("things").version.version == 2
    assert numen.rollback("things").version == 1


def test_publishes_a_scikit_learn_model() -> None:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    own = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    model = numen.publish(own, name="iris", sample=x[:16], labels=["setosa", "versi", "virgi"])
    assert model.version.version == 1
    np.testing.assert_allclose(model.predict(x), own.predict_proba(x), atol=1e-5)
    assert model.classify(x[0])[0]["label"] == "setosa"


def test_publishes_a_lightgbm_model(tmp_path: Path) -> None:
    import lightgbm

    source = np.random.default_rng(0)
    x = source.normal(size=(300, 4)).astype(np.float32)
    own = lightgbm.LGBMRegressor(n_estimators=20, verbose=-1).fit(x, x[:, 0] * 2)
    model = numen.publish(own, name="price", sample=x[:16])
    np.testing.assert_allclose(np.ravel(model.predict(x)), own.predict(x), atol=1e-5)
    own.booster_.save_model(tmp_path / "price.txt")
    again = numen.publish(tmp_path / "price.txt", name="again", sample=x[:16])
    np.testing.assert_allclose(again.predict(x), model.predict(x), atol=1e-6)


def test_publishes_a_keras_file(tmp_path: Path) -> None:
    from numen.train.keras.backend import load_keras

    keras = load_keras()
    own = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    own.save(tmp_path / "own.keras")
    x = np.random.default_rng(0).random((8, 3), np.float32)
    model = numen.publish(tmp_path / "own.keras", name="own", sample=x)
    np.testing.assert_allclose(model.predict(x), own.predict(x, verbose=0), atol=1e-5)


def test_publishes_an_onnx_file(tmp_path: Path) -> None:
    reference = linear_graph(tmp_path / "linear.onnx")
    x = np.random.default_rng(0).random((4, 28, 28), np.float32)
    model = numen.publish(
        tmp_path / "linear.onnx", name="linear", sample=x, labels=list("abcdefghij"), alias="next"
    )
    np.testing.assert_allclose(model.predict(x), reference(x), atol=1e-5)
    assert model.manifest.preprocess.scale == pytest.approx(1 / 255)  # the sample lies in 0-1
    assert numen.models()[0].aliases == {"champion": 1, "next": 1}


def test_publishes_a_model_in_hand_and_a_bundle(table: Path) -> None:
    model = numen.train(table, "forest", epochs=5)
    assert model.version is None
    published = numen.publish(model, name="one")
    assert numen.publish(published.bundle.path, name="two").bundle.digest == model.bundle.digest


@pytest.mark.parametrize(
    ("model", "sample", "error", "said"),
    [
        (object(), np.zeros((2, 3)), InvalidInput, "builtins.object"),
        (object(), None, InvalidInput, "sample"),
        ("absent.onnx", None, NotFound, "absent.onnx"),
    ],
)
def test_says_what_cannot_be_published(
    model: object, sample: object, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        numen.publish(model, name="m", sample=sample)
    assert numen.models() == []


def test_a_broken_file_is_not_published(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"not a graph")
    with pytest.raises(numen.NumenError, match=r"m\.onnx"):
        numen.publish(tmp_path / "m.onnx", name="m")
    for name, said in (("m.zip", r"\.keras, \.onnx"), ("m.txt", "m.txt"), ("m.keras", "m.keras")):
        (tmp_path / name).write_text("?")
        with pytest.raises(InvalidInput, match=said):
            numen.publish(tmp_path / name, name="m", sample=np.zeros((2, 3)))
    assert numen.models() == []


def test_labels_must_fit(tmp_path: Path) -> None:
    linear_graph(tmp_path / "linear.onnx")
    with pytest.raises(InvalidInput, match="labels: expected 10"):
        numen.publish(tmp_path / "linear.onnx", name="m", labels=["a", "b"])


def test_an_export_that_differs_is_refused(tmp_path: Path) -> None:
    from numen.api.package import Facts, write_bundle
    from numen.core.signature import Signature, TensorSpec
    from numen.train.base import Trained

    reference = linear_graph(tmp_path / "linear.onnx")
    spec = TensorSpec("image", "float32", (None, 28, 28))
    trained = Trained(
        signature=Signature((spec,), (TensorSpec("probabilities", "float32", (None, 10)),)),
        predict=lambda inputs: {"probabilities": reference(inputs["image"]) + 2e-4},
        export=lambda path: path.write_bytes((tmp_path / "linear.onnx").read_bytes()),
        framework="test",
        family="linear",
    )
    x = np.zeros((2, 28, 28), np.float32)
    with pytest.raises(ExportFailed, match="differs from test"):
        write_bundle(tmp_path / "bundle", trained, {"image": x}, Facts())
    assert not (tmp_path / "bundle").exists()


def test_resume_needs_something_to_resume(table: Path) -> None:
    with pytest.raises(NotFound, match="nothing to resume"):
        numen.train(table, "forest", resume=True)


def test_logits_are_read_as_probabilities() -> None:
    from numen.core.manifest import Classification
    from numen.runtime.process import probabilities

    scores = np.array([[1.0, 2.0, 700.0], [0.0, 0.0, 0.0]])
    soft = probabilities({"y": scores}, Classification("y", ("a", "b", "c"), "softmax"))
    np.testing.assert_allclose(soft, [[0, 0, 1], [1 / 3] * 3], atol=1e-12)
    one = probabilities({"y": np.array([[0.0]])}, Classification("y", ("no", "yes"), "sigmoid"))
    np.testing.assert_allclose(one, [[0.5, 0.5]])


def test_a_picture_model_judges_and_reads_pictures_alike(tmp_path: Path) -> None:
    reference = linear_graph(tmp_path / "linear.onnx")
    data = numen.Dataset.open("sample:mnist")
    split = data.test.take(np.arange(50))
    batch = next(iter(split.batches(50)))
    sample = np.random.default_rng(0).random((4, 28, 28), np.float32)
    model = numen.publish(
        tmp_path / "linear.onnx", name="linear", sample=sample, labels=list("0123456789")
    )
    expected = reference(batch.inputs["image"] / 255).argmax(1) == batch.target
    assert model.evaluate(split).accuracy == pytest.approx(expected.mean())


@pytest.mark.slow
def test_a_users_own_build_trains(table: Path, tmp_path: Path) -> None:
    (tmp_path / "my_models.py").write_text(
        "import keras\n"
        "def build(data):\n"
        "    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(8, 'relu'),\n"
        "        keras.layers.Dense(2, 'softmax')])\n"
    )
    model = numen.train(table, "my_models:build", epochs=3)
    assert model.manifest.family == "my_models:build"
    assert model.predict(np.zeros((1, 3))).shape == (1, 2)
