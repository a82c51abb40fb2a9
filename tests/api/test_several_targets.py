"""Several quantities, and any number of labels a row: from a file to answers at every door."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest
from numen_client import Client

import numen
from numen.core.errors import InvalidInput
from parts import start_server, stop
from train.kinds import labels, quantities, tagged

ROW = {"a": 2.0, "b": -2.0}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("several")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        numen.train(quantities(folder), "linear", name="sizes")
        numen.train(labels(folder), "forest", name="tags")
        numen.train(tagged(folder), "text-cnn", name="words", epochs=60, learning_rate=0.01)
        address, process = start_server(folder / "home")
        yield address
        stop(process)


def test_quantities_are_called_by_their_names(url) -> None:
    said = httpx.post(f"{url}/predict/sizes", json=ROW).json()
    assert said["speed"] == pytest.approx(8, abs=0.2)
    assert said["price"] == pytest.approx(-200, abs=5)
    rows = httpx.post(f"{url}/v1/models/sizes:predict", json={"instances": [[2, -2]]}).json()
    np.testing.assert_allclose(rows["predictions"], [[said["speed"], said["price"]]], rtol=1e-5)
    refused = httpx.post(
        f"{url}/v1/models/sizes:regress", json={"examples": [{"features": [2, -2]}]}
    )
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_input")


def test_labels_are_those_that_are_as_likely_as_not(url) -> None:
    said = httpx.post(f"{url}/predict/tags", json=ROW).json()
    assert said["labels"] == ["hot"]
    assert said["scores"]["hot"] > 0.5 > said["scores"]["wet"]
    none = httpx.post(f"{url}/predict/tags", json={"a": -2, "b": -2}).json()
    assert none["labels"] == []
    classified = httpx.post(
        f"{url}/v1/models/tags:classify", json={"examples": [{"features": [2, -2]}]}
    ).json()["results"]
    assert dict(classified[0]) == pytest.approx(said["scores"])


def test_a_text_may_be_of_both(url) -> None:
    said = httpx.post(
        f"{url}/predict/words", content="the flame was cold", headers={"content-type": "text/plain"}
    ).json()
    assert sorted(said["labels"]) == ["fire", "ice"]


def test_graphql_and_the_client_say_the_same(url) -> None:
    query = """mutation ($row: JSON!) { predict(model: "tags", fields: $row) {
        labels top { label probability } rows } }"""
    asked = httpx.post(f"{url}/graphql", json={"query": query, "variables": {"row": ROW}}).json()
    found = asked["data"]["predict"]
    assert found["labels"] == ["hot"]
    with Client(url) as client:
        said = client.predict("tags", ROW)
        assert said.labels == ("hot",)
        assert said.scores == pytest.approx({s["label"]: s["probability"] for s in found["top"]})
        assert client.predict("sizes", ROW).value["speed"] == pytest.approx(8, abs=0.2)


def test_figures_are_said_of_each(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    data = quantities(tmp_path)
    report = numen.train(data, "linear").evaluate(data.test)
    assert [each.name for each in report.quantities] == ["speed", "price"]
    assert all(each.r2 > 0.99 for each in report.quantities)
    data = labels(tmp_path)
    report = numen.train(data, "linear").evaluate(data.test)
    assert [each.label for each in report.classes] == ["hot", "wet"]
    assert report.exact > 0.7
    with pytest.raises(InvalidInput, match=r"any number of labels.*\(tags\)") as error:
        numen.train(data, "boosting")
    assert "forest" in error.value.hint
