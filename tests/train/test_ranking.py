"""Learning an order: figures against scikit-learn's, both libraries, refusals, the whole journey."""

from __future__ import annotations

from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime
import pytest
import xgboost
from quiet import Quiet
from sklearn.metrics import ndcg_score
from test_trainer_contract import Told

import numen
from numen.core.errors import InvalidInput
from numen.core.manifest import Regression
from numen.data.dataset import Dataset
from numen.data.reading import Reading
from numen.train.base import Run
from numen.train.evaluate import Judged, compare, report_of
from numen.train.evaluate.ranking import RankingFigures
from numen.train.find import exporter_for, trainer_for
from numen.train.keras.grouped import Grouped
from numen.train.ranking import groups_to_judge, ordered
from numen.train.recipe import Recipe, make

LIBRARIES = ["boosting", "xgboost"]


def write_searches(path: Path, queries: int = 150) -> Path:
    """Rows of searches, graded by what is said of them within their search, in no order."""
    random = np.random.default_rng(4)
    lines = []
    for query in range(queries):
        count = int(random.integers(4, 16))
        x = random.normal(size=(count, 4))
        x[:, 3] += random.normal() * 5  # alike for all rows of a search: it tells nothing of them
        worth = 1.5 * x[:, 0] - x[:, 1] * (x[:, 2] > 0) + 0.2 * random.normal(size=count)
        grades = np.digitize(worth, [-0.5, 0.5, 1.5])
        lines += [
            ",".join([f"q{query}", *(f"{value:.4f}" for value in row), str(grade)])
            for row, grade in zip(x, grades, strict=True)
        ]
    order = random.permutation(len(lines))
    path.write_text("\n".join(["query,a,b,c,d,grade", *(lines[place] for place in order)]))
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranking")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        yield folder


@pytest.fixture(scope="module")
def searches(home):
    return Dataset.open(
        write_searches(home / "searches.csv"), target="grade", group="query",
        columns={"grade": "number"},
    )  # fmt: skip


def fit(data, folder, family, *, told=None, resume=False, **more):
    recipe = make({"family": family, "loss": "lambdarank", "epochs": 25, "seed": 3, **more})
    return trainer_for(recipe).fit(data, recipe, Run(folder, told or Quiet(), resume))


def scores_of(trained, split):
    batch = split.arrays()
    return trained.predict(batch.inputs)["value"], batch


@pytest.mark.parametrize("family", LIBRARIES)
def test_an_order_is_learnt_and_exported(searches, family, tmp_path):
    trained = fit(searches, tmp_path, family)
    assert trained.postprocess == Regression("value", "grade")
    test = searches.test
    scores, batch = scores_of(trained, test)
    learnt = RankingFigures(scores, test.target, test.group)()
    chance = np.random.default_rng(0).random(scores.shape)
    drawn = RankingFigures(chance, test.target, test.group)()
    assert learnt["ndcg5"] > 0.9 > 0.75 > drawn["ndcg5"]
    assert learnt["ndcg10"] > 0.9
    assert learnt["mrr"] > drawn["mrr"]
    trained.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    (received,) = session.run(None, batch.inputs)
    np.testing.assert_allclose(received, scores, atol=trained.tolerance)


@pytest.mark.parametrize("family", LIBRARIES)
def test_rows_kept_aside_are_whole_groups_and_stop_it(searches, family, tmp_path):
    trained = fit(searches, tmp_path, family, patience=3, epochs=300, learning_rate=0.5)
    assert trained.stopped == "early"
    assert {"loss", "ndcg5", "ndcg10", "val_loss", "val_ndcg5", "val_ndcg10"} == set(
        trained.history[-1]
    )
    last = trained.history[-1]
    assert last["val_loss"] == pytest.approx(1 - last["val_ndcg10"])
    # What the library says of a round is what numen says of the model: no group is torn apart.
    whole = fit(searches, tmp_path / "whole", family, epochs=5)
    train = searches.train
    figures = RankingFigures(scores_of(whole, train)[0], train.target, train.group)
    assert not figures.left_out
    assert whole.history[-1]["ndcg5"] == pytest.approx(figures()["ndcg5"], abs=2e-3)


