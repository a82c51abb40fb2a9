"""Boosted decision trees by XGBoost, and their way to ONNX.

Converted from XGBoost's own account of its trees, exactly: the same comparisons of the same
float32 numbers.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
import onnx
import xgboost

from numen.core.errors import ExportFailed
from numen.core.manifest import Classification, Regression
from numen.core.signature import Array, Arrays, Signature, TensorSpec
from numen.data.dataset import Dataset
from numen.train import ranking
from numen.train.base import Run, Trained, expect_numbers, expect_one
from numen.train.binned import Draws, binned
from numen.train.ensemble import Ensemble, Finish
from numen.train.evaluate.ranking import PLACES
from numen.train.ranking import LAMBDARANK
from numen.train.recipe import Recipe, params_of, refuse
from numen.train.rounds import ROUNDS, Rounds, check_loss, figures
from numen.train.weights import class_weights

_QUANTITY: Final = {
    "": "reg:squarederror",
    "mse": "reg:squarederror",
    "mae": "reg:absoluteerror",
    "huber": "reg:pseudohubererror",
    LAMBDARANK: "rank:ndcg",
}
_LOGITS: Final = ("binary:logistic", "reg:logistic")
_PLAIN: Final = (
    "reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror",
    "rank:ndcg", "rank:map", "rank:pairwise",
)  # fmt: skip
Stopped = Literal["finished", "early", "interrupted"]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """XGBoost's parameters by XGBoost's names."""

    max_depth: Annotated[int, msgspec.Meta(ge=0)] = 6
    min_child_weight: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    reg_lambda: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    subsample: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    colsample_bytree: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    max_bin: Annotated[int, msgspec.Meta(ge=2)] = 256


class XgboostTrainer:
    """The plug-in `xgboost` of the seam `numen.trainers`."""

    families: tuple[str, ...] = ("xgboost",)

    def fit(self, data: Dataset, recipe: Recipe, run: Run) -> Trained:
        """Boosts trees, a round an epoch; see `numen.train.base.Trainer`.

        Raises:
            InvalidInput: The recipe asks for what boosting has not.
        """
        refuse(
            recipe, "optimizer", "batch_size", "backend", "schedule", "weight_decay", "precision",
            "augment", "body",
        )  # fmt: skip
        expect_numbers(data, recipe)
        expect_one(data, recipe)
        booster, history, stopped = _boost(data, recipe, run)
        reading: Classification | Regression
        if data.labels is None:
            reading, width = Regression("value", data.target), 1
            scale = max(1.0, float(np.abs(data.train.target).max()))
        else:
            reading, width = Classification("probabilities", data.labels), len(data.labels)
            scale = 1.0
        target = TensorSpec(reading.output, "float32", (None, width))
        return _trained(
            booster,
            Signature((data.spec,), (target,)),
            recipe.family,
            reading,
            history=tuple(history),
            stopped=stopped,
            tolerance=1e-4 * scale,
        )


def _boost(data: Dataset, recipe: Recipe, run: Run) -> tuple[Any, list[dict[str, float]], Stopped]:
    """The booster of the best rounds, what all rounds came to, and why it ended."""
    rounds = Rounds(data, recipe, run, recipe.epochs or ROUNDS)
    model = rounds.take_up()
    params = params_of(recipe, Params)
    options = {**_objective(recipe.loss, data), **msgspec.structs.asdict(params)}
    parts = _rows(data, recipe, params, rounds.aside)
    draws = Draws(parts[0][0], recipe.seed, params.subsample, params.colsample_bytree)
    options |= {
        "learning_rate": recipe.learning_rate or 0.1, "seed": recipe.seed, "verbosity": 0,
        "subsample": 1.0, "colsample_bytree": draws.share,
    }  # fmt: skip
    begun = bytearray(model) if model else None
    booster = xgboost.Booster(options, [rows for rows, _ in parts], begun)
    run.progress.begin(rounds.most, 1)
    stopped: Stopped = "finished"
    try:
        while not rounds.enough:
            number = len(rounds.history)
            draws.begin(number)
            booster.update(parts[0][0], number)
            draws.end()
            rounds.done(_told(booster.eval_set(parts, number)), lambda: bytes(booster.save_raw()))
        stopped = "early" if rounds.early else "finished"
    except KeyboardInterrupt:
        if not rounds.history:
            raise
        stopped = "interrupted"
    # A round that Ctrl-C broke off in is not done.
    rounds.keep(bytes(booster[: len(rounds.history)].save_raw()))
    if stopped != "finished":
        run.progress.note(f"stopped ({stopped}): keeping {rounds.best} rounds")
    return booster[: rounds.best], rounds.history, stopped


def _rows(
    data: Dataset, recipe: Recipe, params: Params, aside: float
) -> list[tuple[Any, Literal["train", "val"]]]:
    """The rows to learn from, and those kept aside, binned."""
    splits = [data.train]
    if aside:
        splits = list(data.train.divide(aside, recipe.seed))
    weights = class_weights(recipe, data.labels, splits[0].target)
    made: list[Any] = []
    for split in splits:
        ranks = recipe.loss == LAMBDARANK
        rows, sizes = ranking.ordered(split) if ranks else (split, None)
        like = made[0] if made else None
        made.append(binned(rows, _kinds(data), weights, params.max_bin, like))
        if sizes is not None:
            made[-1].set_info(group=sizes)
    return list(zip(made, ("train", "val"), strict=False))


def _told(text: str) -> dict[str, float]:
    """What XGBoost says of a round, such as `train-mae:0.5` after tabs, by numen's names."""
    metrics: dict[str, float] = {}
    for said in text.split("\t")[1:]:
        name, _, value = said.rpartition(":")
        rows, _, metric = name.partition("-")
        metrics |= figures(rows, metric, float(value))
    return metrics


