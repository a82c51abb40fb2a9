"""The family `words`: what it learns, what its export says, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quiet import Quiet

from numen.core.errors import InvalidInput
from numen.core.manifest import Classification, Regression
from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.find import trainer_for, usual_family
from numen.train.recipe import make

THINGS = {
    "food": ["soup", "bread", "cheese", "fresh", "tasty", "pasta"],
    "film": ["plot", "actor", "scene", "camera", "script", "acting"],
    "game": ["level", "boss", "quest", "player", "board", "dice"],
}


def opinions(path: Path, kinds: list[str], rows: int = 240, stars: bool = False) -> Path:
    random = np.random.default_rng(3)
    found = []
    for n in range(rows):
        kind = kinds[n % len(kinds)]
        words = [*random.choice(THINGS[kind], 3), *random.choice(["the", "a", "was", "my"], 4)]
        text = " ".join(random.permutation(words)) + f" – né {n}"
        found.append({"text": text, "label": float(len(kind) * 10 + n % 3) if stars else kind})
    path.write_text("\n".join(json.dumps(row) for row in found))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        return {
            "two": Dataset.open(opinions(folder / "two.jsonl", ["food", "film"])),
            "three": Dataset.open(opinions(folder / "three.jsonl", [*THINGS])),
            "stars": Dataset.open(opinions(folder / "stars.jsonl", ["food", "game"], stars=True)),
        }


def fit(data, folder, **more):
    recipe = make({"family": "words", **more})
    return trainer_for(recipe).fit(data, recipe, Run(folder, Quiet()))


def session_of(trained, folder):
    trained.export(folder / "model.onnx")
    return onnxruntime.InferenceSession(str(folder / "model.onnx"))


@pytest.mark.parametrize("kind", ["two", "three"])
@pytest.mark.parametrize("params", [{}, {"characters": 0}, {"words": 0}])
def test_learns_classes_and_exports_what_it_says(data, kind, params, tmp_path):
    chosen = data[kind]
    trained = fit(chosen, tmp_path, params=params, validation=0.2)
    assert trained.history[0]["val_accuracy"] > 0.9
    assert isinstance(trained.postprocess, Classification)
    batch = chosen.test.arrays()
    (received,) = session_of(trained, tmp_path).run(None, batch.inputs)
    expected = trained.predict(batch.inputs)["probabilities"]
    np.testing.assert_allclose(received, expected, atol=1e-5)
    np.testing.assert_allclose(received.sum(axis=1), 1, atol=1e-5)
    assert (received.argmax(axis=1) == batch.target).mean() > 0.9


def test_learns_quantities(data, tmp_path):
    chosen = data["stars"]
    trained = fit(chosen, tmp_path, validation=0.1)
    assert trained.postprocess == Regression("value", "label")
    batch = chosen.test.arrays()
    (received,) = session_of(trained, tmp_path).run(None, batch.inputs)
    expected = trained.predict(batch.inputs)["value"]
    np.testing.assert_allclose(received, expected, atol=trained.tolerance)
    assert np.abs(received[:, 0] - batch.target).mean() < 5


@pytest.fixture(scope="module")
def both(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    trained = fit(data["three"], folder)
    return trained, session_of(trained, folder)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.one_of(st.text(), st.sampled_from(["", "soup soup plot", "NÉ né Né"])), min_size=1)
)
def test_the_export_agrees_on_any_text(both, texts):
    trained, session = both
    x = np.empty((len(texts), 1), object)
    x[:, 0] = texts
    (received,) = session.run(None, {"text": x})
    np.testing.assert_allclose(received, trained.predict({"text": x})["probabilities"], atol=1e-5)


def test_a_text_is_judged_alone_as_among_others(both):
    _, session = both
    x = np.array([["soup"], [""], ["the plot " * 400], ["boss"]], object)
    (together,) = session.run(None, {"text": x})
    alone = np.concatenate([session.run(None, {"text": row[None]})[0] for row in x])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_classes_may_weigh_differently(data, tmp_path):
    x = np.array([["the a was my"]], object)
    plain, heavy = (
        fit(data["two"], tmp_path, **more).predict({"text": x})["probabilities"][0]
        for more in ({}, {"class_weight": {"film": 50.0}})
    )
    film = data["two"].labels.index("film")
    assert heavy[film] > plain[film] + 0.1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"epochs": 3}, "epochs: family"),
        ({"optimizer": "adam"}, "optimizer: family"),
        ({"params": {"words": 0, "characters": 0}}, "expected words or characters"),
        ({"params": {"words": 4}}, "words"),
        ({"class_weight": {"soup": 2.0}}, '"soup" is no class'),
    ],
)
def test_refusals(data, more, message, tmp_path):
    with pytest.raises(InvalidInput, match=message):
        fit(data["two"], tmp_path, **more)


@pytest.mark.parametrize("family", ["mlp", "cnn", "forest", "linear", "boosting"])
def test_families_of_numbers_refuse_texts(data, family, tmp_path):
    recipe = make({"family": family})
    with pytest.raises(InvalidInput, match=r"expected (numbers|pictures), received"):
        trainer_for(recipe).fit(data["two"], recipe, Run(tmp_path, Quiet()))


def test_families_of_texts_refuse_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(20)))
    table = Dataset.open(tmp_path / "a.csv")
    for family in ("words", "text-cnn", "gru", "transformer"):
        recipe = make({"family": family})
        with pytest.raises(InvalidInput, match="expected texts, received"):
            trainer_for(recipe).fit(table, recipe, Run(tmp_path, Quiet()))


def test_texts_get_words_where_nobody_says(data):
    assert usual_family(data["two"].preprocess) == "words"


def test_a_network_takes_long_and_empty_texts(data, tmp_path):
    chosen = data["two"]
    params = {"units": 8, "embedding": 8, "length": 5, "vocabulary": 30}
    recipe = make({"family": "text-cnn", "epochs": 1, "params": params})
    trained = trainer_for(recipe).fit(chosen, recipe, Run(tmp_path, Quiet()))
    texts = ["", "soup " * 300, "never seen", "soup plot scene soup plot", "soup plot scene soup"]
    x = {"text": np.array([[text] for text in texts], object)}
    (received,) = session_of(trained, tmp_path).run(None, x)
    np.testing.assert_allclose(received, trained.predict(x)["probabilities"], atol=1e-5)
    assert str(trained.signature.inputs[0]) == "string[?, 1]"
