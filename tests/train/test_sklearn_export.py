"""Users' own scikit-learn estimators become ONNX that says the same."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from numen.core.errors import ExportFailed
from numen.train.sklearn import SklearnExporter

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(0, 1, (300, 4)).astype("float32")
NAMES = np.array(["cold", "mild", "warm"])[np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])]
VALUES = 1000 * X[:, 0] - 300 * X[:, 2]
HOLES = np.where(RANDOM.random(X.shape) < 0.1, np.nan, X).astype("float32")

MODELS = {
    "forest": (RandomForestClassifier(20, random_state=0), X, NAMES),
    "forest, missing": (RandomForestClassifier(20, random_state=0), HOLES, NAMES),
    "forest, two classes": (RandomForestClassifier(5, random_state=0), X, NAMES == "mild"),
    "extra trees": (ExtraTreesClassifier(20, random_state=0), X, NAMES),
    "forest, quantity": (RandomForestRegressor(20, random_state=0), HOLES, VALUES),
    "forest, quantities": (RandomForestRegressor(9, random_state=0), X, X[:, :2] * 3),
    "logistic": (make_pipeline(StandardScaler(), LogisticRegression()), X, NAMES),
    "imputed": (make_pipeline(SimpleImputer(), LogisticRegression()), HOLES, NAMES),
    "columns": (
        make_pipeline(
            make_column_transformer((StandardScaler(), [0, 2]), remainder="passthrough"),
            LogisticRegression(),
        ),
        X,
        NAMES,
    ),
    "network": (MLPClassifier((8,), max_iter=60, random_state=0), X, NAMES),
    "linear": (LinearRegression(), X, VALUES),
    "linear, quantities": (LinearRegression(), X, X[:, :2] * 3),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators(name, tmp_path):
    model, x, y = MODELS[name]
    model.fit(x, y)
    trained = SklearnExporter().wrap(model, x[:32])
    trained.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    (spec,) = trained.signature.outputs
    (received,) = session.run([spec.name], {"input": x})
    expected = trained.predict({"input": x})[spec.name]
    assert received.shape == expected.shape == (len(x), spec.shape[1])
    np.testing.assert_allclose(received, expected, rtol=0, atol=trained.tolerance)
    labels = getattr(trained.postprocess, "labels", None)
    if labels:
        assert labels == tuple(map(str, np.unique(y)))


def test_text(tmp_path):
    texts = np.array(["good fun", "bad plot", "great fun", "awful bad", "good plot"] * 8)
    y = np.array([1, 0, 1, 0, 1] * 8)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, y)
    trained = SklearnExporter().wrap(model, texts[:3])
    trained.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    asked = np.array([["fun plot"], ["awful"], ["never seen"]], dtype=object)
    (received,) = session.run(None, {"input": asked})
    np.testing.assert_allclose(
        received, trained.predict({"input": asked})["probabilities"], atol=1e-5
    )
    assert str(trained.signature.inputs[0]) == "string[?, 1]"


REVIEWS = np.array(
    [
        "Good fun, don't miss",
        "bad plot é",
        "Great Éclair café",
        "awful bad plot",
        "Привет 3 good_fun",
    ]
    * 8
)
VECTORIZERS = {
    "words": lambda: TfidfVectorizer(),
    "pairs": lambda: TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
    "pairs only": lambda: CountVectorizer(ngram_range=(2, 2)),
    "present": lambda: CountVectorizer(binary=True, max_features=7),
    "single letters": lambda: TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", norm="l1"),
    "capitals": lambda: TfidfVectorizer(lowercase=False, use_idf=False, norm=None),
    "stop words": lambda: TfidfVectorizer(stop_words=["good", "plot"]),
    "several": lambda: make_union(TfidfVectorizer(), CountVectorizer(ngram_range=(1, 3))),
    "column": lambda: make_column_transformer((TfidfVectorizer(), 0)),
    "columns": lambda: make_column_transformer((TfidfVectorizer(), 0), (CountVectorizer(), 1)),
}
PIECES = ["good", "FUN", "Bad", "plot", "ÉCLAIR", "Éclair", "café", "a", "é", "Привет", "ПРИВЕТ"]
PIECES += ["don't", "3", "good_fun", "²", "日本", "-", "\n", "", "\0", "x"]


@pytest.mark.parametrize("name", VECTORIZERS)
def test_texts_are_cut_as_scikit_learn_does(name, tmp_path):
    columns = {"column": 1, "columns": 2}.get(name, 0)
    y = np.array([1, 0, 1, 0, 1] * 8)

    def shaped(texts):
        texts = np.array(texts, object)
        return np.stack([texts, texts[::-1]][:columns], axis=1) if columns else texts

    model = make_pipeline(VECTORIZERS[name](), LogisticRegression()).fit(shaped(REVIEWS), y)
    trained = SklearnExporter().wrap(model, shaped(REVIEWS)[:4].astype(str))
    assert str(trained.signature.inputs[0]) == f"string[?, {columns or 1}]"
    trained.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join), min_size=1))
    def agrees(texts):
        asked = shaped(texts).reshape(len(texts), columns or 1)
        (received,) = session.run(None, {"input": asked})
        expected = trained.predict({"input": asked})["probabilities"]
        np.testing.assert_allclose(received, expected, atol=1e-5)

    agrees()


def test_refusals():
    wrap = SklearnExporter().wrap
    with pytest.raises(ExportFailed, match="fit"):
        wrap(RandomForestClassifier(), X)
    with pytest.raises(ExportFailed, match="probabilities"):
        wrap(LinearSVC().fit(X, NAMES), X)
    with pytest.raises(ExportFailed, match="rows, columns"):
        wrap(LinearRegression().fit(X, VALUES), X[0])