def _kinds(data: Dataset) -> list[str]:
    """XGBoost's word for each number of a row: a quantity, or the code of a category."""
    width = math.prod(size or 1 for size in data.spec.row)
    return ["c" if place in data.categories else "q" for place in range(width)]


def _objective(loss: str, data: Dataset) -> dict[str, Any]:
    if loss == LAMBDARANK:
        ranking.check(data)
        return {
            "objective": _QUANTITY[loss], "eval_metric": [f"ndcg@{k}" for k in PLACES],
        }  # fmt: skip
    labels = data.labels
    check_loss(loss, _QUANTITY, labels)
    if labels is None:
        return {"objective": _QUANTITY[loss], "eval_metric": ["mae", "rmse"]}
    if len(labels) == 2:
        return {"objective": "binary:logistic", "eval_metric": ["error", "logloss"]}
    return {
        "objective": "multi:softprob",
        "num_class": len(labels),
        "eval_metric": ["merror", "mlogloss"],
    }


def _trained(
    booster: Any,
    signature: Signature,
    family: str,
    reading: Classification | Regression,
    **more: Any,
) -> Trained:
    (source,), (target,) = signature.inputs, signature.outputs
    kinds = booster.feature_types

    def predict(arrays: Arrays) -> dict[str, Array]:
        x = arrays[source.name].reshape(len(arrays[source.name]), -1)
        rows = xgboost.DMatrix(x, feature_types=kinds, enable_categorical=True)
        made = np.asarray(booster.predict(rows, validate_features=False))
        if made.ndim == 1:
            made = np.stack([1 - made, made], 1) if target.shape[1] == 2 else made[:, None]
        return {target.name: made.astype(np.float32)}

    def export(path: Path) -> None:
        onnx.save_model(convert(booster, signature), path)

    framework = f"xgboost {xgboost.__version__}"
    return Trained(signature, predict, export, framework, family, reading, **more)


def convert(booster: Any, signature: Signature) -> onnx.ModelProto:
    """A booster as ONNX with the signature's names.

    Raises:
        ExportFailed: It has no trees, or its objective has no way to ONNX.
    """
    account = json.loads(booster.save_raw("json"))["learner"]
    grown, objective = account["gradient_booster"], account["objective"]["name"]
    if grown["name"] != "gbtree":
        raise ExportFailed(f'export: XGBoost\'s "{grown["name"]}" has no way to ONNX')
    if objective not in (*_LOGITS, *_PLAIN, "multi:softprob", "multi:softmax"):
        raise ExportFailed(f'export: XGBoost\'s objective "{objective}" has no way to ONNX')
    targets = max(1, int(account["learner_model_param"]["num_class"]))
    ensemble = Ensemble(targets)
    for tree, target in zip(grown["model"]["trees"], grown["model"]["tree_info"], strict=True):
        ensemble.tree()
        _grow(ensemble, tree, target)
    ensemble.tree()
    ensemble.leaf(dict(enumerate(_base(account, objective, targets))), 1.0)
    return ensemble.write(signature, lambda graph, raw: _finish(graph, raw, objective))


