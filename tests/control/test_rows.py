"""Labelled rows over the network become the next version, once; versions are compared on rows."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from control.job_parts import write_table
from data.data_files import IdxFolder
from numen.core.centre import centre, ink_of
from numen.core.errors import InvalidInput
from numen.core.settings import Settings
from numen.data import labelled
from numen.data.library import Library
from numen.registry import Registry
from parts import Live, make_bundle, start_server, stop

UP, DOWN = (
    {"value": {"a": 2.5, "b": 1.0}, "label": "up"},
    {"value": {"a": -3, "b": 0}, "label": "down"},
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with a table, pictures, and two versions of a model of the pictures."""
    home = tmp_path_factory.mktemp("rows")
    registry = Registry.of(Settings(home=str(home)))
    library = Library(registry.catalog, registry.blobs, home)
    library.add("table", [write_table(home / "table.csv")])
    library.add("crowded", [home / "table.csv"])
    source = np.random.default_rng(0)
    for name, rows in (("train", 60), ("t10k", 40)):
        pictures = source.integers(0, 255, (rows, 28, 28), np.uint8)
        _write_idx(home / "digits", name, pictures, np.arange(rows) % 10)
    library.add("digits", [home / "digits"])
    for seed in (0, 1):
        registry.publish("linear", make_bundle(home / "make", seed))
    url, process = start_server(home)
    yield Live(url, home, registry, process)
    stop(process)
    registry.catalog.close()


def _write_idx(folder: Path, name: str, pictures: np.ndarray, labels: np.ndarray) -> None:
    from data.data_files import idx

    folder.mkdir(exist_ok=True)
    (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(pictures))
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))


def add(live: Live, name: str, rows: list[Any], **how: Any) -> httpx.Response:
    body = {"rows": rows, **how}
    return httpx.post(f"{live.url}/api/datasets/{name}/rows", json=body, timeout=60)


def opened(live: Live, reference: str) -> Any:
    return Library(live.registry.catalog, live.registry.blobs, live.home).open(reference)


def test_rows_become_the_next_version_once(own: Live) -> None:
    before = opened(own, "table@1")
    first = add(own, "table", [UP, DOWN], times=3, base=1, note="by a test")
    assert first.status_code == 200, first.text
    said = first.json()
    assert (said["name"], said["version"], said["added"], said["new"]) == ("table", 2, 2, True)
    after = opened(own, "table")
    assert after.digest == said["digest"]
    assert len(after.train) == len(before.train) + 6 == said["rows"]["train"]
    assert len(after.test) == len(before.test)
    batch = after.train.take(range(len(before.train), len(after.train))).arrays()
    assert [after.labels[i] for i in batch.target] == ["up", "down"] * 3
    assert next(iter(batch.inputs.values()))[:2].tolist() == [[2.5, 1.0], [-3.0, 0.0]]
    assert after.notes[-1] == "2 labelled rows came over the network, each 3 times: by a test"

    again = add(own, "table", [UP, DOWN], times=3, base=1, note="by a test").json()
    assert (again["version"], again["new"]) == (2, False)
    late = add(own, "table", [DOWN], base=1)
    assert late.status_code == 409
    assert late.json()["hint"] == "add to table@2"


def test_of_two_at_once_none_is_lost(own: Live) -> None:
    before = len(opened(own, "crowded").train)
    given = [[{"value": {"a": float(i), "b": 0}, "label": "up"}] for i in range(4)]
    threads = [threading.Thread(target=add, args=(own, "crowded", rows)) for rows in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened(own, "crowded").train) == before + 4