@pytest.mark.parametrize("family", LIBRARIES)
def test_it_goes_on_where_it_was_stopped(searches, family, tmp_path):
    more = {"params": {"subsample": 0.6}} if family == "xgboost" else {}
    fit(searches, tmp_path / "broken", family, told=Told(stop_at=9), **more)
    resumed = fit(searches, tmp_path / "broken", family, resume=True, **more)
    whole = fit(searches, tmp_path / "whole", family, **more)
    expected, received = (scores_of(each, searches.test)[0] for each in (whole, resumed))
    np.testing.assert_allclose(received, expected, atol=1e-5)


def test_a_network_compares_rows_of_one_group(searches, tmp_path):
    recipe = make(
        {"family": "mlp", "loss": "pairwise_logistic", "epochs": 30, "seed": 3, "validation": 0.2}
    )
    trained = trainer_for(recipe).fit(searches, recipe, Run(tmp_path, Quiet()))
    test = searches.test
    scores, _ = scores_of(trained, test)
    assert groups_to_judge(recipe.loss, test) is not None
    assert RankingFigures(scores, test.target, test.group)()["ndcg10"] > 0.9
    assert trained.history[-1]["val_loss"] < trained.history[0]["val_loss"]


def test_groups_come_together_in_the_order_of_the_seed(searches):
    rows = Grouped(searches.train)
    whole = rows.arrays(1 << 30)
    grade, number = whole.target.T
    assert (np.diff(number) >= 0).all()
    np.testing.assert_array_equal(np.sort(grade), np.sort(searches.train.target))
    for seed in (1, 2):
        places = rows.places(seed)
        assert sorted(places) == list(range(len(rows)))
        turns = number[places]
        assert (np.diff(turns) != 0).sum() == number.max()  # each group in one piece
        batches = list(rows.batches(16, seed=seed))
        np.testing.assert_array_equal(
            np.concatenate([batch.target for batch in batches]), whole.target[places]
        )
        given = np.concatenate([batch.inputs["features"] for batch in batches])
        np.testing.assert_array_equal(given, whole.inputs["features"][places])
    assert not np.array_equal(rows.places(1), rows.places(2))


def test_figures_are_scikit_learns_where_no_scores_are_alike():
    random = np.random.default_rng(1)
    group = random.integers(0, 40, 500)
    grades = random.integers(0, 4, 500).astype("float32")
    scores = random.normal(size=500)
    found = RankingFigures(scores, grades, group)()
    parts = [group == g for g in range(40)]
    for k in (5, 10):
        each = [ndcg_score([2.0 ** grades[p] - 1], [scores[p]], k=k) for p in parts]
        assert found[f"ndcg{k}"] == pytest.approx(np.mean(each))
    firsts = [np.argmax(grades[p][np.argsort(-scores[p])] > 0) + 1 for p in parts]
    assert found["mrr"] == pytest.approx(np.mean(1 / np.array(firsts)))
    assert found["loss"] == pytest.approx(1 - found["ndcg10"])


def test_rows_of_one_score_stand_as_chance_has_it():
    group = np.repeat(np.arange(2_000), 4)
    grades = np.tile([3.0, 0, 0, 0], 2_000)  # the best one is always stored first
    found = RankingFigures(np.zeros(8_000), grades, group)()
    assert found["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, abs=0.03)


def test_groups_are_drawn_whole_and_those_of_one_grade_left_out(searches):
    test = searches.test
    output = np.random.default_rng(0).normal(size=(len(test), 1))
    alike = np.array([0, 0], dtype="float32")
    judged = Judged(
        np.concatenate([output, [[1], [0]]]),
        np.concatenate([test.target, alike]),
        None,
        group=np.concatenate([test.group, [-1, -1]]),
    )
    report = report_of(judged, target="grade")
    groups = len(np.unique(test.group))
    assert f"bootstrap over {groups} groups" in report.method
    assert "1 groups of one grade are left out" in report.method
    assert report.rows == len(test) + 2
    each = RankingFigures(output, test.target, test.group).ndcg[10]
    half = 1.96 * each.std() / groups**0.5
    interval = report.intervals["ndcg10"]
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.2)
    assert (report.mae, report.slices) == (None, ())
    with pytest.raises(InvalidInput, match="whole groups"):
        report_of(judged, by=["a"])
    with pytest.raises(InvalidInput, match="no order can be judged"):
        report_of(Judged(np.zeros((2, 1)), alike, None, group=np.zeros(2)))


