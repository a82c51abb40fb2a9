"""What boosting is by whatever library: rounds, rows kept aside for patience, losses it knows.

The rounds so far and their trees lie in one file, whole or absent, written every few seconds: a
run that was killed goes on from there, and ends where an unbroken one does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from numen.core.errors import CorruptBundle, InvalidInput
from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.recipe import Recipe
from numen.train.standing import Pace, check_same, whole

ROUNDS: Final = 100
LAST: Final = "last.msgpack"
_ASIDE: Final = 0.1  # of the training rows, where there is patience and no validation
_CLASSES: Final = ("", "sparse_categorical_crossentropy", "categorical_crossentropy")
# What must be the same for a run to go on; rounds and patience may grow.
_SAME: Final = ("family", "params", "loss", "learning_rate", "class_weight", "seed")


class Kept(msgspec.Struct):
    """A run so far: what began it, each round's metrics, and the model as its library writes it."""

    made_by: dict[str, Any]
    history: list[dict[str, float]] = []
    model: bytes = b""


class Rounds:
    """A run of boosting round by round: told of, kept, gone on with.

    Args:
        data: What is learnt from.
        recipe: How.
        run: Holds the file, and who is told.
        most: Rounds in all.
    """

    def __init__(self, data: Dataset, recipe: Recipe, run: Run, most: int):
        self.recipe, self.run, self.most = recipe, run, most
        self.aside = kept_aside(recipe)
        made_by = {name: getattr(recipe, name) for name in _SAME}
        self._kept = Kept(made_by | {"validation": self.aside, "data": data.digest})
        self._path: Path = run.folder / LAST
        self._pace = Pace()

    @property
    def history(self) -> list[dict[str, float]]:
        """Each round's metrics."""
        return self._kept.history

    @property
    def best(self) -> int:
        """The rounds to keep: up to the lowest loss on the rows kept aside, else all."""
        return best(self.history, aside=bool(self.aside))

    @property
    def enough(self) -> bool:
        """Whether all rounds are done, or none was better for as long as patience lasts."""
        return len(self.history) >= self.most or self.early

    @property
    def early(self) -> bool:
        """Whether patience is at its end."""
        return bool(self.history) and 0 < self.recipe.patience <= len(self.history) - self.best

    def take_up(self) -> bytes:
        """Goes on where the run's file says; its model, or nothing where it begins.

        Raises:
            CorruptBundle: The file is not what `keep` wrote.
            InvalidInput: Another recipe or other data began the run; names what differs.
        """
        if self.run.resume and self._path.exists():
            try:
                kept = msgspec.msgpack.decode(self._path.read_bytes(), type=Kept)
            except msgspec.DecodeError as error:
                raise CorruptBundle(f"checkpoint {self._path}: {error}") from error
            # As the file has it: tuples are lists there.
            check_same(kept.made_by, msgspec.to_builtins(self._kept.made_by))
            self._kept = kept
            self.run.progress.note(f"going on after round {len(kept.history)}")
        elif self.run.resume:
            self.run.progress.note("nothing was kept yet: beginning anew")
        return self._kept.model

    def done(self, metrics: dict[str, float], model: Callable[[], bytes]) -> None:
        """A round is done: tells of it, and keeps all of them if it is time to.

        Args:
            metrics: What it came to.
            model: Writes all rounds so far.
        """
        self.history.append(metrics)
        self.run.progress.step(metrics)
        self.run.progress.epoch(len(self.history), metrics)
        if self._pace.due:
            with self._pace.writing():
                self.keep(model())

    def keep(self, model: bytes) -> None:
        """Writes all rounds to the run's file."""
        self._kept.model = model
        with whole(self._path) as file:
            file.write(msgspec.msgpack.encode(self._kept))


_FIGURES: Final[Mapping[str, Callable[[float], dict[str, float]]]] = {
    "l2": lambda v: {"loss": v},
    "rmse": lambda v: {"rmse": v, "loss": v**2},
    "l1": lambda v: {"mae": v},
    "ndcg@5": lambda v: {"ndcg5": v},
    "ndcg@10": lambda v: {"ndcg10": v, "loss": 1 - v},
    **dict.fromkeys(
        ("binary_logloss", "multi_logloss", "logloss", "mlogloss"), lambda v: {"loss": v}
    ),
    **dict.fromkeys(
        ("binary_error", "multi_error", "error", "merror"), lambda v: {"accuracy": 1 - v}
    ),
}


def figures(rows: str, metric: str, value: float) -> dict[str, float]:
    """What a library says of a round, by numen's names.

    Args:
        rows: `train`, or `val` for those kept aside.
        metric: The library's name.
        value: What it came to.
    """
    found = _FIGURES[metric](value) if metric in _FIGURES else {metric: value}
    return {name if rows == "train" else f"val_{name}": each for name, each in found.items()}


def kept_aside(recipe: Recipe) -> float:
    """The part of the training rows that says when it is enough: trees learn the rest by heart."""
    return recipe.validation or (_ASIDE if recipe.patience else 0.0)


def best(history: Sequence[Mapping[str, float]], *, aside: bool) -> int:
    """The rounds to keep: up to the lowest loss on the rows kept aside, else all."""
    if not aside:
        return len(history)
    losses = [metrics["val_loss"] for metrics in history]
    return losses.index(min(losses)) + 1


def check_loss(loss: str, quantity: Mapping[str, str], labels: tuple[str, ...] | None) -> None:
    """Refuses a loss that boosting has not.

    Args:
        loss: The recipe's; empty is the usual one.
        quantity: The losses of quantities, by the recipe's names.
        labels: The classes, or None for a quantity.

    Raises:
        InvalidInput: It is unknown, or for the other kind of target.
    """
    if labels is None and loss not in quantity:
        known = ", ".join(filter(None, quantity))
        raise InvalidInput(
            f'loss: boosting of a quantity knows {known}, received "{loss}"', field="loss"
        )
    if labels is not None and loss not in _CLASSES:
        raise InvalidInput(
            f'loss: boosting of classes knows the cross-entropy, received "{loss}"', field="loss"
        )
