"""Importance, dependence, chosen columns and counterfactuals of real small models."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

import numen
from numen.core.bundle import CARD, Bundle
from numen.core.errors import InvalidInput, NotFound
from numen.explain.overall import IMPORTANCE, Overall
from parts import make_bundle
from train.kinds import columns, pictures

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("understanding")


@pytest.fixture(scope="module", autouse=True)
def home(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        yield


def write(path: Path, rows: int = 700) -> Path:
    """Income and debt decide a loan, a job helps, shoes and the day do not."""
    random = np.random.default_rng(0)
    lines = ["income,debt,job,shoes,day,loan"]
    for _ in range(rows):
        income, debt, shoes = (
            int(random.gamma(6, 500)),
            int(random.exponential(800)),
            random.integers(35, 48),
        )
        job = random.choice(["none", "part", "full"])
        day = f"2024-{random.integers(1, 13):02}-{random.integers(1, 28):02}"
        score = income - 2 * debt + 800 * ["none", "part", "full"].index(job) - 2200
        loan = "yes" if score + random.normal() * 300 > 0 else "no"
        lines.append(f"{income},{debt},{job},{shoes},{day},{loan}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def data(folder: Path) -> numen.Dataset:
    return numen.Dataset.open(write(folder / "loans.csv"))


@pytest.fixture(scope="module")
def model(data: numen.Dataset) -> numen.Model:
    return numen.train(data, "boosting", name="loans", epochs=80)


REFUSED = {"income": 2000, "debt": 1500, "job": "part", "shoes": 41, "day": "2024-05-05"}


def test_importance_finds_what_decides(model: numen.Model, data: numen.Dataset) -> None:
    heard = []
    found = model.importance(data.test, told=lambda place, name: heard.append((place, name)))
    worth = {each.column: each for each in found.columns}
    assert {each.column for each in found.columns[:3]} == {"income", "debt", "job"}
    assert all(worth[name].counts for name in ("income", "debt", "job"))
    assert abs(worth["shoes"].loss.mean) < 0.05 < worth["job"].loss.mean
    assert found.error == pytest.approx(1 - model.metrics["accuracy"])
    assert found.loss == pytest.approx(model.metrics["loss"], rel=1e-4)
    assert heard[0] == (0, "income")
    assert len(heard) == 5
    with pytest.raises(InvalidInput, match="at least 1"):
        model.importance(data.test, repeats=0)


def test_dependence_goes_the_way_it_should(model: numen.Model, data: numen.Dataset) -> None:
    curve = model.dependence(data.test, "income")
    assert curve.outputs == ("no", "yes")
    yes = [step[1] for step in curve.mean]
    assert yes[-1] > yes[0] + 0.3
    assert np.allclose(np.sum(curve.mean, 1), 1, atol=1e-5)
    assert model.dependence(data.test, "job").values == data.preprocess.columns[2].categories
    assert str(model.dependence(data.test, "day").values[0]).startswith("2024-")


def test_a_quantity_is_explained_as_well(data: numen.Dataset, folder: Path) -> None:
    text = (folder / "loans.csv").read_text().splitlines()
    (folder / "debts.csv").write_text("\n".join(line.rpartition(",")[0] for line in text))
    debts = numen.Dataset.open(folder / "debts.csv", target="income")
    model = numen.train(debts, "linear")
    assert model.importance(debts.test).error > 0.5
    curve = model.dependence(debts.test, "debt")
    assert curve.outputs == ("income",)
    row = {"debt": 100, "job": "full", "shoes": 40, "day": "2024-01-01"}
    now = float(model.predict(row)[0, 0])
    (first, *_) = model.counterfactual(row, (now + 50, None))
    assert first.answer["income"] > now + 50
    with pytest.raises(InvalidInput, match=r"a range \(low, high\), received \"yes\""):
        model.counterfactual(row, "yes")


def test_a_training_on_chosen_columns_says_so_and_takes_the_others(data: numen.Dataset) -> None:
    notes = []

    class Told:
        def begin(self, epochs, steps): ...
        def step(self, metrics): ...
        def epoch(self, number, metrics): ...
        def note(self, message):
            notes.append(message)

    model = numen.train(data, "forest", name="few", epochs=30, select=3, progress=Told())
    assert {column.name for column in model.manifest.preprocess.columns} == {
        "income",
        "debt",
        "job",
    }
    assert set(model.manifest.preprocess.ignored) >= {"shoes", "day", "loan"}
    assert model.manifest.recipe["select"] == 3
    assert model.classify(REFUSED)[0] == model.classify({**REFUSED, "shoes": 36})[0]
    assert any(note.startswith("accuracy 0.") and "kept aside" in note for note in notes)
    said = json.loads(model.bundle.file("selection.json").read_bytes())
    assert {each["column"] for each in said["chosen"]} == {"income", "debt", "job"}
    assert said["cost"]["rows"] == round(len(data.train) / 4)
    card = (model.bundle.path / "card.md").read_text()
    assert "## Columns chosen" in card
    assert "| income | 100% |" in card
    # It sees wider data as it has learnt to, and what is made of it keeps what it says of itself.
    assert model.evaluate(model.seeing(data).test).accuracy == model.metrics["accuracy"]
    made = numen.compress("few", prune=True, tolerance=0.2, data=data)
    assert "## Columns chosen" in (made.model.bundle.path / "card.md").read_text()
    assert (
        numen.train(data, "forest", epochs=30, select=3).bundle.digest
        == numen.load("few@1").bundle.digest
    )


def test_what_cannot_choose_says_so(data: numen.Dataset) -> None:
    with pytest.raises(InvalidInput, match="fewer than the 5 columns, received 5"):
        numen.train(data, "forest", select=5)
    with pytest.raises(InvalidInput, match="select"):
        numen.train(data, "forest", select=0)
    with pytest.raises(InvalidInput, match=r"select: .*has none, received 3"):
        numen.tune(data, "forest", select=3, trials=1)
    with pytest.raises(InvalidInput, match=r"select: .*has none, received 3"):
        numen.compress("loans", distill="forest", data=data, select=3)


def test_a_counterfactual_is_answered_so_and_keeps_to_what_is_allowed(model: numen.Model) -> None:
    assert model.classify(REFUSED)[0]["label"] == "no"
    found = model.counterfactual(REFUSED, "yes")
    assert 1 <= len(found) <= 3
    assert [each.distance + len(each.changes) for each in found] == sorted(
        each.distance + len(each.changes) for each in found
    )
    for each in found:
        changed = {change.column: change.after for change in each.changes}
        assert {change.column: change.before for change in each.changes}.items() <= REFUSED.items()
        now = model.classify({**REFUSED, **changed})[0]
        assert now["label"] == each.answer["label"] == "yes"
        assert now["probability"] == pytest.approx(each.answer["probability"])
        assert not {"shoes", "day"} & changed.keys()
        for value in changed.values():
            assert isinstance(value, str) or value == round(value)  # all numbers there are whole
    fixed = model.counterfactual(REFUSED, "yes", fix=["job", "debt"], most=1)
    assert [change.column for change in fixed[0].changes][:1] == ["income"]
    only = model.counterfactual(REFUSED, "yes", vary=["debt"], bounds={"debt": (0, None)}, most=2)
    assert [change.column for each in only for change in each.changes] == ["debt"]
    top = model.counterfactual(REFUSED, "yes", vary=["income"], bounds={"income": (2000, 20_000)})
    assert 2000 < top[0].changes[0].after <= 20_000


def test_a_missing_value_may_be_filled(model: numen.Model) -> None:
    row = {**REFUSED, "income": None}
    wanted = "yes" if model.classify(row)[0]["label"] == "no" else "no"
    found = model.counterfactual(row, wanted, vary=["income"])
    assert found[0].changes[0].before is None


def test_what_is_not_to_be_had_is_said(model: numen.Model, folder: Path) -> None:
    with pytest.raises(NotFound, match=r"no change of shoes .*allowed .* answer \"yes\""):
        model.counterfactual(REFUSED, "yes", vary=["shoes"])
    with pytest.raises(NotFound, match="income"):
        model.counterfactual(REFUSED, "yes", vary=["income"], bounds={"income": (1900, 2010)})
    refused = [
        ("no", {}, "answers so already"),
        ("maybe", {}, "expected one of no, yes"),
        ((1, 2), {}, "expected one of no, yes, received 1 to 2"),
        ("yes", {"vary": ["hat"]}, 'received "hat"'),
        ("yes", {"vary": ["day"]}, "dates and texts"),
        ("yes", {"bounds": {"job": (1, 2)}}, "is no number"),
        ("yes", {"bounds": {"debt": (5, 2)}}, "nothing lies between 5 and 2"),
        ("yes", {"vary": ["debt"], "fix": ["debt"]}, "received none"),
        ("yes", {"most": 0}, "at least 1"),
    ]
    for wanted, said, message in refused:
        with pytest.raises(InvalidInput, match=message):
            model.counterfactual(REFUSED, wanted, **said)
    pictures = numen.Model(make_bundle(folder / "b"))
    with pytest.raises(InvalidInput, match="table"):
        pictures.counterfactual(REFUSED, "1")
    digits = numen.Dataset.open("mnist").test.take(range(5))
    with pytest.raises(InvalidInput, match="table"):
        pictures.importance(digits)
    with pytest.raises(InvalidInput, match="table"):
        pictures.dependence(digits, "image")


def test_a_model_that_numen_did_not_train_is_asked_as_well(
    model: numen.Model, folder: Path
) -> None:
    # Without what was counted of the training rows, the recorded rows say what is usual.
    files = {
        file.path: model.bundle.file(file.path).read_bytes()
        for file in model.manifest.files if file.path not in ("reference.json", "card.md")
    }  # fmt: skip
    import msgspec

    bare = msgspec.structs.replace(model.manifest, files=())
    other = numen.Model(Bundle.write(folder / "bare", bare, files))
    found = other.counterfactual(REFUSED, "yes")
    assert found[0].answer["label"] == "yes"


def test_an_order_is_not_shuffled(folder: Path) -> None:
    random = np.random.default_rng(0)
    rows = [
        f"{q},{x:.3f},{int(x > 0) + int(x > 1)}" for q in range(40) for x in random.normal(size=6)
    ]
    (folder / "found.csv").write_text("query,price,grade\n" + "\n".join(rows))
    data = numen.Dataset.open(
        folder / "found.csv", target="grade", group="query", columns={"grade": "number"}
    )
    model = numen.train(data, "boosting", loss="lambdarank", epochs=10)
    with pytest.raises(InvalidInput, match="received one of an order"):
        model.importance(data.test)
    with pytest.raises(InvalidInput, match="of an order"):
        numen.train(data, "boosting", loss="lambdarank", select=1)


def test_rows_like_one_are_found_among_those_answered_alike(
    model: numen.Model, data: numen.Dataset
) -> None:
    found = model.alike(data.train, REFUSED)
    assert len(found) == 3
    assert [each.distance for each in found] == sorted(each.distance for each in found)
    assert all(each.answer["label"] == "no" for each in found)
    rows = data.train.arrays().inputs["features"]
    first = found[0]
    assert first.fields["income"] == rows[first.row, 0]
    assert first.fields["job"] in ("none", "part", "full")
    assert "day" not in first.fields
    assert {each.truth for each in found} <= {"yes", "no"}
    itself = model.alike(data.train, {**first.fields, "day": None}, most=1)[0]
    assert (itself.row, itself.distance) == (first.row, 1.0)  # but for the day, which was not said


def test_of_many_rows_some_are_looked_at_and_named_by_their_place(
    model: numen.Model, data: numen.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numen.api.overall.MOST_ROWS", 50)
    assert model.importance(data.train).rows == 50
    (first, *_) = model.alike(data.train, REFUSED)
    assert first.row > 50
    assert first.fields["debt"] == data.train.arrays().inputs["features"][first.row, 1]


def test_distances_are_gowers() -> None:
    from numen.core.manifest import Column
    from numen.explain.nearest import distances

    columns = [Column("a"), Column("b", categories=("x", "y")), Column("c")]
    rows = np.array([[0, 0, 1], [4, 1, np.nan], [0, 1, 1], [4, 0, np.nan]], np.float32)
    row = np.array([1, 0, np.nan], np.float32)
    assert np.allclose(distances(rows, row, columns), [0.5 + 0 + 1, 1.5 + 1 + 0, 0.5 + 1 + 1, 1.5])


def test_a_training_keeps_what_columns_are_worth(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    model = numen.train(columns(tmp_path), "boosting")
    whole = msgspec.json.decode(model.bundle.file(IMPORTANCE).read_bytes(), type=Overall)
    assert {each.column for each in whole.columns} == {"a", "b", "kind"}
    assert whole.columns[-1].column == "kind"  # it says nothing
    assert "## What it goes by" in model.bundle.file(CARD).read_text()
    pixels = numen.train(pictures(tmp_path / "p"), "mlp", epochs=1)
    with pytest.raises(NotFound):
        pixels.bundle.file(IMPORTANCE)
