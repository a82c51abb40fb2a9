"""What it costs to learn from few columns: numen's choice beside scikit-learn's, on the same rows.

The rows of scikit-learn's own tables are divided anew, columns are chosen by the training rows of
each division, and models of all columns and of each choice are judged by its test rows.

python benchmarks/columns.py --divisions 10
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

FAMILIES = ("boosting", "linear")


def kbest(x: np.ndarray, y: np.ndarray, keep: int, classes: bool) -> np.ndarray:
    from sklearn.feature_selection import SelectKBest, mutual_info_classif, mutual_info_regression

    score = mutual_info_classif if classes else mutual_info_regression
    return SelectKBest(lambda x, y: score(x, y, random_state=0), k=keep).fit(x, y).get_support()


def rfe(x: np.ndarray, y: np.ndarray, keep: int, classes: bool) -> np.ndarray:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.feature_selection import RFE

    kind = RandomForestClassifier if classes else RandomForestRegressor
    return RFE(kind(random_state=0), n_features_to_select=keep).fit(x, y).get_support()


PEERS: dict[str, Callable[..., np.ndarray]] = {"SelectKBest, MI": kbest, "RFE, forest": rfe}


def divided(frame, seed: int, folder: Path):
    """A data set of the frame's rows in another order: other rows are held out."""
    import numen

    path = folder / f"{seed}.csv"
    frame.sample(frac=1, random_state=seed).to_csv(path, index=False)
    return numen.Dataset.open(path, target=frame.columns[-1])


def choices(data, keep: int) -> dict[str, tuple[list[str], float]]:
    """The columns that each way chooses, and the seconds it took."""
    import numen

    names = [column.name for column in data.preprocess.columns]
    begin = time.monotonic()
    few = numen.train(data, FAMILIES[0], select=keep)
    took = time.monotonic() - begin
    found = {
        "all": (names, 0.0),
        "numen": ([c.name for c in few.manifest.preprocess.columns], took),
    }
    (x,) = data.train.arrays().inputs.values()
    for name, choose in PEERS.items():
        begin = time.monotonic()
        kept = choose(x, data.train.target, keep, data.labels is not None)
        found[name] = (list(np.array(names)[kept]), time.monotonic() - begin)
    return found


def compare(name: str, frame, keep: int, divisions: int, folder: Path) -> None:
    import numen
    from numen.data.align import narrowed

    scores: dict[tuple[str, str], list[float]] = {}
    seconds: dict[str, list[float]] = {}
    for seed in range(divisions):
        data = divided(frame, seed, folder)
        metric = "r2" if data.labels is None else "accuracy"
        for way, (names, took) in choices(data, keep).items():
            seconds.setdefault(way, []).append(took)
            for family in FAMILIES:
                model = numen.train(narrowed(data, names), family)
                scores.setdefault((way, family), []).append(model.metrics[metric])
    print(f"\n{name}: {keep} of {frame.shape[1] - 1} columns, {divisions} divisions, {metric}")
    for (way, family), found in scores.items():
        change = np.subtract(found, scores["all", family])
        print(
            f"  {way:16} {family:9} {np.mean(found):.4f}  {change.mean():+.4f} ± "
            f"{change.std(ddof=1) / divisions**0.5:.4f}  {np.mean(seconds[way]):6.1f} s"
        )


def main() -> None:
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--divisions", type=int, default=10)
    divisions = parser.parse_args().divisions
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as place:
        os.environ["NUMEN_HOME"] = f"{place}/home"
        for load, keep in ((load_breast_cancer, 8), (load_wine, 4), (load_diabetes, 4)):
            table = load(as_frame=True)
            frame = table.frame
            if "target_names" in table:
                frame["target"] = np.array(table.target_names)[table.target]
            folder = Path(place) / load.__name__
            folder.mkdir()
            compare(load.__name__.removeprefix("load_"), frame, keep, divisions, folder)


if __name__ == "__main__":
    main()