def _grow(ensemble: Ensemble, tree: dict[str, Any], target: int) -> None:
    """Adds a tree whose nodes are given as lists by number.

    Less than the split goes left, where LightGBM has at most; a category among those listed goes
    right.
    """
    chosen = _categories(tree)
    left, right = tree["left_children"], tree["right_children"]
    numbers: list[list[int]] = []
    for node, cut in enumerate(tree["split_conditions"]):
        feature, missing_left = tree["split_indices"][node], bool(tree["default_left"][node])
        if left[node] < 0:
            numbers.append([ensemble.leaf({target: cut}, tree["sum_hessian"][node])])
        elif node in chosen:
            # Membership of a set: a chain of questions that share the answer yes.
            numbers.append(
                [
                    ensemble.branch(feature, "BRANCH_EQ", float(code), not missing_left)
                    for code in chosen[node]
                ]
            )
        else:
            numbers.append([ensemble.branch(feature, "BRANCH_LT", cut, missing_left)])
    for node, chain in enumerate(numbers):
        if left[node] < 0:
            continue
        yes, no = numbers[left[node]][0], numbers[right[node]][0]
        if node in chosen:
            yes, no = no, yes
        for asked, following in zip(chain, [*chain[1:], no], strict=True):
            ensemble.link(asked, yes, following)


def _categories(tree: dict[str, Any]) -> dict[int, list[int]]:
    """The codes that go right, by the number of the node that asks for them."""
    parts = zip(
        tree["categories_nodes"],
        tree["categories_segments"],
        tree["categories_sizes"],
        strict=True,
    )
    return {node: tree["categories"][start : start + size] for node, start, size in parts}


def _base(account: dict[str, Any], objective: str, targets: int) -> list[float]:
    """What every row has before the first tree, by target."""
    said = json.loads(account["learner_model_param"]["base_score"])
    scores = said if isinstance(said, list) else [said]
    if objective in _LOGITS:
        scores = [math.log(score / (1 - score)) for score in scores]
    return scores if len(scores) == targets else [scores[0]] * targets


def _finish(graph: Finish, raw: str, objective: str) -> str:
    """What XGBoost does to the sum of the trees."""
    if objective == "binary:logistic":
        last = graph.add("Sigmoid", raw)
        return graph.add("Concat", graph.add("Sub", graph.constant(1.0), last), last, axis=1)
    if objective == "reg:logistic":
        return graph.add("Sigmoid", raw)
    return graph.add("Softmax", raw, axis=1) if objective.startswith("multi:") else raw


class XgboostExporter:
    """The plug-in `xgboost` of the seam `numen.exporters`."""

    def matches(self, model: Any) -> bool:
        """Whether the object is a Booster, XGBClassifier or XGBRegressor."""
        return any(kind.__module__.startswith("xgboost.") for kind in type(model).__mro__)

    def wrap(self, model: Any, sample: Array) -> Trained:
        """The user's trees as a Trained.

        Args:
            model: A Booster, or a fitted estimator of XGBoost.
            sample: A few rows, `float[rows, columns]`.

        Raises:
            ExportFailed: It is not fitted, or its objective has no way to ONNX.
        """
        try:
            booster = model if isinstance(model, xgboost.Booster) else model.get_booster()
        except Exception as error:  # scikit-learn's NotFittedError, which need not be there
            raise ExportFailed(f"export: {error}", hint="fit the model first") from error
        width = booster.num_features()
        sample = np.asarray(sample, np.float32)
        if sample.ndim != 2 or sample.shape[1] != width:
            raise ExportFailed(
                f"export: expected a sample [rows, {width}], received {list(sample.shape)}"
            )
        account = json.loads(booster.save_config())["learner"]
        objective = account["objective"]["name"]
        classes = int(account["learner_model_param"]["num_class"])
        if objective == "binary:logistic":
            classes = 2
        reading: Classification | Regression = Regression("value")
        if classes:
            names = getattr(model, "classes_", range(classes))
            reading = Classification("probabilities", tuple(str(name) for name in names))
        source = TensorSpec("input", "float32", (None, width), missing=True)
        target = TensorSpec(reading.output, "float32", (None, classes or 1))
        signature = Signature((source,), (target,))
        trained = _trained(booster, signature, type(model).__name__, reading)
        if classes:
            return trained
        largest = max(1.0, float(np.abs(trained.predict({"input": sample})[target.name]).max()))
        return dataclasses.replace(trained, tolerance=1e-4 * largest)
