"""A search for the best recipe: which one next, whether to go on with it, what came of it.

Optuna chooses and prunes; its journal is a file, so a search that was killed goes on where it
stood. One process drives a study at a time; where trials run is not known here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import optuna
from optuna.trial import TrialState

from numen.core.errors import InvalidInput
from numen.data.dataset import Dataset
from numen.train import space as spaces
from numen.train.recipe import Recipe, make
from numen.train.study import STARTUP, Row, Study
from numen.train.trial import Outcome, Verdict, attempt

_FAILURES: Final = 3  # so many at the beginning, and none that went well: the search is wrong
_ATTEMPTS: Final = 3  # so often is a trial whose machine died tried
_MORE_IS_BETTER: Final = (
    "accuracy", "auc", "f1", "precision", "recall", "r2", "ndcg5", "ndcg10",
)  # fmt: skip
_SEEDS: Final = 1_000_003


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When to stop searching, whichever comes first.

    Attributes:
        trials: So many in the study; those lost with their machine do not count.
        timeout: Seconds this search may take.
        cost: What all trials of the study may cost.
        price: What an hour of one trial costs, in the same money.
    """

    trials: int = 20
    timeout: float | None = None
    cost: float | None = None
    price: float | None = None

    def check(self) -> None:
        """Refuses what is no budget.

        Raises:
            InvalidInput: A figure is not above 0, or a cost is named without a price.
        """
        for name in ("trials", "timeout", "cost", "price"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InvalidInput(f"{name}: expected more than 0, received {value}", field=name)
        if (self.cost is None) != (self.price is None):
            missing = "price" if self.price is None else "cost"
            raise InvalidInput(
                f"{missing}: a budget by cost is a cost and the price of an hour, received one",
                hint="such as --cost 5 --price 2.40",
                field=missing,
            )


class Watch(Protocol):
    """Who is told how a search goes; the command line draws it."""

    def trial(self, row: Row) -> None:
        """A trial began, did an epoch, or ended."""

    def note(self, message: str) -> None:
        """Something a person should know."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One to be trained."""

    number: int
    recipe: Recipe


@dataclass(slots=True)
class _Running:
    trial: optuna.Trial
    begun: float
    values: Mapping[str, Any]
    attempt: int
    epochs: int = 0
    value: float | None = None
    where: str = ""


class Search:
    """A study, and what is left to do of it.

    Args:
        folder: Holds its journal.
        recipe: What is varied.
        space: What is tried, as a table; see `numen.train.space`.
        metric: What trials are compared by, such as `val_accuracy`.
        data: The data's digest.
        budget: When to stop.
        pruner: `median`, `hyperband` or `none`.
        watch: Who is told.
        ready: Makes a recipe one that trainers can take, such as with the file of its body in the
            place of a model's name.

    Raises:
        InvalidInput: The space, the pruner or the budget is not what it must be, or the study of
            that name began with another recipe or other data.
        Conflict: Another process drives the study.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        space: Mapping[str, Any],
        metric: str,
        data: str,
        budget: Budget,
        pruner: str,
        watch: Watch,
        ready: Callable[[Recipe], Recipe] = lambda recipe: recipe,
    ):
        budget.check()
        self.recipe, self.metric, self.budget = recipe, metric, budget
        self.space = spaces.build(space)
        self.rising = metric.removeprefix("val_").endswith(_MORE_IS_BETTER)
        self._watch, self._ready = watch, ready
        self._all = spaces.every(self.space, budget.trials, recipe.seed)
        self._running: dict[int, _Running] = {}
        self._begun = time.monotonic()
        self._spent = 0.0
        made_by = {
            "recipe": msgspec.to_builtins(msgspec.structs.replace(recipe, tune={}, name="")),
            "space": {name: str(kind) for name, kind in self.space.items()},
            "metric": metric,
            "data": data,
            "pruner": pruner,
        }
        self.study = Study(folder, rising=self.rising, pruner=pruner, made_by=made_by)
        self._take_up()

    def close(self) -> None:
        """Lets another process drive the study."""
        self.study.close()

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def next(self) -> Trial | None:
        """The next trial to train, or None where the budget is spent.

        Raises:
            InvalidInput: The first trials all failed.
        """
        place = self.study.count()
        if place >= self.budget.trials or self._spent_up():
            return None
        self._despair()
        if self._all is not None and not self._enqueue(self._all):
            return None
        # The place seeds the sampler: a study that was killed goes on as if it had not been.
        self.study.optuna.sampler = optuna.samplers.TPESampler(
            n_startup_trials=2 * STARTUP, seed=(self.recipe.seed * _SEEDS + place) % 2**31
        )
        trial = self.study.optuna.ask(self.space)
        values = dict(trial.params)
        tried = int(trial.user_attrs.get("attempt", 1))
        self._running[trial.number] = _Running(trial, time.monotonic(), values, tried)
        self._tell(trial.number)
        return Trial(trial.number, self._ready(spaces.apply(self.recipe, values)))

    def epoch(self, number: int, epoch: int, value: float, where: str = "") -> Verdict:
        """Notes an epoch's metric of a running trial, and says whether to go on with it."""
        running = self._running[number]
        running.where = where
        running.epochs = epoch
        running.value = value
        self._tell(number)
        if self._spent_up():
            return "stop"
        running.trial.report(value, epoch)
        return "prune" if running.trial.should_prune() else ""

    def done(self, number: int, outcome: Outcome) -> None:
        """Notes what came of a trial; one that was lost or stopped is tried again, not counted."""
        running = self._running.pop(number)
        if outcome.state == "lost" and running.attempt >= _ATTEMPTS:
            error = f"its machine died {running.attempt} times: {outcome.error}"
            outcome = msgspec.structs.replace(outcome, state="failed", error=error)
        if not outcome.seconds:
            took = time.monotonic() - running.begun
            outcome = msgspec.structs.replace(outcome, seconds=took)
        self._spent += outcome.seconds
        running.trial.set_user_attr("outcome", msgspec.to_builtins(outcome))
        if outcome.state == "complete":
            self.study.optuna.tell(number, outcome.value)
        elif outcome.state == "pruned":
            self.study.optuna.tell(number, state=TrialState.PRUNED)
        else:
            self.study.optuna.tell(number, state=TrialState.FAIL)
        if outcome.state in ("lost", "stopped"):
            tried = running.attempt + (outcome.state == "lost")
            self.study.optuna.enqueue_trial(dict(running.values), user_attrs={"attempt": tried})
        self._watch.trial(self.rows()[number])

    def rows(self) -> list[Row]:
        """All trials that were begun, by number."""
        return self.study.rows()

    @property
    def best(self) -> Row | None:
        """The best trial that was trained to its end; the earlier one where two are as good."""
        done = [row for row in self.rows() if row.state == "complete" and row.value is not None]
        sign = -1 if self.rising else 1
        return min(done, key=lambda row: sign * (row.value or 0.0), default=None)

    @property
    def running(self) -> tuple[int, ...]:
        """Numbers of the trials that were given out and are not done."""
        return tuple(self._running)

    @property
    def cost(self) -> float | None:
        """What the study cost so far, where a price was named."""
        if self.budget.price is None:
            return None
        now = time.monotonic()
        seconds = self._spent + sum(now - running.begun for running in self._running.values())
        return seconds / 3600 * self.budget.price

    def note(self, message: str) -> None:
        """Passes on something a person should know."""
        self._watch.note(message)

    def _take_up(self) -> None:
        """What ran when its process was killed is tried again; what was spent counts."""
        before = self.study.trials()
        for trial in before:
            if trial.state == TrialState.RUNNING:
                self.study.optuna.tell(trial.number, state=TrialState.FAIL)
                if set(trial.params) == set(self.space):
                    attrs = {"attempt": trial.user_attrs.get("attempt", 1)}
                    self.study.optuna.enqueue_trial(trial.params, user_attrs=attrs)
        self._spent = sum(row.seconds for row in self.rows())
        if before:
            name, done = self.study.folder.name, self.study.count()
            self._watch.note(f"going on with the study {name} after {done} trials")

    def _enqueue(self, points: list[dict[str, Any]]) -> bool:
        """Has the first point tried next that was not tried yet, if there is one."""
        known = self.study.trials()
        if any(trial.state == TrialState.WAITING for trial in known):
            return True
        tried = [trial.params for trial in known]
        for point in points:
            if point not in tried:
                self.study.optuna.enqueue_trial(point)
                return True
        return False

    def _spent_up(self) -> bool:
        over = self.budget.timeout is not None and (
            time.monotonic() - self._begun >= self.budget.timeout
        )
        cost = self.cost
        return over or (cost is not None and cost >= (self.budget.cost or math.inf))

    def _despair(self) -> None:
        rows = [row for row in self.rows() if row.state in ("complete", "pruned", "failed")]
        if len(rows) >= _FAILURES and all(row.state == "failed" for row in rows):
            raise InvalidInput(
                f"tune: the first {len(rows)} trials all failed, the last one with: "
                f"{rows[-1].error}",
                hint="mend the recipe or its [tune], and name another --study",
                field="tune",
            )

    def _tell(self, number: int) -> None:
        of = self._running[number]
        took = time.monotonic() - of.begun
        row = Row(
            number, of.values, "running", of.value, of.epochs, of.epochs, took, where=of.where
        )
        self._watch.trial(row)


def search_here(search: Search, data: Dataset) -> None:
    """Trains one trial after the other in this process until the budget is spent.

    Raises:
        KeyboardInterrupt: Ctrl-C; the trial at hand is tried again when the study goes on.
    """
    while (trial := search.next()) is not None:
        number = trial.number

        def judge(epoch: int, value: float, number: int = number) -> Verdict:
            return search.epoch(number, epoch, value)

        try:
            outcome = attempt(data, trial.recipe, search.metric, judge)
        except KeyboardInterrupt:
            search.done(number, Outcome("stopped"))
            raise
        search.done(number, outcome)


def final_recipe(search: Search, best: Row, recipe: Recipe) -> Recipe:
    """The recipe to train in full: the best trial's, on all training rows.

    Where the recipe itself keeps no rows aside, none tell when to stop, so it is trained as long
    as the trial was at its best.

    Args:
        search: Where the trial was found.
        best: The trial.
        recipe: As it was given, before rows were kept aside for the search.
    """
    made = spaces.apply(search.recipe, best.values)
    if recipe.validation:
        return made
    table = msgspec.to_builtins(made)
    kept = {name: value for name, value in table.items() if name not in ("validation", "patience")}
    if best.epoch < best.epochs:
        kept["epochs"] = best.epoch
    return make(kept)


def importances(search: Search) -> dict[str, float]:
    """Which part of the difference between trials each value accounts for, the largest first.

    By PED-ANOVA (Watanabe et al. 2023). Empty where too few trials were trained to their end.
    """
    done = [row for row in search.rows() if row.state == "complete"]
    if len(done) < 4 or len({row.value for row in done}) < 2:
        return {}
    try:
        return dict(optuna.importance.get_param_importances(search.study.optuna))
    except (RuntimeError, ValueError):  # all trials alike in some way of Optuna's
        return {}
