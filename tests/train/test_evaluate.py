"""The figures of an evaluation against scikit-learn's, and its pictures."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

from numen.core.errors import InvalidInput
from numen.data.dataset import Batch
from numen.train.evaluate import evaluate, plots


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
    assert set(report.metrics) == {"loss", "mae", "rmse", "r2"}
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
