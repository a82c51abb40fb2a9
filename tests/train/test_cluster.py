"""A Ray cluster: trials on two nodes of which one dies, and how data get there."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from numen.cluster import pack
from numen.core.errors import InvalidInput
from numen.data.dataset import Dataset
from numen.train.cluster import Cluster
from numen.train.node import open_there, parcel_of

HAS_RAY = find_spec("ray") is not None


@pytest.fixture
def table(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    random = np.random.default_rng(5)
    x = random.normal(0, 1, (900, 2))
    goal = np.where(x[:, 0] * x[:, 1] > 0, "yes", "no")
    lines = [f"{a:.4f},{b:.4f},{g}" for (a, b), g in zip(x, goal, strict=True)]
    (tmp_path / "t.csv").write_text("a,b,goal\n" + "\n".join(lines))
    return tmp_path / "t.csv"


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="needs the extra ray")
def test_a_node_dies_and_the_search_goes_on(table, tmp_path):
    script = Path(__file__).with_name("two_nodes.py")
    run = subprocess.run(
        [sys.executable, str(script), str(table)], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(script.parents[1])},
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    told = json.loads(next(line for line in run.stdout.splitlines() if line.startswith("{")))

    search = told["search"]
    states = [state for state, _, _ in search["trials"]]
    assert search["killed"]
    assert states.count("complete") == 12
    assert set(states) <= {"complete", "lost"}  # it may have been between two trials
    lost = [(where, values) for state, where, values in search["trials"] if state == "lost"]
    for where, values in lost:
        assert where == search["killed"]
        again = [w for state, w, tried in search["trials"] if tried == values and state != "lost"]
        assert len(again) == 1  # tried again, elsewhere, once
        assert again != [where]
    assert search["carried"] == "path"
    assert search["version"] == 1

    train = told["train"]
    assert train["same"]  # the same bundle as one trained here, to the last byte
    assert train["epochs"] == 20
    assert any(note.endswith("data by object") for note in train["notes"])
    assert train["refused"].startswith("invalid_input: params.wings")

    behind = told["behind"]
    assert behind["states"] == ["complete"] * 2
    assert behind["said"] == [str(tmp_path / "small.onnx")] * 2  # as it was said, not where it went
    assert behind["carried"] == ["small.onnx"]
    assert behind["same"]


def test_data_are_carried_where_a_node_has_no_such_path(table, tmp_path):
    data = Dataset.open(table, target="goal")
    parcel = parcel_of(data)
    assert open_there(parcel, None).folder == data.folder
    gone = dataclasses.replace(parcel, folder=str(tmp_path / "nowhere"))
    assert open_there(gone, None) is None
    packed = np.frombuffer(pack(data.folder), np.uint8)
    carried = open_there(gone, packed)
    assert carried.digest == data.digest
    np.testing.assert_array_equal(carried.train.target, data.train.target)
    assert open_there(gone, None).folder == carried.folder  # unpacked once


def test_a_part_of_a_data_set_does_not_travel(table):
    data = Dataset.open(table, target="goal")
    part = {**data.splits, "train": data.train.take(range(100))}
    with pytest.raises(InvalidInput, match="whole data set"):
        parcel_of(dataclasses.replace(data, splits=part))


def test_an_address_that_is_none_is_refused():
    with pytest.raises(InvalidInput, match="ray://head:10001"):
        Cluster("http://head")


OWN = """
import keras

def build(data, units=4):
    return keras.Sequential([
        keras.Input(data.spec.row, name=data.spec.name),
        keras.layers.Dense(units, activation="relu"),
        keras.layers.Dense(len(data.labels), activation="softmax"),
    ])
"""


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="needs the extra ray")
def test_own_modules_travel_to_a_cluster_started_here(table, tmp_path):
    (tmp_path / "own_net.py").write_text(OWN)
    run = subprocess.run(
        [
            sys.executable, "-m", "numen", "train", "own", "--data", str(table), "--on", "ray",
            "--model", "own_net:build", "--set", "epochs=2", "--set", 'read={"target": "goal"}',
            "--json",
        ],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    assert json.loads(run.stdout)["version"] == 1
    assert "training on 127.0.0.1/" in run.stderr
