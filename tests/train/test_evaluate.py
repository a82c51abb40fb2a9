"""The figures of an evaluation against scikit-learn's, and its pictures."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image
from scipy import optimize, stats
from sklearn import metrics

from numen.core.errors import InvalidInput
from numen.core.manifest import Classification, Column
from numen.data.dataset import Batch
from numen.runtime.onnx import OnnxRuntime
from numen.train.evaluate import Judged, compare, evaluate, page, plots, report_of
from numen.train.evaluate.calibration import cool, cooled, fit_temperature
from numen.train.evaluate.figures import wilson
from numen.train.evaluate.slices import _fisher, _mann_whitney
from parts import linear_graph


@dataclass
class Rows:
    """A split of two arrays."""

    x: np.ndarray
    y: np.ndarray

    def __len__(self):
        return len(self.y)

    def batches(self, size, *, seed=None):
        for at in range(0, len(self), size):
            yield Batch({"features": self.x[at : at + size]}, self.y[at : at + size])


def classes(count=4, rows=3000):
    random = np.random.default_rng(0)
    y = random.integers(0, count - 1, rows)  # the last class never comes
    x = random.normal(0, 1.3, (rows, count)).astype("float32")
    x[np.arange(rows), y] += 2
    return Rows(x, y), tuple(f"class {i}" for i in range(count))


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_classes():
    split, labels = classes()
    report = evaluate(lambda b: softmax(b.inputs["features"]), split, labels)
    p = softmax(split.x.astype("float64"))
    called = p.argmax(1)
    each = metrics.precision_recall_fscore_support(
        split.y, called, labels=range(4), zero_division=0
    )
    assert report.rows == len(split)
    assert report.accuracy == pytest.approx(metrics.accuracy_score(split.y, called))
    assert report.loss == pytest.approx(metrics.log_loss(split.y, p, labels=range(4)), abs=1e-5)
    for place, name in enumerate(("precision", "recall", "f1", "support")):
        received = [getattr(c, name) for c in report.classes]
        np.testing.assert_allclose(received, each[place], atol=1e-12)
    np.testing.assert_array_equal(
        report.confusion, metrics.confusion_matrix(split.y, called, labels=range(4))
    )
    assert [c.label for c in report.classes] == list(labels)
    present = sorted(set(split.y))
    assert report.f1 == pytest.approx(
        metrics.f1_score(split.y, called, labels=present, average="macro")
    )
    hot = np.eye(4)[split.y]
    assert report.brier == pytest.approx(((p - hot) ** 2).sum(1).mean(), abs=1e-6)
    each = [metrics.roc_auc_score(hot[:, c], p[:, c]) for c in present]
    assert report.auc == pytest.approx(np.mean(each), abs=1e-6)


def test_calibration():
    split, labels = classes()
    report = evaluate(lambda b: softmax(b.inputs["features"]), split, labels)
    p = softmax(split.x.astype("float64"))
    sure, right = p.max(1), p.argmax(1) == split.y
    ece = 0.0
    for found in report.calibration:
        inside = (sure > found.low) & (sure <= found.high)
        assert found.rows == inside.sum()
        assert found.accuracy == pytest.approx(right[inside].mean())
        assert found.confidence == pytest.approx(sure[inside].mean(), abs=1e-6)
        ece += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    assert sum(b.rows for b in report.calibration) == len(split)
    assert report.ece == pytest.approx(ece, abs=1e-6)


def test_quantities():
    random = np.random.default_rng(0)
    y = random.normal(1e4, 3, 2500).astype("float32")
    x = (y + random.normal(0, 1, 2500))[:, None].astype("float32")
    report = evaluate(lambda b: b.inputs["features"], Rows(x, y), None)
    expected, received = y.astype("float64"), x[:, 0].astype("float64")
    assert report.mae == pytest.approx(metrics.mean_absolute_error(expected, received))
    assert report.rmse == pytest.approx(metrics.root_mean_squared_error(expected, received))
    assert report.r2 == pytest.approx(metrics.r2_score(expected, received))
    assert report.accuracy is None
    assert set(report.metrics) == {"loss", "mae", "rmse", "r2"} == set(report.intervals)
    assert plots(report) == {}


def test_refusals():
    split, labels = classes(rows=10)
    with pytest.raises(InvalidInput, match="empty"):
        evaluate(lambda b: b.inputs["features"], Rows(split.x[:0], split.y[:0]), labels)
    with pytest.raises(InvalidInput, match=r"\[10, 4\], received \[10, 3\]"):
        evaluate(lambda b: b.inputs["features"][:, :3], split, labels)


@pytest.mark.parametrize("count", [2, 10, 50])
def test_pictures(count):
    split, labels = classes(count)
    report = evaluate(lambda b: softmax(b.inputs["features"]), split, labels)
    made = plots(report)
    assert list(made) == ["confusion.png", "calibration.png"]
    for content in made.values():
        image = Image.open(io.BytesIO(content))
        assert 500 < image.width < 2500
        assert len(image.convert("L").getcolors(256)) > 20
    assert made == plots(report)


def test_two_classes_have_the_usual_auc():
    split, labels = classes(2)
    split.y[:] = np.random.default_rng(1).integers(0, 2, len(split))
    split.x[np.arange(len(split)), split.y] += 1
    split.x[:500] = split.x[0]  # equal scores count half
    p = softmax(split.x)
    report = evaluate(lambda b: softmax(b.inputs["features"]), split, labels)
    assert report.auc == pytest.approx(metrics.roc_auc_score(split.y, p[:, 1]), abs=1e-6)


def test_intervals_are_as_wide_as_the_law_of_large_numbers_says():
    random = np.random.default_rng(3)
    y = random.normal(size=2000).astype("float32")
    split = Rows((y + random.normal(size=2000))[:, None].astype("float32"), y)
    report = evaluate(lambda b: b.inputs["features"], split, None)
    errors = np.abs(split.x[:, 0].astype("float64") - y)
    half = 1.96 * errors.std() / 2000**0.5
    found = report.intervals["mae"]
    assert found.low == pytest.approx(report.mae - half, abs=half / 4)
    assert found.high == pytest.approx(report.mae + half, abs=half / 4)
    again = evaluate(lambda b: b.inputs["features"], split, None)
    assert again == report
    other = evaluate(lambda b: b.inputs["features"], split, None, seed=1)
    assert other.intervals != report.intervals
    assert "seed 1" in other.method


def test_accuracy_has_wilsons_interval():
    # The Wilson interval of 81 of 263 in Agresti and Coull 1998's form, reckoned by hand.
    found = wilson(81, 263)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(20, 20).high == 1.0
    assert wilson(20, 20).low == pytest.approx(20 / (20 + 1.959964**2), abs=1e-6)


def sliced(rows=2000):
    """A model that is right by chance only where the second column is `b`."""
    random = np.random.default_rng(5)
    y = random.integers(0, 2, rows)
    table = np.stack([random.normal(size=rows), random.integers(0, 3, rows)], 1)
    table[:100, 0] = np.nan
    right = np.where(table[:, 1] == 1, random.random(rows) < 0.5, random.random(rows) < 0.95)
    score = np.where(right, y, 1 - y)
    output = np.stack([1 - score, score], 1).astype("float32")
    columns = (Column("size"), Column("kind", ("a", "b", "c")))
    return Judged(output, y, ("no", "yes"), columns, table.astype("float32"))


def test_slices_name_where_it_is_weak():
    report = report_of(sliced(), target="answer")
    assert [(s.column, s.value) for s in report.weak] == [("kind", "b")]
    (weak,) = report.weak
    assert weak.low < weak.score < weak.high < report.accuracy
    assert [(s.column, s.value) for s in report.slices if not s.weak] == [
        ("answer", "no"), ("answer", "yes"),
    ]  # fmt: skip
    asked = report_of(sliced(), by=["size"])
    values = [s.value for s in asked.slices if s.column == "size"]
    assert values[0] == "missing"
    assert len(values) == 5
    assert sum(s.rows for s in asked.slices if s.column == "size") == 2000
    with pytest.raises(InvalidInput, match=r'size, kind, received "age"'):
        report_of(sliced(), by=["age"])


def test_slices_of_a_quantity_are_of_its_errors():
    judged = sliced()
    error = np.where(judged.table[:, 1] == 2, 3, 1) * np.random.default_rng(0).normal(size=2000)
    y = np.arange(2000, dtype="float32")
    output = (y + error)[:, None].astype("float32")
    report = report_of(Judged(output, y, None, judged.columns, judged.table))
    assert [(s.column, s.value) for s in report.weak] == [("kind", "c")]
    assert "slices.png" in plots(report)


def test_slices_are_tested_as_scipy_does():
    judged = sliced()
    right = judged.output.argmax(1) == judged.target
    inside = judged.table[:, 1] == 0
    table = [[(right & inside).sum(), (~right & inside).sum()],
             [(right & ~inside).sum(), (~right & ~inside).sum()]]  # fmt: skip
    expected = stats.fisher_exact(table, alternative="less").pvalue
    assert _fisher(right, inside) == pytest.approx(expected, rel=1e-9)
    error = np.round(np.abs(np.random.default_rng(0).normal(size=2000)), 1)
    error[inside] += 0.05 * (error[inside] > 1)
    expected = stats.mannwhitneyu(error[inside], error[~inside], alternative="greater").pvalue
    assert _mann_whitney(error, inside) == pytest.approx(expected, rel=1e-6)


def test_chance_alone_makes_few_slices_weak():
    weak = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        y = random.integers(0, 2, 400)
        output = np.eye(2, dtype="float32")[np.where(random.random(400) < 0.8, y, 1 - y)]
        table = random.integers(0, 4, (400, 3)).astype("float32")
        columns = tuple(Column(name, tuple("abcd")) for name in "xyz")
        weak += bool(report_of(Judged(output, y, ("n", "y"), columns, table), resamples=0).weak)
    assert weak <= 6  # 5 % of 40 are 2; seven or more would come once in 200 times


def test_two_models_are_compared_row_by_row():
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 1500)
    good = softmax(np.eye(3)[y] * 2 + random.normal(size=(1500, 3)))
    worse = softmax(np.log(good) + random.normal(0, 1, (1500, 3)))
    labels = ("a", "b", "c")
    first, second = Judged(worse, y, labels), Judged(good, y, labels)
    found = compare(first, second)
    by_name = {d.metric: d for d in found.differences}
    accuracy = by_name["accuracy"]
    assert accuracy.better == "second"
    assert accuracy.low < accuracy.change < accuracy.high
    a, b = worse.argmax(1) == y, good.argmax(1) == y
    only = (a & ~b).sum(), (b & ~a).sum()
    assert (found.only_first, found.only_second) == only
    assert accuracy.p == pytest.approx(stats.binomtest(int(only[0]), int(sum(only))).pvalue)
    assert by_name["loss"].better == "second"
    assert by_name["loss"].change < 0
    same = compare(first, first)
    assert all(d.better == "" and d.p == 1 for d in same.differences)
    assert same.agreement == 1
    with pytest.raises(InvalidInput, match="same rows"):
        compare(first, Judged(good, (y + 1) % 3, labels))


def test_two_equal_models_seldom_differ():
    wrong = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        y = random.integers(0, 2, 300)
        one, other = (softmax(np.eye(2)[y] + random.normal(size=(300, 2))) for _ in range(2))
        found = compare(Judged(one, y, ("a", "b")), Judged(other, y, ("a", "b")), wanted=300)
        wrong += any(d.better for d in found.differences if d.metric == "accuracy")
    assert wrong <= 5


def test_a_temperature_is_found_and_divided_into_the_graph(tmp_path):
    linear = linear_graph(tmp_path / "linear.onnx")
    random = np.random.default_rng(0)
    y = random.integers(0, 10, 4000)
    scores = np.eye(10)[y] * 2 + random.normal(size=(4000, 10))
    honest = softmax(scores)
    for wrong in (0.25, 3.0):
        p = softmax(scores / wrong)
        found = fit_temperature(p, y)
        best = optimize.minimize_scalar(
            lambda t, p=p: -np.log(cooled(p, t)[np.arange(4000), y]).mean(),
            bounds=(0.05, 20), method="bounded",
        )  # fmt: skip
        assert found == pytest.approx(best.x, rel=1e-3)
        np.testing.assert_array_equal(cooled(p, found).argmax(1), p.argmax(1))
    assert cooled(honest, 1.0) == pytest.approx(honest)
    how = Classification("probabilities", tuple("0123456789"))
    cool(tmp_path / "linear.onnx", tmp_path / "cool.onnx", how, 2.5)
    runtime = OnnxRuntime()
    runtime.open(tmp_path / "cool.onnx")
    x = random.random((5, 28, 28), np.float32)
    np.testing.assert_allclose(
        runtime.predict({"image": x})["probabilities"], cooled(linear(x), 2.5), atol=1e-6
    )
    cool(tmp_path / "cool.onnx", tmp_path / "again.onnx", how, 2.0)
    runtime.open(tmp_path / "again.onnx")
    np.testing.assert_allclose(
        runtime.predict({"image": x})["probabilities"], cooled(linear(x), 5.0), atol=1e-6
    )
    with pytest.raises(InvalidInput, match="independent"):
        cool(tmp_path / "linear.onnx", tmp_path / "x.onnx",
             Classification("probabilities", ("a", "b"), "sigmoid"), 2.0)  # fmt: skip


def test_a_report_becomes_a_page_with_all_in_it():
    report = report_of(sliced(), by=["kind"])
    made = page.html("a <b> & c", report, compare(sliced(), sliced()))
    assert "a &lt;b&gt; &amp; c" in made
    assert "kind = b" in made
    assert made.count("data:image/png;base64,") == 6  # three pictures, light and dark
    assert "http://" not in made
    assert "https://" not in made
    assert "prefers-color-scheme: dark" in made
    text = page.markdown("title", report)
    assert "| accuracy |" in text
    assert "![score of each slice with its interval](slices.png)" in text
