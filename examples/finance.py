"""Why a loan was refused, and what would have to be different: counterfactuals of a credit model.

The applicants are made up: drawn from simple laws written below, so that what decides is known and
nobody's data lie in a repository. No bank decides so, and figures say nothing of real applicants.
"""

from __future__ import annotations

import csv

import numpy as np

import numen

ROWS = 3_000
# What nobody can be asked to change, and what cannot go back: these are facts, not wishes.
STAYS = ["age", "late_payments"]
LIMITS = """
What this does not say:
  - A counterfactual makes this model answer otherwise, other things being as they are. Whether it
    can be done, and whether it makes a loan safe, the model does not know.
  - It is no promise: the model may be another one tomorrow.
  - A column that stands for another (a postcode for an income) is changed as if it stood alone.
  - Whether the model is fair to groups is another question: numen evaluate --by COLUMN."""


def applicants(path: str) -> None:
    """Writes a table of made-up applicants with whether each paid back."""
    random = np.random.default_rng(0)
    income = random.lognormal(8.0, 0.4, ROWS).round(-1)
    amount = random.lognormal(8.8, 0.5, ROWS).round(-2)
    debt = random.exponential(3_000, ROWS).round(-1)
    age = random.integers(21, 70, ROWS)
    years = np.minimum(random.exponential(5, ROWS).round(), age - 18)
    late = random.poisson(0.6, ROWS)
    home = random.choice(["rents", "owns", "with parents"], ROWS, p=[0.55, 0.35, 0.1])
    burden = (amount / 36 + debt / 24) / income
    score = 2.2 - 9 * burden - 0.9 * late + 0.12 * np.minimum(years, 12) + 0.5 * (home == "owns")
    paid = random.random(ROWS) < 1 / (1 + np.exp(-score))
    names = ["income", "amount", "debt", "age", "years_employed", "late_payments", "home", "loan"]
    words = np.where(paid, "paid back", "not paid back")
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(zip(income, amount, debt, age, years, late, home, words, strict=True))


def main() -> None:
    applicants("applicants.csv")
    data = numen.Dataset.open("applicants.csv")
    model = numen.train(data, "boosting", name="loans", patience=20)
    print(f"{len(data.test)} applicants held out: accuracy {model.metrics['accuracy']:.3f}, "
          f"AUC {model.metrics['auc']:.3f}")  # fmt: skip
    print("\nWhat the model goes by (loss in nats that shuffling a column adds):")
    for each in model.importance(data.test).columns:
        print(f"  {each.column:16} {each.loss.mean:+.4f} "
              f"({each.loss.low:+.4f} to {each.loss.high:+.4f})")  # fmt: skip

    asked = {
        "income": 2_400, "amount": 12_000, "debt": 6_500, "age": 34, "years_employed": 2,
        "late_payments": 1, "home": "rents",
    }  # fmt: skip
    said = model.classify(asked)[0]
    print(f"\nRefused: {said['label']} at {said['probability']:.0%}. It would be otherwise with")
    # Nobody is employed for fewer years by waiting.
    found = model.counterfactual(
        asked, "paid back", fix=STAYS, bounds={"years_employed": (asked["years_employed"], None)}
    )
    for each in found:
        changes = ", ".join(
            f"{c.column} {c.after if isinstance(c.after, str) else f'{c.after:g}'} "
            f"(now {c.before if isinstance(c.before, str) else f'{c.before:g}'})"
            for c in each.changes
        )
        print(f"  {changes}: {each.answer['label']} at {each.answer['probability']:.0%}")
    try:
        model.counterfactual(asked, "paid back", vary=["age"])
    except numen.NumenError as error:
        print(f"By age alone: {error.message}")
    print(LIMITS)


if __name__ == "__main__":
    main()