@pytest.mark.parametrize(
    ("name", "body", "status", "field"),
    [
        ("nothing", {"rows": [UP]}, 404, None),
        ("No", {"rows": [UP]}, 400, None),
        ("table", {"rows": []}, 400, "rows"),
        ("table", {"rows": [UP], "times": 0}, 400, "times"),
        ("table", {"rows": [UP] * 30, "times": 1000}, 400, "rows"),
        ("table", {"rows": [UP], "base": 99}, 404, None),
        ("table", {"rows": [UP, {**UP, "label": "sideways"}]}, 400, "rows.1.label"),
        ("table", {"rows": [{"value": "text", "label": "up"}]}, 400, "rows.0.value"),
        ("table", {"rows": [{"value": {"a": 1, "c": 2}, "label": "up"}]}, 400, "rows.0.value"),
        ("digits", {"rows": [{"value": [[1, 2], [3]], "label": "1"}]}, 400, "rows.0.value"),
        ("digits", {"rows": [{"value": [[256] * 28] * 28, "label": "1"}]}, 400, "rows.0.value"),
        ("digits", {"rows": [{"value": "nonsense!", "label": "1"}]}, 400, "rows.0.value"),
        ("digits", {"rows": [{"value": "AAAA", "label": "1"}]}, 400, "rows.0.value"),
    ],
)
def test_bad_rows_change_nothing(
    own: Live, name: str, body: dict[str, Any], status: int, field: str | None
) -> None:
    known = httpx.get(f"{own.url}/api/datasets").json()
    refused = httpx.post(f"{own.url}/api/datasets/{name}/rows", json=body)
    assert refused.status_code == status, refused.text
    if field:
        assert refused.json()["field"] == field
    assert httpx.get(f"{own.url}/api/datasets").json() == known


def test_pages_of_other_sites_are_refused(own: Live) -> None:
    for path in ("datasets/table/rows", "models/linear/evaluate"):
        body = {"rows": [UP]} if "rows" in path else {"data": "digits"}
        asked = httpx.post(
            f"{own.url}/api/{path}", json=body, headers={"origin": "http://elsewhere"}
        )
        assert asked.status_code == 403


def test_versions_are_compared_on_test_rows_and_on_those_added(own: Live) -> None:
    picture = np.random.default_rng(5).integers(0, 255, (28, 28))
    added = add(own, "digits", [{"value": picture.tolist(), "label": "3"}], times=4, base=1)
    assert added.status_code == 200, added.text

    def evaluate(**how: Any) -> httpx.Response:
        return httpx.post(f"{own.url}/api/models/linear/evaluate", json=how, timeout=60)

    tested = evaluate(data="digits", version=2, against=1).json()
    assert (tested["model"], tested["version"], tested["rows"]) == ("linear", 2, 40)
    accuracy = tested["metrics"]["accuracy"]
    interval = tested["intervals"]["accuracy"]
    assert interval["low"] <= accuracy <= interval["high"]
    assert tested["comparison"]["rows"] == 40
    (other,) = (d for d in tested["comparison"]["differences"] if d["metric"] == "accuracy")
    assert (other["first"], other["second"]) == (accuracy, tested["against"]["metrics"]["accuracy"])

    fresh = evaluate(data="digits@2", since=1).json()
    assert fresh["rows"] == 1  # each once, however often it stands there
    model = own.registry.open(own.registry.resolve("linear"))
    assert fresh["version"] == 1
    from numen.api.model import Model

    said = Model(model).classify(picture)[0]["label"]
    assert fresh["metrics"]["accuracy"] == (1.0 if said == "3" else 0.0)

    assert evaluate(data="digits@1", since=1).json()["field"] == "data"  # none were added
    assert evaluate(data="digits", split="middle").json()["field"] == "split"
    assert evaluate(data="digits", against=9).status_code == 404
    assert evaluate(data="table").status_code == 400  # another kind of rows


def test_pictures_are_read_as_models_are_given_them(tmp_path: Path) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    library = Library(registry.catalog, registry.blobs, tmp_path)
    library.add("small", [IdxFolder(tmp_path / "idx").folder])
    drawing = np.zeros((90, 120), np.uint8)
    drawing[20:70, 50:58] = 255
    file = io.BytesIO()
    Image.fromarray(drawing).save(file, "PNG")
    encoded = base64.b64encode(file.getvalue()).decode()
    data = library.open("small")
    rows, target = labelled.read([(encoded, data.labels[2])], data)
    assert target == [2]
    assert rows[0].shape == data.preprocess.shape
    from msgspec.structs import replace

    from numen.data.reading import PLAIN

    library.add("drawings", [tmp_path / "idx"], replace(PLAIN, centre=True))
    drawings = library.open("drawings")
    (seen,), _ = labelled.read([(encoded, drawings.labels[2])], drawings)
    np.testing.assert_array_equal(seen, centre(ink_of(drawing), *drawings.preprocess.shape))
    with pytest.raises(InvalidInput, match=r"rows\[0\].value: expected base64"):
        labelled.read([("?", data.labels[0])], data)
    registry.catalog.close()
