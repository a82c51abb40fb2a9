"""How far explanations can be trusted: figures of those that are true, and of those that are not."""

from __future__ import annotations

import numpy as np
import pytest

from numen.explain.faithful import Rows, alike, deletion, stability

WEIGHTS = np.random.default_rng(0).normal(0, 1, 12)
GIVEN = np.random.default_rng(1).normal(0, 1, (6, 12))


def score(rows, _):
    return rows @ WEIGHTS


def rows(values):
    return Rows(GIVEN, values, None, np.zeros((1, 12)))


def test_what_is_named_first_by_a_true_explanation_takes_the_answer_with_it() -> None:
    true = deletion(score, rows(GIVEN * WEIGHTS))
    assert true["deletion"] < true["deletion_random"] - 0.2
    false = deletion(score, rows(-GIVEN * WEIGHTS))
    assert false["deletion"] > false["deletion_random"] + 0.2


def test_an_answer_that_hangs_on_nothing_tells_nothing() -> None:
    assert deletion(lambda made, _: np.ones(len(made)), rows(GIVEN)) == {}


def test_words_are_taken_out_of_the_text() -> None:
    texts = np.array([["a fine day"], ["so sad"], [""]], object)
    tokens = np.array([["a", "fine", "day"], ["so", "sad", ""], ["", "", ""]], object)
    seen = []

    def likes(made, row):
        seen.extend(made[:, 0])
        return np.array([("fine" in text) - ("sad" in text) for text in made[:, 0]], float)

    values = np.array([[0, 1, 0], [0, -1, 0], [0, 0, 0]], float)
    found = deletion(likes, Rows(texts, values, tokens, np.zeros((1, 1))))
    assert found["deletion"] == 0  # the first word that goes is the one
    assert {"a fine day", "", "a day", "so"} <= set(seen)


def test_of_one_number_there_is_nothing_between_all_and_nothing() -> None:
    one = Rows(np.ones((2, 1)), np.ones((2, 1)), None, np.zeros((1, 1)))
    assert deletion(lambda made, _: made[:, 0], one) == {"deletion": 1.0, "deletion_random": 1.0}


def test_explanations_of_one_direction_are_alike() -> None:
    values = GIVEN * WEIGHTS
    assert alike(values, 3 * values) == pytest.approx(1)
    assert alike(values, -values) == pytest.approx(-1)
    assert abs(alike(values, np.random.default_rng(2).normal(0, 1, values.shape))) < 0.5
    assert alike(values, 0 * values) == 1
    assert stability(lambda moved: moved * WEIGHTS, rows(values)) > 0.99
    noise = np.random.default_rng(3)
    assert stability(lambda moved: noise.normal(0, 1, moved.shape), rows(values)) < 0.7
