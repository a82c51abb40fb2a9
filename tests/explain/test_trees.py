"""Shapley values of trees: those of LightGBM and XGBoost, and of the definition itself."""

from __future__ import annotations

import itertools
import math

import lightgbm
import numpy as np
import pytest
import xgboost
from onnx import helper
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from numen.core.errors import CorruptBundle
from numen.core.signature import Signature, TensorSpec
from numen.explain.trees import Paths, Shapley
from numen.explain.trees.reading import Unreadable, read
from numen.train import boosted, estimators
from numen.train import xgboost as boosted_by_xgboost

COLUMNS = 7


def rows(seed: int = 0, gaps: bool = True):
    random = np.random.default_rng(seed)
    x = random.normal(size=(600, COLUMNS)).astype(np.float32)
    x[:, 5], x[:, 6] = random.integers(0, 9, 600), random.integers(0, 30, 600)
    if gaps:
        x[random.random(x.shape) < 0.1] = np.nan
    there = np.nan_to_num(x)
    y = there[:, 0] * there[:, 1] + np.sin(there[:, 2]) + (there[:, 6] % 5) / 3
    return x, y


def signature(width: int) -> Signature:
    source = TensorSpec("x", "float32", (None, COLUMNS), missing=True)
    return Signature((source,), (TensorSpec("y", "float32", (None, width)),))


def lightgbm_of(objective: str, categories=()):
    x, y = rows()
    options = {"objective": objective, "verbosity": -1, "num_threads": 1, "seed": 3}
    if objective == "binary":
        y = y > 0.5
    if objective == "multiclass":
        y, options["num_class"] = np.digitize(y, [0, 1]), 3
    data = lightgbm.Dataset(x, y, categorical_feature=list(categories))
    return x, lightgbm.train(options, data, 40)


@pytest.mark.parametrize(
    ("objective", "categories", "values"),
    [("binary", (), 2), ("multiclass", (), 3), ("regression", (5, 6), 1), ("binary", (6,), 2)],
)
def test_they_are_lightgbms(objective, categories, values) -> None:
    x, booster = lightgbm_of(objective, categories)
    paths = read(boosted.convert(booster, signature(values)), x[:8])
    if categories:
        assert len(paths.rules)
    made = Shapley(paths)(x)
    wanted = booster.predict(x, pred_contrib=True).reshape(len(x), -1, COLUMNS + 1)
    np.testing.assert_allclose(made.transpose(0, 2, 1), wanted[..., :-1], atol=1e-5)
    np.testing.assert_allclose(paths.base, wanted[0, :, -1], atol=1e-5)


@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob", "reg:squarederror"])
def test_they_are_xgboosts(objective) -> None:
    x, y = rows()
    options = {"objective": objective, "nthread": 1, "seed": 3, "max_depth": 6}
    if objective == "binary:logistic":
        y = y > 0.5
    if objective == "multi:softprob":
        y, options["num_class"] = np.digitize(y, [0, 1]), 3
    kinds = ["q"] * 6 + ["c"]
    data = xgboost.DMatrix(x, y, feature_types=kinds, enable_categorical=True)
    booster = xgboost.train(options, data, 25)
    width = {"binary:logistic": 2, "multi:softprob": 3}.get(objective, 1)
    paths = read(boosted_by_xgboost.convert(booster, signature(width)), x[:8])
    wanted = booster.predict(data, pred_contribs=True, strict_shape=True)
    made = Shapley(paths)(x)
    np.testing.assert_allclose(made.transpose(0, 2, 1), wanted[..., :-1], atol=2e-5)
    np.testing.assert_allclose(paths.base, wanted[0, :, -1], atol=2e-5)


def by_definition(tree, row, columns):
    """Shapley values of one of scikit-learn's trees, from all 2^n sets of columns."""

    def worth(known, node=0):
        if tree.children_left[node] < 0:
            return tree.value[node].ravel()
        left, right = tree.children_left[node], tree.children_right[node]
        column = tree.feature[node]
        if column in known:
            goes = row[column] <= tree.threshold[node]
            if math.isnan(row[column]):
                goes = tree.missing_go_to_left[node]
            return worth(known, left if goes else right)
        share = tree.weighted_n_node_samples[left] / tree.weighted_n_node_samples[node]
        return share * worth(known, left) + (1 - share) * worth(known, right)

    found = []
    for column in columns:
        rest = [other for other in columns if other != column]
        total = 0.0
        for size in range(len(rest) + 1):
            weight = math.factorial(size) * math.factorial(len(rest) - size)
            for known in itertools.combinations(rest, size):
                gain = worth({*known, column}) - worth(set(known))
                total = total + weight / math.factorial(len(columns)) * gain
        found.append(total)
    return np.array(found)