def test_two_orders_are_compared_group_by_group(searches):
    test = searches.test
    noise = np.random.default_rng(0).normal(size=(2, len(test), 1))
    good = Judged(test.target[:, None] + noise[0], test.target, None, group=test.group)
    bad = Judged(noise[1], test.target, None, group=test.group)
    found = {d.metric: d for d in compare(bad, good).differences}
    assert found["ndcg10"].better == "second"
    assert found["loss"].better == "second"
    with pytest.raises(InvalidInput, match="orders rows"):
        compare(bad, Judged(noise[0], test.target, None))


@pytest.mark.parametrize("kind", [lightgbm.LGBMRanker, xgboost.XGBRanker])
def test_a_users_own_ranker_is_exported_as_it_is(searches, kind, tmp_path):
    rows, sizes = ordered(searches.train)
    x = rows.arrays().inputs["features"]
    ranker = kind(n_estimators=5).fit(x, rows.target.astype(int), group=sizes)
    trained = exporter_for(ranker).wrap(ranker, x[:8])
    trained.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    (received,) = session.run(None, {"input": x})
    np.testing.assert_allclose(received[:, 0], ranker.predict(x), atol=1e-4)


REFUSED = {
    "classes": ({}, ["x", "y"], "taken for 2 classes"),
    "no group": ({"group": ""}, [0, 3, 1], "expected groups"),
    "below 0": ({}, [0, -1, 2], "received -1"),
    "not whole": ({}, [0, 1.5, 2], "received 1.5"),
    "too high": ({}, [0, 31, 2], "received 31"),
}


@pytest.mark.parametrize("family", LIBRARIES)
@pytest.mark.parametrize("case", REFUSED)
def test_pairs_that_cannot_learn_are_refused(family, case, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    said, values, message = REFUSED[case]
    lines = [f"{n // 5},{n * 7 % 11},{values[n % len(values)]}" for n in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["q,a,goal", *lines]))
    columns = {} if case == "classes" else {"goal": "number"}
    reading = {"target": "goal", "group": "q", "columns": columns, **said}
    data = Dataset.open(tmp_path / "t.csv", **reading)
    with pytest.raises(InvalidInput, match=message):
        fit(data, tmp_path / "run", family)


def test_a_group_over_lightgbms_bound_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    lines = [f"{n % 2},{n % 13},{n % 3}" for n in range(20_102)]
    (tmp_path / "t.csv").write_text("\n".join(["q,a,goal", *lines]))
    data = Dataset.open(tmp_path / "t.csv", target="goal", group="q", columns={"goal": "number"})
    with pytest.raises(InvalidInput, match=r"at most 10000 rows, received one of 10051"):
        fit(data, tmp_path / "run", "boosting")


@pytest.mark.parametrize("family", ["forest", "linear", "mlp"])
def test_families_that_learn_no_order_say_so(searches, family, tmp_path):
    with pytest.raises(InvalidInput, match="loss"):
        fit(searches, tmp_path, family)


@pytest.fixture(scope="module")
def model(home):
    """Trained from the file: that its grades are numbers goes without saying."""
    write_searches(home / "journey.csv")
    recipe = Recipe(
        family="boosting", loss="lambdarank", epochs=20, seed=3, data=str(home / "journey.csv"),
        read=Reading(target="grade", group="query"),
    )  # fmt: skip
    return numen.train(recipe=recipe, name="searches")


def test_the_whole_journey(home, model, searches):
    assert set(model.metrics) == {"loss", "ndcg5", "ndcg10", "mrr"}
    assert model.metrics["ndcg10"] > 0.9
    asked = [{"a": a, "b": 0, "c": 0, "d": 1} for a in (2, -2)]
    scores = model.predict(asked)
    assert scores[0, 0] > scores[1, 0]
    assert [list(said) for said in model.classify(asked)] == [["grade"], ["grade"]]
    again = model.evaluate(model.seeing(searches).test)
    assert again.metrics == pytest.approx(dict(model.metrics))
    assert "groups" in again.method
    bare = Dataset.open(home / "journey.csv", target="grade", columns={"grade": "number"})
    with pytest.raises(InvalidInput, match="expected groups"):
        model.evaluate(model.seeing(bare).test)
