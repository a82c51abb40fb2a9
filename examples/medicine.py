"""Which few measurements tell what all of them tell, and why one patient's answer is as it is.

Two tables that come with scikit-learn: thirty measurements of cell nuclei in 569 breast biopsies
(Wolberg et al. 1995), and ten of 442 patients whose diabetes was looked at a year later (Efron et
al. 2004). What is printed is measured on patients that neither the choice of columns nor the model
has seen. It is an example of how to ask, no medical device: see LIMITS.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import StratifiedKFold

import numen

KEPT = 8
FOLDS = int(os.environ.get("FOLDS", "5"))
LIMITS = """
What this does not say:
  - It is no medical device, and nothing here was tried on patients of another hospital or year.
  - Columns that say the same stand in for one another (radius, perimeter, area), so others may be
    chosen from other patients; the share says how often a column was.
  - Importance and bars say what this model goes by. They do not say what causes the illness.
  - 569 and 442 patients leave intervals as wide as they are printed."""


def main() -> None:
    fewer_measurements()
    why_this_patient(numen.load("biopsies"), numen.Dataset.open("biopsies/0"))
    progression()
    print(LIMITS)


def fewer_measurements() -> None:
    """Cross-validation: every patient is judged once, by models that have not seen the patient."""
    table = load_breast_cancer(as_frame=True)
    frame = table.frame.drop(columns="target")
    frame.columns = [name.replace(" ", "_") for name in frame.columns]
    frame["diagnosis"] = table.target_names[table.target]
    gained, right, chosen = [], [], Counter()
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for number, parts in enumerate(folds.split(frame, table.target)):
        folder = Path(f"biopsies/{number}")
        folder.mkdir(parents=True, exist_ok=True)
        for split, rows in zip(("train", "test"), parts, strict=True):
            frame.iloc[rows].to_csv(folder / f"{split}.csv", index=False)
        data = numen.Dataset.open(folder)
        every = numen.train(data, "boosting")
        few = numen.train(data, "boosting", select=KEPT, name="" if number else "biopsies")
        hits = [hit(model, data) for model in (every, few)]
        right.append(hits[0])
        gained.append(hits[1].astype(int) - hits[0])
        chosen.update(column.name for column in few.manifest.preprocess.columns)
    change, before = np.concatenate(gained), np.concatenate(right).mean()
    half = 1.96 * change.std() / len(change) ** 0.5
    print(f"{len(change)} patients, {len(frame.columns) - 1} measurements: accuracy {before:.4f}")
    print(f"{KEPT} measurements: accuracy {before + change.mean():.4f}")
    print(f"change {change.mean():+.4f} (95 %: {change.mean() - half:+.4f} to "
          f"{change.mean() + half:+.4f})")  # fmt: skip
    print("chosen:", ", ".join(f"{name} {times}/{FOLDS}" for name, times in chosen.most_common()))


def hit(model: numen.Model, data: numen.Dataset) -> np.ndarray:
    judged = model.judge(model.seeing(data).test)
    return judged.output.argmax(1) == judged.target


def why_this_patient(model: numen.Model, data: numen.Dataset) -> None:
    """What the model goes by on the whole, and for the patient it is least sure of."""
    rows = model.seeing(data).test
    print("\nWhat the model goes by, measured by shuffling (loss in nats):")
    for each in model.importance(rows).columns:
        print(f"  {each.column:24} {each.loss.mean:+.4f} "
              f"({each.loss.low:+.4f} to {each.loss.high:+.4f})")  # fmt: skip
    judged = model.judge(rows)
    place = int(judged.output.max(1).argmin())
    (values,) = rows.take([place]).arrays().inputs.values()
    said = model.classify(values)[0]
    model.explain(values).save("patient.png")
    truth = data.labels[judged.target[place]]
    print(f"\nThe least sure: {said['label']} at {said['probability']:.0%}; it was {truth}. "
          "See patient.png")  # fmt: skip


def progression() -> None:
    """A quantity: how far diabetes had gone a year later, from ten measurements and from five."""
    load_diabetes(as_frame=True, scaled=False).frame.to_csv("diabetes.csv", index=False)
    data = numen.Dataset.open("diabetes.csv", target="target")
    every = numen.train(data, "linear")
    few = numen.train(data, "linear", select=5)
    names = ", ".join(column.name for column in few.manifest.preprocess.columns)
    print(f"\nDiabetes after a year, {len(data.test)} patients held out:")
    for what, model in ((f"{len(data.preprocess.columns)} measurements", every), (names, few)):
        report = model.evaluate(model.seeing(data).test)
        where = report.intervals["r2"]
        print(f"  {what}: r2 {report.r2:.3f} (95 %: {where.low:.3f} to {where.high:.3f})")


if __name__ == "__main__":
    main()
