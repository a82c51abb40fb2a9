"""Texts as bags of words: which runs of words and characters stand in one, what each speaks for.

A run's weight before training is how much more often it stands in one class than in the others
(Wang and Manning 2012), so that a linear model learns from few texts what it would need many for.
Every step is numen's own in Python and in the graph, so both agree on any text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import onnx
import sklearn
from sklearn.linear_model import LogisticRegression, Ridge

from numen.core.errors import InvalidInput
from numen.core.manifest import Classification, Regression, TextInput
from numen.core.signature import Array, Arrays, Signature, TensorSpec
from numen.data.dataset import Dataset, Split
from numen.train.base import Run, Trained, expect_one
from numen.train.ngrams import Ngrams, largest
from numen.train.recipe import Recipe, params_of, refuse
from numen.train.words import Nodes, Unit, Vocabulary

Count = Annotated[int, msgspec.Meta(ge=1)]
_CHUNK: Final = 1_024  # texts predicted at once
_TINY: Final = 1e-12
_NEVER: Final = -1e4  # the score of a class no training text had


class WordsParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is looked for in a text, and how strongly weights are held down.

    Attributes:
        words: Words of the longest run of words; 0 looks at no words.
        characters: Characters of the longest run of characters, from 2; 0 looks at none.
        features: Most runs of each kind, those that stand in most texts.
        length: Words of a text that count, from its beginning, and six times as many characters.
        l2: How strongly weights are held down.
    """

    words: Annotated[int, msgspec.Meta(ge=0, le=3)] = 3
    characters: Annotated[int, msgspec.Meta(ge=0, le=6)] = 5
    features: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 100_000
    length: Annotated[int, msgspec.Meta(ge=1, le=20_000)] = 2_000
    l2: Annotated[float, msgspec.Meta(gt=0)] = 0.2


class BagTrainer:
    """The plug-in `bag` of the seam `numen.trainers`."""

    families: tuple[str, ...] = ("words",)

    def fit(self, data: Dataset, recipe: Recipe, run: Run) -> Trained:
        """Trains as the recipe says; see `numen.train.base.Trainer`.

        Raises:
            InvalidInput: The data are no texts, or the recipe asks for what the family has not.
        """
        refuse(
            recipe, "optimizer", "learning_rate", "batch_size", "backend", "loss", "patience",
            "epochs", "schedule", "weight_decay", "precision", "augment", "body",
        )  # fmt: skip
        params = params_of(recipe, WordsParams)
        if not isinstance(data.preprocess, TextInput):
            raise InvalidInput(
                f'family "{recipe.family}": expected texts, received {data.spec}',
                hint="use forest, boosting or mlp",
                field="family",
            )
        expect_one(data, recipe)
        if not params.words and not params.characters:
            raise InvalidInput("params: expected words or characters above 0", field="words")
        split, aside = data.train, None
        if recipe.validation:
            split, aside = split.divide(recipe.validation, recipe.seed)
        if run.resume:
            run.progress.note("beginning anew: it is solved in one go")
        run.progress.begin(1, 3)
        texts, target = _texts(split), split.target
        bags = [*_learn(texts, params, run)]
        model = _fit(bags, texts, target, data.labels, recipe, params.l2)
        metrics = {} if aside is None else _judged(model, aside, data.labels)
        run.progress.step(metrics)
        run.progress.epoch(1, metrics)
        return _trained(data, model, recipe.family, (metrics,))


@dataclass(frozen=True)
class Bag:
    """A linear model of texts.

    Attributes:
        runs: What it looks for.
        weights: Of each kind of run, `float64[runs, scores]`.
        bias: `float64[scores]`.
        classes: Whether scores are of classes.
    """

    runs: tuple[Ngrams, ...]
    weights: tuple[Array, ...]
    bias: Array
    classes: bool

    def predict(self, texts: Sequence[str]) -> Array:
        """Probabilities `float32[texts, classes]` or values `float32[texts, 1]`."""
        parts = [self._scores(texts[at : at + _CHUNK]) for at in range(0, len(texts), _CHUNK)]
        scores = np.concatenate(parts)
        if self.classes:
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores /= scores.sum(axis=1, keepdims=True)
        return scores.astype(np.float32)

    def _scores(self, texts: Sequence[str]) -> Array:
        scores = np.tile(self.bias, (len(texts), 1))
        for runs, weights in zip(self.runs, self.weights, strict=True):
            scores += _of_length_one(runs.present(texts)) @ weights
        return scores

    def graph(self, signature: Signature) -> onnx.ModelProto:
        """The same as ONNX."""
        (source,), (target,) = signature.inputs, signature.outputs
        nodes = Nodes()
        total = nodes.constant(self.bias, "float32")
        count = len(self.bias)
        for runs, weights in zip(self.runs, self.weights, strict=True):
            # Present runs have their rarity as value, so that times the rarity is its square:
            # one more column sums up the length of each row.
            columns = np.concatenate([weights, runs.weights[:, None]], axis=1)
            made = nodes.add(
                "MatMul", runs.graph(nodes, source.name), nodes.constant(columns, "float32")
            )
            scores = nodes.add("Slice", made, *nodes.constants([0], [count], [1]))
            square = nodes.add("Slice", made, *nodes.constants([count], [count + 1], [1]))
            length = nodes.add("Sqrt", nodes.add("Max", square, nodes.constant(_TINY, "float32")))
            total = nodes.add("Add", total, nodes.add("Div", scores, length))
        if self.classes:
            total = nodes.add("Softmax", total, axis=1)
        nodes.nodes.append(onnx.helper.make_node("Identity", [total], [target.name]))
        return nodes.model(source, target)


