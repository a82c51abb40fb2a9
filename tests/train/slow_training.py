"""A process that trains slowly, to be killed: `slow_training.py TABLE FOLDER FAMILY`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.find import trainer_for
from numen.train.recipe import Recipe, make

# So many rounds that some are done when the first checkpoint is due, and many are left then.
EPOCHS = {"boosting": 40, "xgboost": 40, "forest": 80}
_PARAMS = {
    "boosting": {"min_data_in_leaf": 5, "feature_fraction": 0.7, "extra_trees": True},
    "xgboost": {"subsample": 0.7, "colsample_bytree": 0.6},
}
_PAUSE = 0.1  # seconds a round; a forest's are of several trees


class Slow:
    """A Progress that takes its time."""

    def begin(self, epochs, steps):
        pass

    def step(self, metrics):
        pass

    def epoch(self, number, metrics):
        time.sleep(_PAUSE)

    def note(self, message):
        pass


def recipe_of(family: str) -> Recipe:
    """What is trained."""
    params = _PARAMS.get(family, {})
    return make({"family": family, "epochs": EPOCHS[family], "seed": 5, "params": params})


if __name__ == "__main__":
    table, folder, family = sys.argv[1:]
    recipe = recipe_of(family)
    trainer_for(recipe).fit(Dataset.open(table), recipe, Run(Path(folder), Slow()))
