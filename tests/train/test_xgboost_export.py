"""XGBoost's trees as ONNX against XGBoost: holes, categories, objectives, where a run stops."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import xgboost

from numen.core.errors import ExportFailed
from numen.core.manifest import Classification
from numen.train.xgboost import XgboostExporter

QUIET = {"verbosity": 0, "max_depth": 5, "seed": 1, "nthread": 1}


def table(rows=400, seed=0, holes=True):
    random = np.random.default_rng(seed)
    x = random.normal(0, 1, (rows, 5)).astype("float32")
    x[:, 3] = random.integers(0, 12, rows)
    x[:, 4] = random.integers(-2, 3, rows)
    if holes:
        x[random.random(x.shape) < 0.15] = np.nan
    return x


def train(x, y, kinds=None, **options):
    rows = xgboost.DMatrix(x, y, feature_types=kinds, enable_categorical=True)
    return xgboost.train({**QUIET, **options}, rows, 12)


def compare(model, x, folder):
    trained = XgboostExporter().wrap(model, x[:8])
    trained.export(folder / "m.onnx")
    session = onnxruntime.InferenceSession(str(folder / "m.onnx"))
    (spec,) = trained.signature.outputs
    (received,) = session.run(None, {"input": x})
    expected = trained.predict({"input": x})[spec.name]
    assert received.shape == expected.shape
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)
    return trained


OBJECTIVES = [
    ({"objective": "reg:squarederror"}, 1),
    ({"objective": "reg:squarederror", "base_score": 3.5}, 1),
    ({"objective": "reg:absoluteerror"}, 1),
    ({"objective": "reg:logistic"}, 1),
    ({"objective": "binary:logistic"}, 2),
    ({"objective": "binary:logistic", "base_score": 0.2}, 2),
    ({"objective": "multi:softprob", "num_class": 3}, 3),
    ({"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2}, 3),
]


@pytest.mark.parametrize(("options", "width"), OBJECTIVES, ids=str)
def test_objectives(options, width, tmp_path):
    x = table()
    score = np.nan_to_num(x[:, 0]) + (np.nan_to_num(x[:, 3]) > 6)
    y = {1: 5 + score, 2: score > 0.5, 3: np.digitize(score, [0, 1])}[width].astype("float32")
    if options["objective"] == "reg:logistic":
        y = np.clip(y / 9, 0, 1)
    trained = compare(train(x, y, **options), table(seed=3), tmp_path)
    assert trained.signature.outputs[0].shape == (None, width)


@pytest.mark.parametrize("one_hot", [1, 100])
def test_categories(one_hot, tmp_path):
    x = table()
    y = np.where(np.isin(x[:, 3], [1, 4, 7, 10]), 5.0, 0.0) + np.nan_to_num(x[:, 0])
    model = train(x, y, ["q", "q", "q", "c", "q"], max_cat_to_onehot=one_hot)
    assert b"categories" in bytes(model.save_raw("json"))
    compare(model, table(seed=6), tmp_path)


def test_splits_are_exact(tmp_path):
    """Values that are themselves splits, and their neighbours, take XGBoost's branch."""
    x = table(holes=False)
    model = train(x, x[:, 0] + x[:, 1])
    frame = [tree.split("[")[1:] for tree in model.get_dump()]
    cuts = [part.split("]")[0].split("<") for tree in frame for part in tree]
    asked = np.repeat(x[:1], 3 * len(cuts), axis=0)
    for i, (feature, cut) in enumerate(cuts):
        near = np.float32(cut)
        around = (np.nextafter(near, np.float32(-9)), near, np.nextafter(near, np.float32(9)))
        asked[3 * i : 3 * i + 3, int(feature[1:])] = around
    compare(model, asked, tmp_path)


def test_estimators_keep_their_class_names(tmp_path):
    x = table()
    y = np.digitize(np.nan_to_num(x[:, 0]), [-0.5, 0.5])
    model = xgboost.XGBClassifier(n_estimators=5, **QUIET).fit(x, y)
    trained = compare(model, x, tmp_path)
    assert trained.postprocess == Classification("probabilities", ("0", "1", "2"))


def test_what_has_no_way_is_refused():
    x = table()
    with pytest.raises(ExportFailed, match="fit"):
        XgboostExporter().wrap(xgboost.XGBRegressor(), x)
    model = train(x, np.abs(np.nan_to_num(x[:, 0])), objective="count:poisson")
    with pytest.raises(ExportFailed, match=r"\[rows, 5\]"):
        XgboostExporter().wrap(model, x[:, :3])
    with pytest.raises(ExportFailed, match="count:poisson"):
        XgboostExporter().wrap(model, x).export("/nowhere")
