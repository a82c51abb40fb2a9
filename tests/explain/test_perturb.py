"""Attributions by perturbing: the definition itself, on small games; what is switched off, and how."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest

from numen.core.errors import CorruptBundle
from numen.core.manifest import AudioInput, Column, ColumnsInput, ImageInput, WindowInput
from numen.explain.perturb import METHODS, Numbers, Plan, Words
from numen.explain.perturb.kernel import _pairs
from numen.explain.perturb.planning import plans
from numen.explain.perturb.players import groups_of


def game(players: int, seed: int = 0, games: tuple[int, ...] = ()):
    """Any game: a number for each set."""
    worth = np.random.default_rng(seed).normal(size=(1 << players, *games))
    powers = 1 << np.arange(players)
    return lambda sets: worth[sets @ powers]


def by_definition(value, players: int) -> np.ndarray:
    found = []
    for player in range(players):
        rest = [other for other in range(players) if other != player]
        total = 0.0
        for size in range(players):
            weight = math.factorial(size) * math.factorial(players - size - 1)
            for known in itertools.combinations(rest, size):
                sets = np.zeros((2, players), bool)
                sets[:, list(known)] = True
                sets[0, player] = True
                with_it, without = value(sets)
                total = total + weight / math.factorial(players) * (with_it - without)
        found.append(total)
    return np.array(found)


@pytest.mark.parametrize("players", range(1, 9))
def test_kernel_shap_is_the_definition_where_all_sets_are_asked(players) -> None:
    value = game(players, players, (3,))
    made = METHODS["kernel-shap"](value, players, 1 << players)
    assert made.evaluations == 1 << players
    np.testing.assert_allclose(made.values, by_definition(value, players), atol=1e-10)
    assert (made.errors == 0).all()
    np.testing.assert_allclose(made.values.sum(0), made.everything - made.nothing, atol=1e-12)


def test_of_many_players_all_sets_are_asked_where_they_may_be() -> None:
    for players in range(2, 13):
        pairs = _pairs(players, (1 << players) // 2 - 1, 0)
        sets = np.concatenate([pairs.sets, ~pairs.sets])
        assert len(np.unique(sets, axis=0)) == len(sets) == (1 << players) - 2


@pytest.mark.parametrize(
    ("method", "players", "evaluations"),
    [
        ("kernel-shap", 7, 60), ("kernel-shap", 8, 100), ("kernel-shap", 8, 200),
        ("permutation", 7, 300), ("permutation", 8, 600),
    ],
)  # fmt: skip
def test_sampled_values_are_within_their_errors_of_the_definition(
    method, players, evaluations
) -> None:
    far = []
    for seed in range(40):
        value = game(players, seed)
        made = METHODS[method](value, players, evaluations, seed=seed)
        assert made.evaluations <= evaluations
        assert made.values.sum() == pytest.approx(made.everything - made.nothing, abs=1e-12)
        far += list((made.values - by_definition(value, players)) / made.errors)
    assert (np.abs(far) < 4).mean() > 0.98
    assert 0.7 < np.std(far) < 1.4


@pytest.mark.parametrize("evaluations", [0, 120, 240, 1200])
def test_errors_are_honest_of_many_players_and_few_draws(evaluations) -> None:
    players, far = 30, []
    for seed in range(30):
        random = np.random.default_rng(seed)
        threes = np.array([random.choice(players, 3, replace=False) for _ in range(90)])
        worth = random.normal(size=90)
        wanted = np.bincount(threes.reshape(-1), np.repeat(worth / 3, 3), players)
        made = METHODS["kernel-shap"](
            lambda sets, t=threes, w=worth: sets[:, t].all(2) @ w, players, evaluations, seed=seed
        )
        far += list((made.values - wanted) / made.errors)
    assert 0.7 < np.std(far) < 1.3
    assert (np.abs(far) < 4).mean() > 0.98


@pytest.mark.parametrize("method", ["kernel-shap", "permutation"])
def test_the_least_that_is_asked_adds_up_too(method) -> None:
    for players in (4, 9, 20):
        value = game(players)
        made = METHODS[method](value, players, 0)
        assert made.evaluations <= 4 * players + 20
        assert made.values.sum() == pytest.approx(made.everything - made.nothing, abs=1e-12)
        assert np.isfinite(made.errors).all()


@pytest.mark.parametrize("method", ["kernel-shap", "permutation", "rise"])
def test_more_evaluations_come_nearer_and_say_so(method) -> None:
    value = game(12, 5)
    errors = [METHODS[method](value, 12, count).errors.mean() for count in (200, 800, 3200)]
    assert errors[0] > errors[1] * 1.5
    assert errors[1] > errors[2] * 1.5


def test_they_answer_when_the_time_is_over() -> None:
    value = game(12, 5)

    def slow(sets):
        time.sleep(0.01)
        return value(sets)

    for method in ("kernel-shap", "permutation", "rise"):
        made = METHODS[method](slow, 12, 3000, seconds=0.0)
        whole = METHODS[method](value, 12, 3000)
        assert made.evaluations < whole.evaluations
        assert np.isfinite(made.values).all()


def test_the_same_seed_draws_the_same() -> None:
    value = game(12, 5)
    for method in METHODS.values():
        one, other = (method(value, 12, 300, seed=3) for _ in range(2))
        np.testing.assert_array_equal(one.values, other.values)
    drawn = [METHODS["kernel-shap"](value, 12, 300, seed=n).values for n in range(2)]
    assert np.abs(drawn[0] - drawn[1]).max() > 0


def test_rise_is_how_far_sets_that_a_player_is_in_are_above_the_mean() -> None:
    value = game(6, 2)
    made = METHODS["rise"](value, 6, 20_000)
    sets = np.array(list(itertools.product([False, True], repeat=6)))
    wanted = np.array([value(sets[sets[:, n]]).mean() for n in range(6)]) - value(sets).mean()
    assert (np.abs(made.values - wanted) < 4 * made.errors).all()


def linear(players: Numbers, row, weights):
    def value(sets):
        return (players.apply(row[None], sets)[0] @ weights).mean(1)

    return value


def test_of_a_linear_function_a_column_is_worth_its_distance_from_the_mean() -> None:
    random = np.random.default_rng(1)
    background, row, weights = random.normal(size=(9, 6)), random.normal(size=6), np.arange(6.0)
    players = Numbers(np.arange(6), background)
    wanted = weights * (row - background.mean(0))
    for method, evaluations in (("kernel-shap", 64), ("kernel-shap", 20), ("permutation", 50),
                                ("occlusion", 0)):  # fmt: skip
        made = METHODS[method](linear(players, row, weights), 6, evaluations)
        np.testing.assert_allclose(made.values, wanted, atol=1e-12)
        np.testing.assert_allclose(made.errors, 0, atol=1e-7)
        assert made.nothing == pytest.approx((background @ weights).mean())


def test_occlusion_is_what_is_lost_without_a_player() -> None:
    value = game(5, 4)
    made = METHODS["occlusion"](value, 5, 0)
    assert made.evaluations == 7
    for player in range(5):
        without = np.ones((1, 5), bool)
        without[0, player] = False
        assert made.values[player] == value(np.ones((1, 5), bool))[0] - value(without)[0]


def test_a_column_is_one_player_however_many_numbers_it_is() -> None:
    columns = (Column("a"), Column("when", date="ymd"), Column("said", words=4), Column("b"))
    groups = groups_of((11,), ColumnsInput("x", columns))
    assert groups.tolist() == [0] + [1] * 5 + [2] * 4 + [3]
    few = groups_of((2, 11), WindowInput("x", columns, 2))
    assert few[1].tolist() == [4] + [5] * 5 + [6] * 4 + [7]
    many = groups_of((20, 11), WindowInput("x", columns, 20))
    assert (many == groups).all()
    players = Numbers(groups, np.zeros((1, 11)))
    spread = players.spread(np.array([[1.0], [10.0], [8.0], [3.0]]))
    np.testing.assert_allclose(spread, [[1] + [2] * 5 + [2] * 4 + [3]])


@pytest.mark.parametrize(
    ("shape", "how", "count"),
    [
        ((28, 28), ImageInput("x", 28, 28), 49),
        ((3, 30, 20), ImageInput("x", 30, 20, 3, "chw"), 49),
        ((30, 20, 3), ImageInput("x", 30, 20, 3, "hwc"), 49),
        ((5, 9), None, 35),
        ((4000,), AudioInput("x", 8000, 4000), 32),
        ((9,), None, 9),
        ((5000,), None, 128),
    ],
)
def test_parts_are_connected_and_of_about_the_same_size(shape, how, count) -> None:
    groups = groups_of(shape, how)
    assert groups.shape == shape
    sizes = np.bincount(groups.reshape(-1))
    assert len(sizes) == count
    assert sizes.max() <= 2 * sizes.min() + 5
    if how is not None and len(shape) == 3:  # all channels go together
        axis = 0 if how.layout == "chw" else 2
        assert (groups.min(axis) == groups.max(axis)).all()


def test_words_are_left_out_and_nothing_else_changes() -> None:
    text = "  it was\nGreat, really\t"
    words = Words(text)
    assert words.words == ["it", "was", "Great,", "really"]
    sets = np.array([[True] * 4, [False] * 4, [True, False, True, False]])
    made = words.apply(np.array([[text]], object), sets)
    assert made[0, :, 0, 0].tolist() == [text, "  ", "  it Great, "]
    np.testing.assert_array_equal(words.spread(np.arange(4.0)[:, None]), [[0, 1, 2, 3]])
    long = Words(" ".join(f"w{n}" for n in range(200)))
    assert (long.count, len(long.words)) == (64, 200)
    np.testing.assert_allclose(long.spread(np.ones((64, 1))).sum(), 64)
    assert Words("これはペン").words == list("これはペン")
    assert (Words("").count, Words(" ").words) == (0, [])


def test_absent_numbers_are_as_in_the_background() -> None:
    groups = np.array([0, 0, 1])
    players = Numbers(groups, np.array([[7.0, 8, 9], [17, 18, 19]]))
    made = players.apply(np.array([[1.0, 2, 3]]), np.array([[True, False], [False, True]]))
    assert made.tolist() == [[[[1, 2, 9], [1, 2, 19]], [[7, 8, 3], [17, 18, 3]]]]


def test_plans_travel_as_plain_arrays(tmp_path) -> None:
    samples = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    samples[:, 2] = [3] * 9 + [1] * 7
    samples[0, 0] = np.nan
    exact, quick = plans(None, samples, 100)
    file = tmp_path / "perturb.kernel-shap.npz"
    file.write_bytes(exact.pack())
    again = Plan.load(file)
    assert (again.method, again.evaluations) == ("kernel-shap", 64)
    np.testing.assert_array_equal(again.background, samples)
    assert quick.background[0, 2] == 3  # there is nothing between categories
    np.testing.assert_allclose(quick.background[0, :2], np.nanmean(samples[:, :2], 0), rtol=1e-6)
    file.write_bytes(exact.pack()[:-30])
    with pytest.raises(CorruptBundle):
        Plan.load(file)
    for wrong in (
        Plan("magic", 1, exact.groups, exact.background),
        Plan("occlusion", 1, exact.groups, exact.background[:0]),
        Plan("occlusion", 1, exact.groups + 1, exact.background),
    ):
        file.write_bytes(wrong.pack())
        with pytest.raises(CorruptBundle):
            Plan.load(file)


def test_large_models_are_asked_less() -> None:
    samples = np.zeros((16, 12), np.float32)
    asked = []
    for size in (100, 20_000, 1_000_000, 1 << 40):
        exact, _ = plans(None, samples, size)
        asked.append((exact.evaluations, len(exact.background)))
    assert asked == sorted(asked, reverse=True)
    assert asked[0] == (2048, 16)
    assert asked[-1] == (64, 1)


def test_of_texts_enough_is_asked_for_a_sentence() -> None:
    texts = np.array([["so it is"]], object)
    for size, sets in ((1000, 1024), (1 << 40, 256)):
        exact, quick = plans(None, texts, size)
        assert (exact.texts, exact.evaluations) == (True, sets)
        assert quick.method == "occlusion"
