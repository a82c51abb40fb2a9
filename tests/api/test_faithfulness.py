"""How far explanations of digits can be trusted: measured at publishing, and on many rows."""

from __future__ import annotations

import numpy as np
import pytest

import numen
from numen.core.bundle import CARD
from numen.explain.faithful import Rows, deletion
from train.kinds import text


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(tmp_path_factory.mktemp("home")))
        yield numen.train("sample:mnist", "mlp", epochs=1)


def test_it_is_measured_at_publishing_and_stands_in_the_card(digits) -> None:
    found = digits.bundle.explanation().manifest.metrics
    assert found.keys() == {"deletion", "deletion_random", "stability", "randomised"}
    assert found["deletion"] < 0.1 < 0.5 < found["deletion_random"]
    assert found["stability"] > 0.99
    assert abs(found["randomised"]) < 0.3  # what was learnt is gone with the weights
    card = digits.bundle.file(CARD).read_text()
    assert "## Explanation" in card
    assert "Method: integrated-gradients" in card


def test_integrated_gradients_name_better_than_slopes_and_these_than_chance(digits) -> None:
    batch = next(iter(numen.Dataset.open("sample:mnist").test.batches(64)))
    given = digits.given(batch)
    (name,) = given
    areas = {}
    for method in ("integrated-gradients", "saliency"):
        why = digits.explain(given, method)
        best = why.outputs["probabilities"].argmax(1)

        def score(rows, row, best=best):
            return digits.runtime.predict({name: rows})["probabilities"][:, best[row]]

        rows = Rows(given[name], why.values, None, np.zeros((1, 28, 28)))
        areas[method] = deletion(score, rows)
    ours, slopes = areas["integrated-gradients"], areas["saliency"]
    assert ours["deletion"] < slopes["deletion"] < slopes["deletion_random"]


def test_of_texts_words_are_taken_away(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    model = numen.train(text(tmp_path), "text-cnn", epochs=3)
    found = model.bundle.explanation().manifest.metrics
    assert found["deletion"] < found["deletion_random"]
    assert "stability" not in found
