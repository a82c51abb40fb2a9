"""Boosted decision trees by XGBoost, and their way to ONNX.

Converted from XGBoost's own account of its trees, exactly: the same comparisons of the same
float32 numbers. A run is not taken up again: the same seed grows the same trees.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
import onnx
import xgboost

from numen.core.errors import ExportFailed
from numen.core.manifest import Classification, Regression
from numen.core.signature import Array, Arrays, Signature, TensorSpec
from numen.data.dataset import Dataset, Split
from numen.train.base import Run, Trained, expect_numbers, expect_one
from numen.train.ensemble import Ensemble, Finish
from numen.train.recipe import Recipe, params_of, refuse
from numen.train.rounds import ROUNDS, best, check_loss, kept_aside
from numen.train.weights import class_weights

_PART: Final = 65_536  # rows read at a time
_QUANTITY: Final = {
    "": "reg:squarederror",
    "mse": "reg:squarederror",
    "mae": "reg:absoluteerror",
    "huber": "reg:pseudohubererror",
}
_METRICS: Final = {"logloss": "loss", "mlogloss": "loss", "mae": "mae", "rmse": "rmse"}
_LOGITS: Final = ("binary:logistic", "reg:logistic")
_PLAIN: Final = ("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror")
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
            recipe, "optimizer", "batch_size", "backend", "schedule", "weight_decay", "augment",
            "body",
        )  # fmt: skip
        expect_numbers(data, recipe)
        expect_one(data, recipe)
        if run.resume:
            run.progress.note("starting anew: the same seed gives the same model")
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


class _Listener(xgboost.callback.TrainingCallback):
    """Hears of every round, and knows the best one."""

    def __init__(self, recipe: Recipe, run: Run, aside: bool):
        super().__init__()
        self.recipe, self.run, self.aside = recipe, run, aside
        self.history: list[Mapping[str, float]] = []
        self.booster: Any = None
        self.early = False

    @property
    def best(self) -> int:
        """Rounds up to the lowest loss on the rows kept aside, else all."""
        return best(self.history, aside=self.aside)

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """One round is done; true ends training."""
        self.booster = model
        metrics: dict[str, float] = {}
        for rows, found in evals_log.items():
            prefix = "" if rows == "train" else "val_"
            for name, values in found.items():
                plain = "accuracy" if name.endswith("error") else _METRICS.get(name, name)
                value = float(values[-1])
                metrics[prefix + plain] = 1 - value if plain == "accuracy" else value
                if plain == "rmse":
                    metrics[f"{prefix}loss"] = value**2
        self.history.append(metrics)
        self.run.progress.step(metrics)
        self.run.progress.epoch(epoch + 1, metrics)
        self.early = 0 < self.recipe.patience <= len(self.history) - self.best
        return self.early


class _Parts(xgboost.DataIter):
    """A split a part at a time, so that XGBoost holds it binned only."""

    def __init__(self, split: Split, kinds: list[str], weights: Array | None):
        super().__init__()
        self._split, self._kinds, self._weights = split, kinds, weights
        self._batches = split.batches(_PART)

    def reset(self) -> None:
        """Begins anew."""
        self._batches = self._split.batches(_PART)

    def next(self, input_data: Any) -> bool:
        """Hands over the next part; false where there is none."""
        batch = next(self._batches, None)
        if batch is None:
            return False
        (x,) = batch.inputs.values()
        input_data(
            data=x.reshape(len(x), -1).astype(np.float32, copy=False),
            label=batch.target,
            weight=None if self._weights is None else self._weights[batch.target],
            feature_types=self._kinds,
        )
        return True


def _boost(data: Dataset, recipe: Recipe, run: Run) -> tuple[Any, Any, Stopped]:
    params = params_of(recipe, Params)
    split, aside = data.train, None
    if part := kept_aside(recipe):
        split, aside = split.divide(part, recipe.seed)
    weights = class_weights(recipe, data.labels, split.target)
    kinds = _kinds(data)

    def binned(rows: Split, like: Any = None) -> Any:
        return xgboost.QuantileDMatrix(
            _Parts(rows, kinds, weights), max_bin=params.max_bin, enable_categorical=True, ref=like
        )

    train = binned(split)
    rest = [] if aside is None else [binned(aside, train)]
    options = {
        **_objective(recipe.loss, data.labels),
        **msgspec.structs.asdict(params),
        "learning_rate": recipe.learning_rate or 0.1,
        "seed": recipe.seed,
        "verbosity": 0,
    }
    rounds = recipe.epochs or ROUNDS
    listener = _Listener(recipe, run, aside is not None)
    run.progress.begin(rounds, 1)
    stopped: Stopped = "finished"
    try:
        xgboost.train(
            options,
            train,
            rounds,
            evals=list(zip([train, *rest], ("train", "val"), strict=False)),
            verbose_eval=False,
            callbacks=[listener],
        )
        stopped = "early" if listener.early else "finished"
    except KeyboardInterrupt:
        if not listener.history:
            raise
        stopped = "interrupted"
    if stopped != "finished":
        run.progress.note(f"stopped ({stopped}): keeping {listener.best} rounds")
    return listener.booster[: listener.best], listener.history, stopped


def _kinds(data: Dataset) -> list[str]:
    """XGBoost's word for each number of a row: a quantity, or the code of a category."""
    width = math.prod(size or 1 for size in data.spec.row)
    return ["c" if place in data.categories else "q" for place in range(width)]


def _objective(loss: str, labels: tuple[str, ...] | None) -> dict[str, Any]:
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
    ensemble.leaf(dict(enumerate(_base(account, objective, targets))))
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
            numbers.append([ensemble.leaf({target: cut})])
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
