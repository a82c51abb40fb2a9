"""Data of every kind, from files to a published model that answers: one call, no code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import numen
from numen.train.find import usual_family
from train.kinds import KINDS


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("kind", KINDS)
def test_one_call_trains_publishes_and_answers(kind: str, tmp_path: Path) -> None:
    (tmp_path / kind).mkdir()
    data = KINDS[kind](tmp_path / kind)
    family = usual_family(data.preprocess, many=data.many)
    model = numen.train(data, name="it", epochs=None if family == "words" else 3)
    assert model.manifest.family == family
    assert model.manifest.preprocess == data.preprocess
    assert model.version is not None
    assert {"evaluation.json", "reference.json"} <= {f.path for f in model.manifest.files}
    loaded = numen.load("it")
    report = loaded.evaluate(data.test)
    assert report.rows == len(data.test)
    given = next(data.test.batches(3)).inputs[data.preprocess.input]
    assert len(np.asarray(loaded.predict(given))) == 3


def test_a_model_of_texts_is_brought_to_8_bits(tmp_path: Path) -> None:
    data = KINDS["text"](tmp_path)
    model = numen.train(data, "words", name="it")
    made = numen.compress(model, int8="dynamic", data=data, tolerance=0.9)
    assert [(tried.name, tried.refused) for tried in made.tried] == [("int8", "")]


def test_a_front_and_its_network_name_every_domain_once(tmp_path: Path) -> None:
    data = KINDS["text"](tmp_path)
    model = numen.train(data, "text-cnn", epochs=1)
    domains = [each.domain for each in onnx.load(model.bundle.file("predict.onnx")).opset_import]
    assert sorted(domains) == sorted(set(domains))
