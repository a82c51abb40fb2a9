"""scikit-learn as a trainer, and as a guest: anybody's fitted estimator.

A forest that was stopped or killed goes on after its last trees on disk. A linear model is solved
in one go, of which nothing can be kept: it begins anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
import onnx
import sklearn
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from numen.core.errors import ExportFailed
from numen.core.manifest import EDGE, Classification, Regression
from numen.core.signature import Array, Arrays, Signature, TensorSpec
from numen.data.dataset import Dataset, Split
from numen.train import svm
from numen.train.base import Run, Trained, expect_numbers, expect_one
from numen.train.estimators import convert
from numen.train.forest import Trees
from numen.train.recipe import Recipe, params_of, refuse
from numen.train.weights import class_weights

_TREES: Final = 100
_CHUNKS: Final = 20  # steps in which a forest grows
Stopped = Literal["finished", "early", "interrupted"]


class ForestParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """scikit-learn's parameters by scikit-learn's names."""

    max_depth: Annotated[int, msgspec.Meta(ge=1)] | None = None
    min_samples_leaf: Annotated[int, msgspec.Meta(ge=1)] = 1
    max_features: float | str = "sqrt"


class LinearParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How strongly weights are held down: the inverse of scikit-learn's `C`, or its `alpha`."""

    l2: Annotated[float, msgspec.Meta(gt=0)] = 1.0


_SPACES: Final[Mapping[str, Mapping[str, Any]]] = {
    "forest": {"min_samples_leaf": [1, 20], "max_features": [0.1, 1.0]},
    "linear": {"l2": [1e-3, 1e3]},
    "svm": svm.SPACE,
}


class SklearnTrainer:
    """The plug-in `sklearn` of the seam `numen.trainers`."""

    families: tuple[str, ...] = ("forest", "linear", "svm")
    spaces: Mapping[str, Mapping[str, Any]] = _SPACES

    def fit(self, data: Dataset, recipe: Recipe, run: Run) -> Trained:
        """Trains as the recipe says, a tree an epoch; see `numen.train.base.Trainer`.

        Raises:
            InvalidInput: The recipe asks for what the family has not.
        """
        refuse(
            recipe, "optimizer", "learning_rate", "batch_size", "backend", "loss", "patience",
            "schedule", "weight_decay", "precision", "augment", "body",
        )  # fmt: skip
        expect_numbers(data, recipe)
        split, aside = data.train, None
        if recipe.validation:
            split, aside = split.divide(recipe.validation, recipe.seed)
        model, history, stopped = _FIT[recipe.family](data, split, aside, recipe, run)
        reading: Classification | Regression
        scale = 1.0
        if data.labels is None:
            reading = Regression("value", data.target, data.quantities)
            scale = max(1.0, float(np.abs(split.target).max()))
        elif data.several and recipe.family == "linear":
            reading = Classification("logits", data.labels, "sigmoid", several=True)
            scale = 10.0
        else:
            reading = Classification("probabilities", data.labels, several=data.several)
        target = TensorSpec(reading.output, "float32", (None, data.width))
        return _trained(
            model,
            Signature((data.spec,), (target,)),
            recipe.family,
            reading,
            columns=model.classes_ if data.labels is not None and not data.several else None,
            history=history,
            stopped=stopped,
            tolerance=1e-4 * scale,
        )


Grown = tuple[Any, tuple[Mapping[str, float], ...], Stopped]


