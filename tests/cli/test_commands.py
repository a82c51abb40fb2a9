"""The command line as a person types it: real processes, a home of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from numen.cli import EXIT
from numen.core.errors import codes
from parts import linear_graph
from stores import PASSWORD, Bucket, Postgres


class Shell:
    """Runs `numen …` with a home of its own."""

    def __init__(self, home: Path):
        self.home = home

    def __call__(self, *arguments: str, status: int = 0, stdin: bytes = b"") -> str:
        run = subprocess.run(
            [sys.executable, "-m", "numen", *arguments],
            env={**os.environ, "NUMEN_HOME": str(self.home), "COLUMNS": "120", "NO_COLOR": "1"},
            input=stdin,
            cwd=self.home.parent,
            capture_output=True,
        )
        assert run.returncode == status, run.stdout.decode() + run.stderr.decode()
        return (run.stdout if status == 0 else run.stderr).decode()

    def json(self, *arguments: str) -> object:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def numen(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "linear.onnx"
    linear_graph(path)
    return path


def test_every_code_has_an_exit_status() -> None:
    assert EXIT.keys() == codes()


def test_publish_promote_rollback_remove(numen: Shell, graph: Path, tmp_path: Path) -> None:
    assert numen.json("publish", str(graph), "--name", "m")["version"] == 1
    assert numen.json("publish", str(graph), "--name", "m")["version"] == 1  # the same bundle
    linear_graph(graph, seed=1)
    assert numen.json("publish", str(graph), "--name", "m", "--alias", "next")["version"] == 2
    (listed,) = numen.json("models", "ls")
    assert listed["aliases"] == {"champion": 1, "next": 2}
    assert numen.json("models", "promote", "m@next") == {
        "name": "m", "alias": "champion", "version": 2,
    }  # fmt: skip
    assert numen.json("models", "rollback", "m")["version"] == 1
    assert "digest" in numen("models", "show", "m@2")
    assert any("predict.onnx" in key for key in numen.json("models", "diff", "m@1", "m@2"))
    assert "champion" in numen("models", "rm", "m@1", status=EXIT["conflict"])
    assert "m@VERSION" in numen("models", "rm", "m", status=EXIT["invalid_input"])


def test_predict_says_the_label(numen: Shell, graph: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "sample.npy", np.random.default_rng(0).random((4, 28, 28), np.float32))
    labels = ",".join("abcdefghij")
    numen(
        "publish", str(graph), "--name", "m", "--labels", labels,
        "--sample", str(tmp_path / "sample.npy"),
    )  # fmt: skip
    answer = numen.json("predict", "m", str(tmp_path / "sample.npy"))
    assert len(answer) == 4
    assert answer[0]["label"] in labels.split(",")
    shape = numen("predict", "m", "[[1, 2], [3]]", status=EXIT["invalid_input"])
    assert 'input "image"' in shape


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["models", "show", "nobody"], "not_found", "nobody"),
        (["models", "show", "No Body"], "invalid_input", "model name"),
        (["publish", "absent.onnx", "--name", "m"], "not_found", "absent.onnx"),
        (["train", "m", "--data", "absent.csv"], "not_found", "absent.csv"),
        (["train", "absent.toml"], "not_found", "absent.toml"),
        (["train", "m", "--set", "epochs"], "invalid_input", "key=value"),
        (["train", "m", "--data", "mnist", "--model", "absent"], "invalid_input", "absent"),
        (["train", "m", "--data", "mnist", "--set", "epochs=0"], "invalid_input", "epochs"),
        (["data", "show", "nobody"], "not_found", "nobody"),
        (["serve", "nobody", "--port", "0"], "not_found", "nobody"),
    ],
)
def test_errors_say_what_to_do(numen: Shell, arguments: list[str], code: str, said: str) -> None:
    text = numen(*arguments, status=EXIT[code])
    assert "Traceback" not in text
    assert said in text


def test_doctor_says_where_settings_come_from(numen: Shell) -> None:
    found = numen.json("doctor")
    assert found["settings"]["home"]["from"] == "NUMEN_HOME"
    assert found["checks"]["catalog"].startswith("ok")
    assert found["checks"]["blobs"].startswith("ok")


def test_doctor_says_whether_stores_are_reached_and_no_password(
    numen: Shell, postgres: Postgres, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMEN_CATALOG", postgres.new())
    monkeypatch.setenv("NUMEN_BLOBS", bucket.new())
    found = numen.json("doctor")
    assert re.fullmatch(r"ok, 0 models, answers in [0-9.]+ ms", found["checks"]["catalog"])
    assert re.fullmatch(r"ok, s3://.*, answers in [0-9.]+ ms", found["checks"]["blobs"])
    assert found["settings"]["catalog"]["value"].startswith("postgresql://numen:***@127.0.0.1:")
    monkeypatch.setenv("NUMEN_CATALOG", f"{postgres.url()}_gone")
    monkeypatch.setenv("NUMEN_BLOBS", "s3://nowhere/x")
    said = numen("doctor")
    assert "does not exist" in said
    assert PASSWORD not in said
    assert "secret" not in said
    assert "does not exist" in numen("models", "ls", status=EXIT["not_ready"])


def test_data_is_added_listed_shown(numen: Shell, tmp_path: Path) -> None:
    rows = ["width,height,kind"] + [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(60)]
    table = tmp_path / "shapes.csv"
    table.write_text("\n".join(rows))
    added = numen.json("data", "add", "shapes", str(table))
    assert added["version"] == 1
    assert added["new"]
    assert not numen.json("data", "add", "shapes", str(table))["new"]
    assert [d["name"] for d in numen.json("data", "ls")] == ["shapes"]
    assert "width" in numen("data", "show", "shapes")
    table.write_text("a,b\n1\n")
    assert "row" in numen("data", "add", "shapes", str(table), status=EXIT["invalid_data"])
    assert len(numen.json("data", "ls")) == 1


@pytest.mark.slow
def test_trains_evaluates_and_predicts(numen: Shell, tmp_path: Path) -> None:
    rows = ["width,height,kind"] + [f"{i % 7},{i % 5},{'ab'[i % 7 > 3]}" for i in range(200)]
    (tmp_path / "shapes.csv").write_text("\n".join(rows))
    (tmp_path / "shapes.toml").write_text(
        'name = "shapes"\ndata = "shapes.csv"\nfamily = "forest"\nepochs = 10\n'
    )
    trained = numen.json("train", str(tmp_path / "shapes.toml"))
    assert trained["version"] == 1
    assert trained["metrics"]["accuracy"] > 0.9
    report = numen.json(
        "evaluate", "shapes", "--data", str(tmp_path / "shapes.csv"), "--out", str(tmp_path / "out")
    )
    assert report["accuracy"] == trained["metrics"]["accuracy"]
    assert json.loads((tmp_path / "out/report.json").read_text())["rows"] == report["rows"]
    assert (tmp_path / "out/confusion.png").read_bytes().startswith(b"\x89PNG")
    assert "precision" in numen("evaluate", "shapes", "--data", str(tmp_path / "shapes.csv"))
    answer = numen.json("predict", "shapes", '{"width": 6, "height": 1}')
    assert answer["label"] == "b"
    assert "b" in numen("predict", "shapes", "-", stdin=b'{"width": 6, "height": 1}')


def test_completion_offers_models(numen: Shell, graph: Path) -> None:
    numen("publish", str(graph), "--name", "seven")
    run = subprocess.run(
        [str(Path(sys.executable).parent / "numen")],
        env={
            **os.environ, "NUMEN_HOME": str(numen.home), "_NUMEN_COMPLETE": "complete_bash",
            "COMP_WORDS": "numen predict se", "COMP_CWORD": "2",
        },
        capture_output=True, text=True,
    )  # fmt: skip
    assert "seven@champion" in run.stdout.split()