@pytest.mark.parametrize(
    "kind", [RandomForestClassifier, ExtraTreesClassifier, RandomForestRegressor]
)
def test_of_a_forest_they_are_those_of_the_definition(kind) -> None:
    x, y = rows()
    label = np.digitize(y, [0, 1]) if "Classifier" in kind.__name__ else y
    forest = kind(4, random_state=0, max_depth=9).fit(x, label)
    width = 3 if "Classifier" in kind.__name__ else 1
    made = Shapley(read(estimators.convert(forest, signature(width), None), x[:8]))(x[:5])
    for row in range(5):
        wanted = sum(
            by_definition(tree.tree_, x[row], range(COLUMNS)) for tree in forest.estimators_
        )
        np.testing.assert_allclose(made[row], wanted / 4, atol=1e-5)


@pytest.mark.parametrize("labels", [0, 2, 3])
def test_of_scikit_learns_boosting_they_are_those_of_the_definition(labels) -> None:
    x, y = rows(gaps=False)
    if labels:
        y = np.digitize(y, np.quantile(y, np.arange(1, labels) / labels))
    kind = GradientBoostingClassifier if labels else GradientBoostingRegressor
    model = kind(n_estimators=5, max_depth=3, random_state=0).fit(x, y)
    graph = estimators.convert(model, signature(labels or 1), model.classes_ if labels else None)
    paths = read(graph, x[:8])
    made = Shapley(paths)(x[:4])
    for row, target in itertools.product(range(4), range(model.estimators_.shape[1])):
        wanted = sum(
            by_definition(tree.tree_, x[row], range(COLUMNS))[:, 0]
            for tree in model.estimators_[:, target]
        )
        np.testing.assert_allclose(made[row, :, target], wanted * model.learning_rate, atol=1e-5)
    sums = model.decision_function(x) if labels else model.predict(x)
    np.testing.assert_allclose(paths.base, np.reshape(sums, (len(x), -1)).mean(0), atol=1e-4)


def test_a_graph_from_elsewhere_has_its_shares_from_the_samples() -> None:
    x, y = rows(gaps=False)
    model = GradientBoostingRegressor(n_estimators=12, random_state=0).fit(x, y)
    graph = estimators.convert(model, signature(1), None)
    for node in graph.graph.node:
        kept = [each for each in node.attribute if each.name != "nodes_hitrates"]
        del node.attribute[:]
        node.attribute.extend(kept)
    paths = read(graph, x)
    made = Shapley(paths)(x)
    total = made[..., 0].sum(1) + paths.base[0]
    answers = model.predict(x)
    gap = total - answers
    np.testing.assert_allclose(gap, gap[0], atol=1e-4)  # the first guess may be added after it
    # Few rows came to any leaf, so shares are nearly those of the rows.
    assert abs(made.sum((1, 2)).mean()) < 0.2


def test_deep_and_shallow_trees_and_single_rows_agree() -> None:
    x, y = rows()
    forest = RandomForestRegressor(30, random_state=0).fit(x, y)
    paths = read(estimators.convert(forest, signature(1), None), x[:8])
    whole = Shapley(paths)
    together = whole(x[:40])
    for row in range(0, 40, 9):
        np.testing.assert_allclose(whole(x[row : row + 1])[0], together[row], atol=1e-6)
    total = together[..., 0].sum(1) + paths.base[0]
    np.testing.assert_allclose(total, forest.predict(x[:40]), atol=1e-5)


def test_they_travel_as_plain_arrays(tmp_path) -> None:
    x, booster = lightgbm_of("binary", (6,))
    paths = read(boosted.convert(booster, signature(2)), x[:8])
    file = tmp_path / "paths.npz"
    file.write_bytes(paths.pack())
    np.testing.assert_array_equal(Shapley(Paths.load(file))(x[:9]), Shapley(paths)(x[:9]))
    file.write_bytes(paths.pack()[:-40])
    with pytest.raises(CorruptBundle):
        Paths.load(file)
    np.savez(file, cuts=np.zeros(3))
    with pytest.raises(CorruptBundle):
        Paths.load(file)


def test_what_is_no_ensemble_of_the_inputs_columns_is_refused() -> None:
    x, booster = lightgbm_of("binary")
    graph = boosted.convert(booster, signature(2))
    changed = type(graph)()
    changed.CopyFrom(graph)
    changed.graph.node.insert(0, helper.make_node("Exp", ["x"], ["grown"]))
    trees = next(n for n in changed.graph.node if n.op_type == "TreeEnsembleRegressor")
    trees.input[0] = "grown"
    with pytest.raises(Unreadable, match="something else"):
        read(changed, x[:4])
    del changed.graph.node[:]
    with pytest.raises(Unreadable, match="one tree ensemble"):
        read(changed, x[:4])