def _fit_forest(
    data: Dataset, split: Split, aside: Split | None, recipe: Recipe, run: Run
) -> Grown:
    """Grows a forest a few trees at a time; any number of them is a forest already.

    Labels of which a row carries any number are learnt as their 0 and 1: the mean of a leaf is how
    likely each is, and its variance half of Gini's measure, so the trees are a classifier's.
    """
    params = msgspec.structs.asdict(params_of(recipe, ForestParams))
    classes = data.labels is not None and not data.several
    kind = RandomForestClassifier if classes else RandomForestRegressor
    if data.labels is None and "max_features" not in recipe.params:
        params["max_features"] = 1.0  # what scikit-learn does for quantities
    trees = recipe.epochs or _TREES
    params |= _weights(recipe, data, split)
    forest = kind(n_estimators=0, warm_start=True, random_state=recipe.seed, n_jobs=-1, **params)
    x, y = _rows(data, split)
    middle, spread = _sizes(data, y)
    beside = None if aside is None else _rows(data, aside)
    if data.quantities:
        y = (y - middle) / spread
        beside = None if beside is None else (beside[0], (beside[1] - middle) / spread)
    kept = Trees(data, recipe, run)
    history = kept.take_up(forest, y, trees)
    whole = len(getattr(forest, "estimators_", ()))
    sound: dict[str, Any] = {}  # what the forest has when a fit is done, half of one undone
    stopped: Stopped = "finished"
    run.progress.begin(trees, 1)
    try:
        while whole < trees:
            forest.n_estimators = min(trees, whole + max(1, trees // _CHUNKS))
            forest.fit(x, y)
            whole, sound = forest.n_estimators, dict(vars(forest))
            metrics = {} if beside is None else _judged(forest, *beside, data.labels)
            history.append({"trees": float(whole), **metrics})
            run.progress.step(metrics)
            run.progress.epoch(whole, metrics)
            kept.keep(forest, history)
    except KeyboardInterrupt:
        if not sound:
            raise
        vars(forest).update(sound)
        del forest.estimators_[whole:]
        kept.keep(forest, history, now=True)
        run.progress.note(f"stopped (interrupted): keeping {whole} trees")
        stopped = "interrupted"
    if data.quantities:  # a leaf's values in the sizes that they have
        for tree in forest.estimators_:
            values = tree.tree_.value
            values[...] = values * spread[:, None] + middle[:, None]
    return forest, tuple(history), stopped


def _sizes(data: Dataset, y: Array) -> tuple[Array, Array]:
    """Mean and deviation of each of several quantities, so that all count alike in a split."""
    if not data.quantities:
        return np.zeros(1), np.ones(1)
    spread = y.std(axis=0, dtype=np.float64)
    return y.mean(axis=0, dtype=np.float64), np.where(spread > 0, spread, 1.0)


def _fit_linear(
    data: Dataset, split: Split, aside: Split | None, recipe: Recipe, run: Run
) -> Grown:
    """Columns to mean 0 and variance 1, missing values to the mean, then one weight a column."""
    refuse(recipe, "epochs")
    l2 = params_of(recipe, LinearParams).l2
    weight = _weights(recipe, data, split)
    x, y = _rows(data, split)
    spread = _spread(data)
    _solving(run)
    if data.several:
        spread.fit(x)
        model = make_pipeline(spread, _each_label(spread.transform(x), y, l2))
    else:
        last = (
            Ridge(alpha=l2)
            if data.labels is None
            else LogisticRegression(C=1 / l2, max_iter=1000, **weight)
        )
        model = make_pipeline(spread, last).fit(x, y)
    return _solved(model, data, aside, run)


def _fit_svm(data: Dataset, split: Split, aside: Split | None, recipe: Recipe, run: Run) -> Grown:
    """Columns as for a linear model, then a support vector machine."""
    refuse(recipe, "epochs")
    expect_one(data, recipe)
    params = params_of(recipe, svm.SvmParams)
    x, y = _rows(data, split)
    if data.labels is None:
        refuse(recipe, "class_weight")
        last = svm.regressor(params, y, run.progress)
    else:
        last = svm.classifier(params, y, _weights(recipe, data, split), run.progress)
    model = make_pipeline(_spread(data), last)
    _solving(run)
    svm.settle(model, x, y, run.progress)
    return _solved(model, data, aside, run)


def _solving(run: Run) -> None:
    if run.resume:
        run.progress.note("beginning anew: it is solved in one go")
    run.progress.begin(1, 1)


def _solved(model: Any, data: Dataset, aside: Split | None, run: Run) -> Grown:
    metrics = {} if aside is None else _judged(model, *_rows(data, aside), data.labels)
    run.progress.step(metrics)
    run.progress.epoch(1, metrics)
    return model, (metrics,), "finished"


_FIT: Final = {"forest": _fit_forest, "linear": _fit_linear, "svm": _fit_svm}


def _weights(recipe: Recipe, data: Dataset, split: Split) -> dict[str, Any]:
    weights = class_weights(recipe, data.labels, split.target)
    return {} if weights is None else {"class_weight": dict(enumerate(weights.tolist()))}


def _spread(data: Dataset) -> Any:
    """Numbers to mean 0 and variance 1, missing ones to the mean; a column for each category."""
    numbers = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    sizes = data.categories
    if not sizes:
        return numbers
    others = [i for i in range(math.prod(size or 1 for size in data.spec.row)) if i not in sizes]
    codes = [np.arange(-1.0, size) for size in sizes.values()]  # -1 is missing
    absent = SimpleImputer(strategy="constant", fill_value=-1.0, keep_empty_features=True)
    each = make_pipeline(absent, OneHotEncoder(categories=codes, handle_unknown="ignore"))
    parts = [("numbers", numbers, others)] if others else []
    return ColumnTransformer([*parts, ("categories", each, list(sizes))], sparse_threshold=0)


def _rows(data: Dataset, split: Split) -> tuple[Array, Array]:
    """float32[rows, columns] and the target; pictures as rows of pixels."""
    batch = split.arrays()
    x = batch.inputs[data.spec.name]
    return x.reshape(len(x), -1).astype(np.float32, copy=False), batch.target


def _each_label(x: Array, y: Array, l2: float) -> Any:
    """A logistic regression of each label by itself, as one linear model of their logits.

    A label that all rows carry, or none, is as likely as one more row of either kind makes it.
    """
    count, labels = y.shape
    carried = y.sum(axis=0)
    fitted = Ridge()
    fitted.coef_ = np.zeros((labels, x.shape[1]))
    fitted.intercept_ = np.log((carried + 1) / (count - carried + 1))
    fitted.n_features_in_ = x.shape[1]
    for label in np.flatnonzero((carried > 0) & (carried < count)):
        one = LogisticRegression(C=1 / l2, max_iter=1000).fit(x, y[:, label])
        fitted.coef_[label], fitted.intercept_[label] = one.coef_[0], one.intercept_[0]
    return fitted


def _judged(model: Any, x: Array, y: Array, labels: tuple[str, ...] | None) -> dict[str, float]:
    if labels is not None and y.ndim > 1:
        scores = model.predict(x)
        edge = EDGE if isinstance(model, RandomForestRegressor) else 0.0  # else they are logits
        right = ((scores >= edge) & (y > 0)).sum()
        return {"val_f1": float(2 * right / max((scores >= edge).sum() + y.sum(), 1))}
    if labels is None:
        wrong = model.predict(x) - y
        if y.ndim > 1:  # each in its own size
            wrong = wrong / np.maximum(y.std(axis=0), 1e-12)
        return {"val_loss": float((wrong**2).mean())}
    return {"val_accuracy": float((model.predict(x) == y).mean())}


class SklearnExporter:
    """The plug-in `sklearn` of the seam `numen.exporters`."""

    def matches(self, model: Any) -> bool:
        """Whether the object is an estimator or pipeline of scikit-learn's kind."""
        kinds = [kind.__module__ for kind in type(model).__mro__]
        return any(kind.startswith("sklearn.") for kind in kinds) and not any(
            kind.startswith(("lightgbm.", "xgboost.")) for kind in kinds
        )

    def wrap(self, model: Any, sample: Array) -> Trained:
        """The user's estimator as a Trained.

        Args:
            model: A fitted classifier, regressor or pipeline ending in one.
            sample: A few rows: `float[rows, columns]`, or texts `[rows]` or `[rows, columns]`.

        Raises:
            ExportFailed: It is not fitted, or a step has no way to ONNX; the step is named.
        """
        sample = np.asarray(sample)
        text = sample.dtype.kind in "OSU"
        if sample.ndim != 2 and not (text and sample.ndim == 1):
            raise ExportFailed(
                "export: expected a sample of numbers [rows, columns] or of texts [rows] or "
                f"[rows, columns], received {sample.dtype}{list(sample.shape)}"
            )
        width = 1 if sample.ndim == 1 else sample.shape[1]
        source = TensorSpec("input", "string" if text else "float32", (None, width), not text)
        reading: Classification | Regression
        try:
            if is_classifier(model):
                columns = model.classes_
                if isinstance(columns, list):
                    raise ExportFailed(
                        f"export: {type(model).__name__} has {len(columns)} outputs",
                        hint="publish a OneVsRestClassifier of labels, or a model of each output",
                    )
                several = bool(getattr(_last(model), "multilabel_", False))
                names = tuple(map(str, columns))
                reading = Classification("probabilities", names, several=several)
                shape: tuple[int | None, ...] = (None, len(columns))
                if not hasattr(model, "predict_proba"):
                    raise ExportFailed(
                        f"export: {type(model).__name__} gives no probabilities",
                        hint="wrap it in CalibratedClassifierCV",
                    )
            else:
                columns, reading = None, Regression("value")
                made = np.asarray(model.predict(sample[:1]))
                shape = (None, made.shape[1] if made.ndim == 2 else 1)
        except (AttributeError, ValueError) as error:  # NotFittedError is both
            raise ExportFailed(f"export: {error}", hint="fit the model first") from error
        scale = 1.0 if columns is not None else max(1.0, float(np.abs(model.predict(sample)).max()))
        signature = Signature((source,), (TensorSpec(reading.output, "float32", shape),))
        return _trained(
            model,
            signature,
            type(model).__name__,
            reading,
            columns=columns,
            flat=sample.ndim == 1,
            tolerance=1e-4 * scale,
        )


def _last(model: Any) -> Any:
    """What stands at the end of a pipeline; the model itself where it is none."""
    return model.steps[-1][1] if hasattr(model, "steps") else model


def _trained(
    model: Any,
    signature: Signature,
    family: str,
    reading: Classification | Regression,
    columns: Any,
    flat: bool = False,
    **more: Any,
) -> Trained:
    """An estimator as a Trained.

    Args:
        model: The estimator.
        signature: One input and one output.
        family: What it is called.
        reading: How its output is read.
        columns: Its classes, class indices for numen's families.
        flat: It takes rows of one value `[rows]`, as vectorizers of texts do.
        **more: Of Trained.
    """
    (source,), (target,) = signature.inputs, signature.outputs
    width = target.shape[1] or 1

    def predict(arrays: Arrays) -> dict[str, Array]:
        x = arrays[source.name]
        x = x.reshape(-1) if flat else x.reshape(len(x), -1)
        if columns is None:
            return {target.name: np.asarray(model.predict(x), np.float32).reshape(len(x), width)}
        made = np.asarray(model.predict_proba(x), np.float32)
        if made.shape[1] == width:
            return {target.name: made}
        whole = np.zeros((len(x), width), np.float32)  # classes no training row had
        whole[:, columns] = made
        return {target.name: whole}

    def export(path: Path) -> None:
        onnx.save_model(convert(model, signature, columns), path)

    framework = f"scikit-learn {sklearn.__version__}"
    return Trained(signature, predict, export, framework, family, reading, **more)
