"""From a recipe and what to try of it to the best model found, published where a name is given."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from numen.api.model import Model
from numen.api.plan import data_of, plan_of, with_body, with_version
from numen.api.train import train
from numen.api.workspace import settings
from numen.core.errors import InvalidInput
from numen.core.reference import check_name
from numen.data.dataset import Dataset
from numen.train import space as spaces
from numen.train.base import Progress, Silent
from numen.train.charts import Form, charts
from numen.train.cluster import Cluster
from numen.train.find import usual_space
from numen.train.recipe import Recipe, refuse
from numen.train.study import JOURNAL, Row
from numen.train.trial import rehearse
from numen.train.tune import Budget, Search, Watch, final_recipe, importances, search_here

ASIDE: Final = 0.2  # of the training rows judges trials, where the recipe keeps none aside


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search found.

    Attributes:
        study: Its name; the same name goes on with it.
        metric: What trials were compared by, such as `val_accuracy`.
        rising: More of it is better.
        trials: All trials, by number.
        best: The best of those trained to their end.
        recipe: The recipe that the model was trained by.
        model: It, trained in full and measured on the test rows.
        importances: Which part of the difference each value accounts for.
        cost: What the trials cost, where a price was named.
        carried: How the data went to a cluster's nodes: by `path` or as an `object`.
    """

    study: str
    metric: str
    rising: bool
    trials: tuple[Row, ...]
    best: Row
    recipe: Recipe
    model: Model
    importances: Mapping[str, float]
    cost: float | None = None
    carried: str = ""

    def charts(self, form: Form = "png") -> dict[str, bytes]:
        """Pictures of the history and of the importances, by file name."""
        return charts(self.trials, self.metric, self.importances, rising=self.rising, form=form)


class Unwatched:
    """A Watch that tells nobody."""

    def trial(self, row: Row) -> None:
        """Ignored."""

    def note(self, message: str) -> None:
        """Ignored."""


def tune(
    data: Dataset | str | Path = "",
    family: str = "",
    *,
    recipe: Recipe | Path | str | None = None,
    name: str = "",
    space: Mapping[str, Any] | None = None,
    trials: int = 20,
    timeout: float | None = None,
    cost: float | None = None,
    price: float | None = None,
    metric: str = "",
    pruner: str = "median",
    study: str = "",
    on: str = "",
    watch: Watch | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Tuned:
    """Searches for the best recipe, trains it in full, and measures it on the test rows.

    Trials are judged by rows kept aside from the training rows, never by the test rows. A study
    that was stopped or killed goes on when the same is asked for again.

    Args:
        data: A data set, or its name, URL or path; the recipe's own by default.
        family: A built-in family, or the user's own `module:build`.
        recipe: A recipe or its file, where there is one; other arguments override it.
        name: Published as the next version of this model, unless empty.
        space: What to try, by name: a list of values, `[least, greatest]`, or a table
            `{"low": …, "high": …, "log": True}`; the recipe's own by default, else what is usual
            for the family.
        trials: So many in the study.
        timeout: Seconds the search may take.
        cost: What all trials may cost.
        price: What an hour of training costs.
        metric: What trials are compared by: `val_accuracy` for classes and `val_loss` for
            quantities, unless said.
        pruner: `median`, `hyperband` or `none`.
        study: Its name; the model's, or that of data and family, unless said.
        on: `ray` or an address `ray://…`; see `numen.train`.
        watch: Who is told of trials.
        progress: Who is told of the last training.
        **options: Fields of the recipe; others are the family's.

    Raises:
        InvalidInput: The recipe, the space or the budget is not what it must be, or no trial was
            trained to its end within the budget.
        Conflict: Another process drives the study.
    """
    plan = plan_of(recipe, family, name, options)
    on, plan = on or plan.on, msgspec.structs.replace(plan, on="")
    refuse(plan, "select")  # trials would be judged with all columns
    dataset, plan = data_of(plan, data, progress or Silent())
    plan = with_version(plan)  # one network for all trials, whatever is published meanwhile
    base = msgspec.structs.replace(plan, validation=plan.validation or ASIDE)
    table = spaces.read(plan.tune if space is None else space, usual_space(plan), plan)
    study = study or plan.name or f"{dataset.name}-{plan.family.replace(':', '.')}".lower()
    check_name(study, "study")
    folder = settings().home_path / "studies" / study
    points = list(spaces.ends(spaces.build(table)))
    Budget(trials, timeout, cost, price).check()
    if not (folder / JOURNAL).exists():
        rehearse(dataset, [with_body(spaces.apply(base, point)) for point in points])
    with Search(
        folder,
        base,
        table,
        metric or ("val_loss" if dataset.labels is None else "val_accuracy"),
        dataset.digest,
        Budget(trials, timeout, cost, price),
        pruner,
        watch or Unwatched(),
        with_body,
    ) as search:
        with Cluster(on, own_code=":" in plan.family) if on else nullcontext() as cluster:
            if cluster is None:
                search_here(search, dataset)
            else:
                cluster.search(search, dataset)
            best, final = _best(search, plan)
            model = train(dataset, recipe=final, name=plan.name, progress=progress, on=on)
        return Tuned(
            study, search.metric, search.rising, tuple(search.rows()), best, final, model,
            importances(search), search.cost, cluster.carried if cluster else "",
        )  # fmt: skip


def _best(search: Search, plan: Recipe) -> tuple[Row, Recipe]:
    best = search.best
    if best is None:
        raise InvalidInput(
            f"tune: none of {len(search.rows())} trials was trained to its end",
            hint="give it more time; the same study goes on where it stands",
            field="trials",
        )
    return best, final_recipe(search, best, plan)
