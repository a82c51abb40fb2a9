"""LightGBM's trees as ONNX against LightGBM: thresholds, holes, categories, objectives."""

from __future__ import annotations

import json

import lightgbm
import numpy as np
import onnxruntime
import pytest

from numen.core.errors import ExportFailed
from numen.core.manifest import Classification
from numen.train.ensemble import round_down
from numen.train.trees import LightGBMExporter

QUIET = {"verbosity": -1, "min_data_in_leaf": 3, "num_leaves": 12, "seed": 1, "num_threads": 1}


def table(rows=400, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(0, 1, (rows, 5)).astype("float32")
    x[:, 3] = random.integers(0, 12, rows)
    x[:, 4] = random.integers(-2, 3, rows)  # many true zeros
    return x


def holes(x, seed=1):
    x = x.copy()
    x[np.random.default_rng(seed).random(x.shape) < 0.15] = np.nan
    return x


def compare(model, x, folder):
    trained = LightGBMExporter().wrap(model, x[:8])
    trained.export(folder / "m.onnx")
    session = onnxruntime.InferenceSession(str(folder / "m.onnx"))
    (spec,) = trained.signature.outputs
    (received,) = session.run(None, {"input": x})
    expected = trained.predict({"input": x})[spec.name]
    assert received.shape == expected.shape
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)
    return trained


def train(x, y, **options):
    categories = options.pop("categories", "auto")
    made = lightgbm.Dataset(x, y, categorical_feature=categories)
    return lightgbm.train({**QUIET, **options}, made, 12)


MISSING = {
    "none, asked with holes": (False, False, "None", {"use_missing": False}),
    "nan": (True, True, "NaN", {}),
    "nan, asked without": (True, False, "NaN", {}),
    "zero": (True, True, "Zero", {"zero_as_missing": True}),
    "zero, no holes": (False, False, "Zero", {"zero_as_missing": True}),
}


@pytest.mark.parametrize("name", MISSING)
@pytest.mark.parametrize("sign", [1, -1])
def test_missing_values_go_where_lightgbm_sends_them(name, sign, tmp_path):
    trained_with, asked_with, kind, options = MISSING[name]
    x = table() * sign
    y = sign * x[:, 0] + 3 * (x[:, 4] == 0) + np.where(x[:, 1] > 0.3, 2, 0)
    model = train(holes(x) if trained_with else x, y, objective="regression", **options)
    assert f'"missing_type": "{kind}"' in json.dumps(model.dump_model())
    asked = holes(table(seed=4), 5) if asked_with else table(seed=4)
    compare(model, asked, tmp_path)
    if name == "none, asked with holes":
        compare(model, holes(asked), tmp_path)


def test_thresholds_between_two_floats(tmp_path):
    """Values that are themselves thresholds, and their neighbours, take LightGBM's branch."""
    x = table()
    model = train(x, x[:, 0] + x[:, 1], objective="regression")
    cuts = []

    def collect(node):
        if "threshold" in node:
            cuts.append((node["split_feature"], float(node["threshold"])))
            collect(node["left_child"])
            collect(node["right_child"])

    for tree in model.dump_model()["tree_info"]:
        collect(tree["tree_structure"])
    asked = np.repeat(x[:1], 3 * len(cuts), axis=0)
    for i, (feature, cut) in enumerate(cuts):
        near = np.float32(cut)
        around = (np.nextafter(near, np.float32(-9)), near, np.nextafter(near, np.float32(9)))
        asked[3 * i : 3 * i + 3, feature] = around
    compare(model, asked, tmp_path)


@pytest.mark.parametrize("threshold", [0.1, -0.1, 1.0, 16777217.0, 1.0000000180025095e-35, 0.0])
def test_round_down(threshold):
    rounded = np.float32(round_down(threshold))
    assert float(rounded) <= threshold < float(np.nextafter(rounded, np.float32(np.inf)))


def test_round_down_stays_finite():
    assert round_down(1e300) == np.finfo("float32").max
    assert round_down(-1e300) == np.finfo("float32").min


def test_categories(tmp_path):
    x = holes(table())
    y = np.where(np.isin(x[:, 3], [1, 4, 7, 10]), 5.0, 0.0) + np.nan_to_num(x[:, 0])
    model = train(x, y, objective="regression", categories=[3, 4], min_data_per_group=5)
    assert "num_cat=1" in model.model_to_string()
    asked = holes(table(seed=6), 7)
    asked[:20, 3] = 40  # never seen
    compare(model, asked, tmp_path)


OBJECTIVES = [
    ({"objective": "regression"}, 1),
    ({"objective": "regression", "reg_sqrt": True}, 1),
    ({"objective": "regression_l1"}, 1),
    ({"objective": "huber"}, 1),
    ({"objective": "quantile"}, 1),
    ({"objective": "poisson"}, 1),
    ({"objective": "tweedie"}, 1),
    ({"objective": "cross_entropy"}, 1),
    ({"objective": "binary"}, 2),
    ({"objective": "binary", "sigmoid": 0.7}, 2),
    ({"objective": "multiclass", "num_class": 3}, 3),
    ({"objective": "multiclassova", "num_class": 3}, 3),
    ({"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.7}, 2),
    ({"objective": "multiclass", "num_class": 3, "boosting": "dart"}, 3),
]


@pytest.mark.parametrize(("options", "width"), OBJECTIVES, ids=str)
def test_objectives(options, width, tmp_path):
    x = table()
    score = x[:, 0] + (x[:, 3] > 6)
    y = {1: np.abs(score), 2: score > 0.5, 3: np.digitize(score, [0, 1])}[width]
    if options["objective"] == "cross_entropy":
        y = np.clip(y / 4, 0, 1)
    trained = compare(train(x, y.astype("float32"), **options), x, tmp_path)
    assert trained.signature.outputs[0].shape == (None, width)
    assert trained.files["model.txt"].startswith(b"tree")


def test_estimators_keep_their_class_names(tmp_path):
    x = table()
    y = np.array(["cold", "mild", "warm"])[np.digitize(x[:, 0], [-0.5, 0.5])]
    model = lightgbm.LGBMClassifier(n_estimators=5, verbosity=-1, random_state=0).fit(x, y)
    trained = compare(model, x, tmp_path)
    assert trained.postprocess == Classification("probabilities", ("cold", "mild", "warm"))
    assert trained.family == "LGBMClassifier"


def test_a_constant_target_grows_stumps(tmp_path):
    x = table(50)
    compare(train(x, np.full(50, 2.5), objective="regression"), x, tmp_path)


def test_unfitted_and_unknown_are_refused():
    x = table(50)
    with pytest.raises(ExportFailed, match="fit"):
        LightGBMExporter().wrap(lightgbm.LGBMRegressor(), x)
    model = train(x, x[:, 0].copy(), objective="regression")
    with pytest.raises(ExportFailed, match=r"\[rows, 5\]"):
        LightGBMExporter().wrap(model, x[:, :3].copy())
    lambdas = train(x, np.abs(x[:, 0].copy()) / 9, objective="cross_entropy_lambda")
    trained = LightGBMExporter().wrap(lambdas, x)
    with pytest.raises(ExportFailed, match="cross_entropy_lambda"):
        trained.export("/nowhere")


def test_matches_only_its_own():
    from sklearn.linear_model import Ridge

    assert LightGBMExporter().matches(lightgbm.LGBMRegressor())
    assert not LightGBMExporter().matches(Ridge())
