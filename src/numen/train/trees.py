"""Boosted decision trees by LightGBM, and their way to ONNX.

Converted from LightGBM's own account of its trees, branch by branch; missing values and
categories go where LightGBM sends them. The model's text travels along for exact attributions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import lightgbm
import msgspec
import numpy as np
import onnx

from numen.core.errors import ExportFailed, InvalidInput
from numen.core.manifest import Classification, Regression
from numen.core.signature import Array, Arrays, Signature, TensorSpec
from numen.data.dataset import Dataset, Split
from numen.train import ranking
from numen.train.base import Run, Trained, expect_numbers, expect_one
from numen.train.boosted import class_count, convert
from numen.train.evaluate.ranking import PLACES
from numen.train.parts import Draws, Parts
from numen.train.ranking import LAMBDARANK
from numen.train.recipe import Recipe, params_of, refuse
from numen.train.rounds import ROUNDS, Rounds, check_loss, figures
from numen.train.weights import class_weights

MODEL_TEXT: Final = "model.txt"
_TWICE: Final = 64_000_000  # numbers, a byte each
_SAMPLED: Final = 4_000_000  # numbers
_LARGEST_GROUP: Final = 10_000  # rows; LightGBM orders no more
_QUANTITY: Final = {
    "": "regression", "mse": "regression", "mae": "regression_l1", "huber": "huber",
    LAMBDARANK: "lambdarank",
}  # fmt: skip
Stopped = Literal["finished", "early", "interrupted"]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """LightGBM's parameters by LightGBM's names.

    Where there are few rows, splits at random places, some columns for each tree and smaller
    leaves' values are the rule unless the recipe says otherwise: on eight tables of up to 10,000
    rows that was as often right as LightGBM's own defaults or more often; on 54,000 it was not.
    """

    num_leaves: Annotated[int, msgspec.Meta(ge=2, le=131072)] = 31
    max_depth: int = -1
    min_data_in_leaf: Annotated[int, msgspec.Meta(ge=1)] = 20
    lambda_l2: Annotated[float, msgspec.Meta(ge=0)] | None = None
    feature_fraction: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    extra_trees: bool | None = None
    max_bin: Annotated[int, msgspec.Meta(ge=2)] = 255


_FEW: Final = 20_000  # rows
_USUAL_OF_FEW: Final = {"lambda_l2": 1.0, "feature_fraction": 0.7, "extra_trees": True}
_USUAL: Final = {"lambda_l2": 0.0, "feature_fraction": 1.0, "extra_trees": False}
_SPACE: Final[Mapping[str, Any]] = {
    "learning_rate": [0.02, 0.3],
    "num_leaves": [7, 127],
    "min_data_in_leaf": [5, 100],
    "lambda_l2": [1e-3, 10.0],
    "feature_fraction": [0.5, 1.0],
}


class _Enough(Exception):
    """No round was better for as long as patience lasts."""


class TreesTrainer:
    """The plug-in `trees` of the seam `numen.trainers`."""

    families: tuple[str, ...] = ("boosting",)
    spaces: Mapping[str, Mapping[str, Any]] = {"boosting": _SPACE}

    def fit(self, data: Dataset, recipe: Recipe, run: Run) -> Trained:
        """Boosts trees, a round an epoch; see `numen.train.base.Trainer`.

        Raises:
            InvalidInput: The recipe asks for what boosting has not.
        """
        expect_numbers(data, recipe)
        expect_one(data, recipe)
        refuse(
            recipe, "optimizer", "batch_size", "backend",
            "schedule", "weight_decay", "precision", "augment", "body",
        )  # fmt: skip
        fit = _Fit(data, recipe, run)
        booster, stopped = fit.go()
        reading: Classification | Regression
        if data.labels is None:
            reading, width, scale = Regression("value", data.target), 1, fit.largest
        else:
            reading, width = Classification("probabilities", data.labels), len(data.labels)
            scale = 1.0
        target = TensorSpec(reading.output, "float32", (None, width))
        history: tuple[Mapping[str, float], ...] = tuple(fit.rounds.history)
        return _trained(
            booster,
            Signature((data.spec,), (target,)),
            recipe.family,
            reading,
            history=history,
            stopped=stopped,
            tolerance=1e-4 * scale,
        )


class _Fit:
    """One run of boosting."""

    def __init__(self, data: Dataset, recipe: Recipe, run: Run):
        self.data, self.recipe = data, recipe
        self.few = len(data.train) <= _FEW
        usual = 2 * ROUNDS if self.few else ROUNDS
        self.rounds = Rounds(data, recipe, run, recipe.epochs or usual)
        self.booster: Any = None
        self.largest = 1.0

    def go(self) -> tuple[Any, Stopped]:
        """Boosts to the end, or to Ctrl-C; the booster of the best rounds, and why it ended.

        Raises:
            KeyboardInterrupt: Before the first round was done.
        """
        rounds, progress = self.rounds, self.rounds.run.progress
        text = rounds.take_up().decode()
        options, train, aside = self._prepare()
        done = len(rounds.history)
        stopped: Stopped = "finished"
        progress.begin(rounds.most, 1)
        try:
            if not rounds.enough:
                lightgbm.train(
                    options,
                    train,
                    rounds.most - done,
                    valid_sets=[train, *aside],
                    valid_names=["train", "val"][: 1 + len(aside)],
                    init_model=lightgbm.Booster(model_str=text) if done else None,
                    callbacks=[Draws(self.recipe.seed), self._round],
                )
        except _Enough:
            pass
        except KeyboardInterrupt:
            if not rounds.history:
                raise
            stopped = "interrupted"
        if self.booster is not None:
            rounds.keep(self._model())
            text = self._model().decode()
        if stopped == "finished" and rounds.early:
            stopped = "early"
        if stopped != "finished":
            progress.note(f"stopped ({stopped}): keeping {rounds.best} rounds")
        best = lightgbm.Booster(model_str=text).model_to_string(num_iteration=rounds.best)
        return lightgbm.Booster(model_str=best), stopped

    def _prepare(self) -> tuple[dict[str, Any], Any, list[Any]]:
        recipe, labels = self.recipe, self.data.labels
        options = _objective(recipe.loss, self.data)
        split, aside = self.data.train, None
        if self.rounds.aside:
            split, aside = split.divide(self.rounds.aside, recipe.seed)
        usual = _USUAL_OF_FEW if self.few else _USUAL
        said = msgspec.structs.asdict(params_of(recipe, Params))
        params = {name: usual[name] if v is None else v for name, v in said.items()}
        if labels is None:
            self.largest = max(1.0, float(np.abs(split.target).max()))
        train = self._binned(split)
        rest = [] if aside is None else [self._binned(aside, train)]
        width = math.prod(size or 1 for size in self.data.spec.row)
        options = {
            **options,
            **params,
            "learning_rate": recipe.learning_rate or 0.1,
            # Rows that the bins are found by; LightGBM holds them as doubles.
            "bin_construct_sample_cnt": max(10_000, min(200_000, _SAMPLED // width)),
            "seed": recipe.seed,
            "deterministic": True,
            # By rows LightGBM is quicker, and holds all rows a second time.
            "force_row_wise": len(split) * width <= _TWICE,
            "force_col_wise": len(split) * width > _TWICE,
            "use_missing": True,
            "zero_as_missing": False,
            "verbosity": -1,
        }
        return options, train, rest

    def _binned(self, split: Split, like: Any = None) -> Any:
        """The rows as LightGBM keeps them, a byte or two a number; read a part at a time.

        What goes on from earlier trees asks them all rows first, and for that holds the rows.
        """
        sizes = None
        if self.recipe.loss == LAMBDARANK:
            split, sizes = ranking.ordered(split)
            if sizes.max() > _LARGEST_GROUP:
                raise InvalidInput(
                    f'loss "{LAMBDARANK}": expected groups of at most {_LARGEST_GROUP} rows, '
                    f"received one of {sizes.max()}",
                    hint="use xgboost, or smaller groups",
                    field="read.group",
                )
        target = split.target
        weights = class_weights(self.recipe, self.data.labels, self.data.train.target)
        rows = Parts(split)
        return lightgbm.Dataset(
            rows[:] if self.rounds.history else rows,
            target,
            weight=None if weights is None else weights[target],
            group=sizes,
            reference=like,
            categorical_feature=list(self.data.categories) or "auto",
            free_raw_data=False,
        )

    def _round(self, env: Any) -> None:
        self.booster = env.model
        metrics: dict[str, float] = {}
        for rows, metric, value, *_ in env.evaluation_result_list:
            metrics |= figures(rows, metric, float(value))
        self.rounds.done(metrics, self._model)
        if self.rounds.early:
            raise _Enough

    def _model(self) -> bytes:
        """The rounds that are done, as text; one that Ctrl-C broke off in is not."""
        text: str = self.booster.model_to_string(num_iteration=len(self.rounds.history))
        return text.encode()


def _objective(loss: str, data: Dataset) -> dict[str, Any]:
    if loss == LAMBDARANK:
        ranking.check(data)
        return {"objective": "lambdarank", "metric": ["ndcg"], "eval_at": list(PLACES)}
    labels = data.labels
    check_loss(loss, _QUANTITY, labels)
    if labels is None:
        return {"objective": _QUANTITY[loss], "metric": ["l2", "l1"]}
    if len(labels) == 2:
        return {"objective": "binary", "metric": ["binary_logloss", "binary_error"]}
    return {
        "objective": "multiclass",
        "num_class": len(labels),
        "metric": ["multi_logloss", "multi_error"],
    }


def read_file(path: Path) -> Any:
    """The Booster in LightGBM's text file; the plug-in `txt` of the seam `numen.readers`.

    Raises:
        InvalidInput: The file holds no model.
    """
    import lightgbm

    try:
        return lightgbm.Booster(model_file=path)
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        raise InvalidInput(
            f"publish: {path.name} cannot be read: {error}", field="model"
        ) from error


class LightGBMExporter:
    """The plug-in `trees` of the seam `numen.exporters`."""

    def matches(self, model: Any) -> bool:
        """Whether the object is a Booster, LGBMClassifier or LGBMRegressor."""
        return any(kind.__module__.startswith("lightgbm.") for kind in type(model).__mro__)

    def wrap(self, model: Any, sample: Array) -> Trained:
        """The user's trees as a Trained.

        Args:
            model: A Booster, or a fitted estimator of LightGBM.
            sample: A few rows, `float[rows, columns]`.

        Raises:
            ExportFailed: It is not fitted, or its objective or a split has no way to ONNX.
        """
        booster = model if isinstance(model, lightgbm.Booster) else _fitted(model)
        account = booster.dump_model()
        width = account["max_feature_idx"] + 1
        sample = np.asarray(sample)
        if sample.ndim != 2 or sample.shape[1] != width:
            raise ExportFailed(
                f"export: expected a sample [rows, {width}], received {list(sample.shape)}"
            )
        source = TensorSpec("input", "float32", (None, width), missing=True)
        classes = class_count(account)
        reading: Classification | Regression
        if classes:
            names = getattr(model, "classes_", range(classes))
            reading = Classification("probabilities", tuple(str(name) for name in names))
        else:
            reading = Regression("value")
        target = TensorSpec(reading.output, "float32", (None, classes or 1))
        scale = 1.0
        if not classes:
            scale = max(1.0, float(np.abs(booster.predict(sample)).max()))
        signature = Signature((source,), (target,))
        return _trained(booster, signature, type(model).__name__, reading, tolerance=1e-4 * scale)


def _fitted(model: Any) -> Any:
    try:
        return model.booster_
    except AttributeError as error:
        raise ExportFailed(f"export: {error}", hint="fit the model first") from error
    except lightgbm.basic.LightGBMError as error:
        raise ExportFailed(f"export: {error}", hint="fit the model first") from error


def _trained(
    booster: Any,
    signature: Signature,
    family: str,
    reading: Classification | Regression,
    **more: Any,
) -> Trained:
    (source,), (target,) = signature.inputs, signature.outputs

    def predict(arrays: Arrays) -> dict[str, Array]:
        x = arrays[source.name]
        made = np.asarray(booster.predict(x.reshape(len(x), -1)))
        if made.ndim == 1:
            made = np.stack([1 - made, made], 1) if target.shape[1] == 2 else made[:, None]
        return {target.name: made.astype(np.float32)}

    def export(path: Path) -> None:
        onnx.save_model(convert(booster, signature), path)

    return Trained(
        signature,
        predict,
        export,
        f"lightgbm {lightgbm.__version__}",
        family,
        reading,
        files={MODEL_TEXT: booster.model_to_string().encode()},
        **more,
    )
