"""What an evaluation says, as plain data: it travels in bundles and is printed as JSON."""

from __future__ import annotations

from typing import Final

import msgspec

EVALUATION: Final = "evaluation.json"  # the file of a bundle that holds the report of its test rows
METRICS: Final = (
    "loss", "accuracy", "exact", "f1", "f1_micro", "ap", "auc", "brier", "ece", "mae", "rmse", "r2",
    "ndcg5", "ndcg10", "mrr",
)  # fmt: skip
# Of these, more is better; of the others, less.
RISING: Final = frozenset(
    {"accuracy", "exact", "f1", "f1_micro", "ap", "auc", "r2", "ndcg5", "ndcg10", "mrr"}
)


class Interval(msgspec.Struct, frozen=True):
    """Where a figure lies with 95 % confidence; the report's `method` says how it was found."""

    low: float
    high: float


class ClassReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one class fares: of what was called it, how much is it; of what is it, how much was.

    Of a label that may stand beside others also its average precision and area under the ROC
    curve, where some rows carry it and some do not, with intervals.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    ap: float | None = None
    auc: float | None = None
    intervals: dict[str, Interval] = {}


class QuantityReport(msgspec.Struct, frozen=True):
    """How one of several quantities fares, in its own size."""

    name: str
    mae: float
    rmse: float
    r2: float
    intervals: dict[str, Interval] = {}


class Bin(msgspec.Struct, frozen=True):
    """The predictions with confidence above `low` up to `high`."""

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float


class Slice(msgspec.Struct, frozen=True):
    """The rows that have one value of one column.

    Attributes:
        column: Its name; the target's own for a class.
        value: A category, a class, a range of numbers, or `missing`.
        rows: How many.
        score: Their accuracy (of any number of labels: the part that is exact), or their mean
            absolute error where the target is a quantity.
        low: The score's interval begins here.
        high: And ends here.
        p: How likely a slice no worse than the other rows would look so bad (Fisher's exact test,
            or Mann and Whitney's of absolute errors), corrected for the number of slices (Holm).
        weak: Whether that is below 0.05.
    """

    column: str
    value: str
    rows: int
    score: float
    low: float
    high: float
    p: float
    weak: bool


class Coverage(msgspec.Struct, frozen=True):
    """How often sets of labels or intervals hold the truth.

    Attributes:
        level: How often they are meant to, at least.
        set_on: How many other rows their threshold was set on.
        covered: The part of these rows whose truth they hold.
        low: Its 95 % interval begins here (Wilson's score interval).
        high: And ends here.
        size: How many labels a set has on average, or how wide an interval is.
    """

    level: float
    set_on: int
    covered: float
    low: float
    high: float
    size: float


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model does on a split.

    Attributes:
        rows: Rows judged.
        loss: Mean cross-entropy in nats, or mean squared error; of a ranking 1 - ndcg10.
        accuracy: Part of the rows whose likeliest class is right.
        exact: Part of the rows whose labels are all right, where they carry any number.
        f1: Mean of the classes' F1, of those that have rows.
        f1_micro: F1 over the labels of all rows together.
        ap: Mean average precision of the labels that some rows carry and some do not.
        auc: Area under the ROC curve; with more than two classes the mean of each against the
            rest. None where a class is alone, or there are more than 50.
        brier: Mean squared distance of the probabilities from the truth, summed over the classes
            (Brier 1950: 0 to 2).
        classes: Each class, or each label.
        confusion: Rows by true class (outer) and predicted class (inner).
        calibration: Accuracy by confidence.
        ece: Expected calibration error: mean distance of confidence from accuracy.
        mae: Mean absolute error. Of several quantities this and the next are in standard
            deviations of each among these rows, averaged, and so is the loss.
        rmse: Root of the mean squared error.
        r2: Part of the target's variance that is explained; of several quantities the mean.
        quantities: Each of several quantities.
        ndcg5: Of a ranking, how good the first 5 rows of a group are against the best order.
        ndcg10: The same of the first 10.
        mrr: Mean over the groups of one over the place of the first row that is not of grade 0.
        coverage: How often the model's sets or intervals hold the truth, where it gives some.
        intervals: Of the single figures, by name.
        method: How the intervals were found.
        slices: Parts of the rows, and how they fare.
    """

    rows: int
    loss: float
    accuracy: float | None = None
    exact: float | None = None
    f1: float | None = None
    f1_micro: float | None = None
    ap: float | None = None
    auc: float | None = None
    brier: float | None = None
    classes: tuple[ClassReport, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    calibration: tuple[Bin, ...] = ()
    ece: float | None = None
    mae: float | None = None
    rmse: float | None = None
    r2: float | None = None
    quantities: tuple[QuantityReport, ...] = ()
    ndcg5: float | None = None
    ndcg10: float | None = None
    mrr: float | None = None
    coverage: Coverage | None = None
    intervals: dict[str, Interval] = {}
    method: str = ""
    slices: tuple[Slice, ...] = ()

    @property
    def metrics(self) -> dict[str, float]:
        """The single figures by name."""
        return {n: v for n in METRICS if (v := getattr(self, n)) is not None}

    @property
    def scored(self) -> tuple[str, float]:
        """What slices are scored by, and how all rows score by it."""
        if self.accuracy is not None:
            return "accuracy", self.accuracy
        if self.exact is not None:
            return "part of the rows all right", self.exact
        return "mean absolute error", self.mae or 0.0

    @property
    def weak(self) -> tuple[Slice, ...]:
        """The slices that are worse than the rest, the worst first."""
        return tuple(sorted((s for s in self.slices if s.weak), key=lambda s: s.p))


class Difference(msgspec.Struct, frozen=True):
    """One figure of two models on the same rows.

    Attributes:
        metric: Its name.
        first: The first model's.
        second: The second model's.
        change: Second less first.
        low: The change's 95 % interval begins here.
        high: And ends here.
        p: How likely two models that are equally good would differ so much.
        better: `first`, `second`, or empty where p is not below 0.05.
    """

    metric: str
    first: float
    second: float
    change: float
    low: float
    high: float
    p: float
    better: str


class Comparison(msgspec.Struct, frozen=True):
    """Two models on the same rows.

    Attributes:
        rows: How many.
        differences: Each figure.
        agreement: Part of the rows on which both name the same class; None of quantities.
        only_first: Rows that only the first has right.
        only_second: Rows that only the second has right.
        method: How intervals and p were found.
    """

    rows: int
    differences: tuple[Difference, ...]
    agreement: float | None
    only_first: int
    only_second: int
    method: str