def _learn(texts: Sequence[str], params: WordsParams, run: Run) -> list[Ngrams]:
    kinds: tuple[tuple[Unit, int, int, int, int], ...] = (
        ("words", 1, params.words, params.length, 1),
        ("characters", 2, params.characters, 6 * params.length, 3),
    )
    found = []
    for unit, shortest, longest, length, least in kinds:
        run.progress.step({})
        if longest:
            known = Vocabulary.learn(texts, unit, largest(longest), length)
            sizes = (min(shortest, longest), longest)
            enough = min(least, max(1, len(texts) // 100))
            found.append(Ngrams.learn(known, texts, sizes, params.features, enough))
    if not any(len(each.keys) for each in found):
        raise InvalidInput("the training texts have no words", field="data")
    return [each for each in found if len(each.keys)]


def _fit(
    bags: Sequence[Ngrams],
    texts: Sequence[str],
    target: Array,
    labels: tuple[str, ...] | None,
    recipe: Recipe,
    l2: float,
) -> Bag:
    from scipy import sparse

    parts = [_of_length_one(bag.present(texts)) for bag in bags]
    rows = sparse.hstack(parts, format="csr")
    sides = target > np.median(target) if labels is None else target
    telling = _telling(rows, sides.astype(np.int64))
    rows = rows.multiply(telling).tocsr()
    if labels is None:
        refuse(recipe, "class_weight")
        fitted = Ridge(alpha=l2).fit(rows, target)
        weights, bias = fitted.coef_.reshape(1, -1), np.array([fitted.intercept_])
    else:
        fitted = LogisticRegression(
            C=1 / l2, max_iter=1_000, class_weight=_class_weight(recipe, labels)
        ).fit(rows, target)
        weights, bias = _of_all_classes(fitted, len(labels))
    ends = np.cumsum([len(bag.keys) for bag in bags])[:-1]
    columns = np.split(weights.T * telling[:, None], ends)
    return Bag(tuple(bags), tuple(columns), bias, labels is not None)


def _telling(rows: Any, target: Array) -> Array:
    """How much each run speaks for one class against the others, `float64[runs]`, 0 or more."""
    present = rows.astype(bool).astype(np.float64)
    counts = np.stack([present[target == c].sum(axis=0) for c in np.unique(target)])
    ours = 1 + counts
    others = 1 + counts.sum(axis=0) - counts
    ours, others = (each / each.sum(axis=1, keepdims=True) for each in (ours, others))
    strongest: Array = np.abs(np.log(ours / others)).max(axis=0)
    return strongest


def _of_all_classes(fitted: Any, count: int) -> tuple[Array, Array]:
    """Weights `[classes, runs]` and biases `[classes]` of scores for a softmax."""
    weights, bias = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # one score for the second class against the first
        weights, bias = (np.concatenate([-each / 2, each / 2]) for each in (weights, bias))
    whole, biases = np.zeros((count, weights.shape[1])), np.full(count, _NEVER)
    whole[fitted.classes_], biases[fitted.classes_] = weights, bias
    return whole, biases


def _class_weight(recipe: Recipe, labels: tuple[str, ...]) -> Any:
    said = recipe.class_weight
    if not isinstance(said, dict):
        return said or None
    for name in said:
        if name not in labels:
            raise InvalidInput(
                f'class_weight: "{name}" is no class; expected some of {", ".join(labels[:20])}',
                field="class_weight",
            )
    return {labels.index(name): weight for name, weight in said.items()}


def _of_length_one(rows: Any) -> Any:
    """Rows divided by their Euclidean lengths."""
    lengths = np.sqrt((rows * rows).sum(axis=1))
    return rows.multiply(1 / np.maximum(lengths, _TINY)[:, None]).tocsr()


def _texts(split: Split) -> list[str]:
    (texts,) = split.arrays().inputs.values()
    return [str(text) for text in texts[:, 0]]


def _judged(model: Bag, split: Split, labels: tuple[str, ...] | None) -> dict[str, float]:
    made = model.predict(_texts(split))
    if labels is None:
        return {"val_loss": float(((made[:, 0] - split.target) ** 2).mean())}
    return {"val_accuracy": float((made.argmax(axis=1) == split.target).mean())}


def _trained(
    data: Dataset, model: Bag, family: str, history: tuple[Mapping[str, float], ...]
) -> Trained:
    reading: Classification | Regression = (
        Regression("value", data.target)
        if data.labels is None
        else Classification("probabilities", data.labels)
    )
    target = TensorSpec(reading.output, "float32", (None, len(model.bias)))
    signature = Signature((data.spec,), (target,))
    scale = 1.0 if data.labels else max(1.0, float(np.abs(data.train.target).max()))

    def predict(arrays: Arrays) -> dict[str, Array]:
        return {target.name: model.predict(arrays[data.spec.name][:, 0].tolist())}

    def export(path: Path) -> None:
        onnx.save_model(model.graph(signature), path)

    framework = f"scikit-learn {sklearn.__version__}"
    return Trained(
        signature, predict, export, framework, family, reading, history, tolerance=1e-4 * scale
    )
