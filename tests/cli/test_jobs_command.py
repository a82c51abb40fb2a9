"""`numen train --detach` and `numen jobs …`, with the processes they start."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.test_commands import Shell
from control.job_parts import end_all, told, wait_for, write_table
from numen.api.model import Model
from numen.cli import EXIT, complete
from numen.core.bundle import Bundle
from numen.train.rounds import LAST


@pytest.fixture
def numen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setenv("NUMEN_JOBS", "1")
    write_table(tmp_path / "table.csv")
    yield Shell(tmp_path / "home")
    end_all(tmp_path / "home")


def detach(numen: Shell, name: str, family: str, *more: str) -> str:
    queued: Any = numen.json(
        "train", name, "--data", "table.csv", "--model", family, *more, "--detach"
    )
    assert (queued["state"], queued["recipe"]["data"]) == ("queued", "table.csv")
    return str(queued["id"])


def job(numen: Shell, id_: str) -> Any:
    return numen.json("jobs", "show", id_)


def in_state(numen: Shell, id_: str, state: str) -> Any:
    def there() -> Any:
        told_last = [event for event in told(numen.home, id_) if event["kind"] == "state"]
        return told_last[-1]["state"] == state and job(numen, id_)

    found = wait_for(there)
    assert found["state"] == state
    return found


@pytest.mark.slow
def test_with_a_limit_of_one_they_run_one_after_the_other(
    numen: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--detach" in numen("jobs", "ls")
    first = detach(numen, "one", "boosting", "--set", "epochs=20")
    second = detach(numen, "two", "boosting", "--set", "epochs=20")
    followed = numen("jobs", "show", first, "--follow")
    assert "finished" in followed
    lines = numen("jobs", "show", second, "--follow", "--json").splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert [kind for kind in kinds if kind != "note"][:3] == ["state", "state", "begin"]
    assert json.loads(lines[-1])["state"] == "finished"
    ended, begun = (told(numen.home, first)[-1]["at"], told(numen.home, second)[1]["at"])
    assert ended <= begun
    listed: Any = numen.json("jobs", "ls")
    assert [(row["id"], row["state"], row["runs"]) for row in listed] == [
        (first, "finished", 1), (second, "finished", 1),
    ]  # fmt: skip
    assert listed[0]["result"]["name"] == "one"
    assert listed[0]["result"]["metrics"]["accuracy"] > 0.8
    assert "one@1" in numen("jobs", "ls")
    assert [m["name"] for m in numen.json("models", "ls")] == ["one", "two"]
    # What has finished is neither stopped nor taken up again.
    assert "finished" in numen("jobs", "cancel", first, status=EXIT["conflict"])
    assert "finished" in numen("jobs", "resume", first, status=EXIT["conflict"])
    assert "numen jobs ls" in numen("jobs", "show", "00000000", status=EXIT["not_found"])
    wait_for(lambda: not runner_lives(numen.home))
    monkeypatch.setenv("NUMEN_HOME", str(numen.home))
    assert complete.job_ids(first[:4]) == [first]


def runner_lives(home: Path) -> bool:
    import fcntl

    with (home / "jobs" / "runner.lock").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.slow
def test_killed_it_is_interrupted_and_goes_on_and_cancelled_it_keeps_the_best(
    numen: Shell,
) -> None:
    id_ = detach(numen, "net", "mlp", "--set", "epochs=4000")
    waiting = detach(numen, "never", "mlp")

    def epochs() -> list[int]:
        return [event["epoch"] for event in told(numen.home, id_) if event["kind"] == "epoch"]

    wait_for(epochs)
    pid = told(numen.home, id_)[1]["pid"]
    # Without its runner it goes on.
    runner = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert b"numen.control.jobs.runner" in Path(f"/proc/{runner}/cmdline").read_bytes()
    os.kill(runner, signal.SIGKILL)
    seen = epochs()[-1]
    wait_for(lambda: epochs()[-1] > seen)
    assert job(numen, id_)["state"] == "running"
    # Who waits is cancelled at once, and never runs.
    assert numen.json("jobs", "cancel", waiting)["state"] == "cancelled"
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: job(numen, id_)["state"] == "interrupted")
    before = epochs()[-1]
    assert told(numen.home, id_)[-1]["state"] == "interrupted"
    assert numen.json("jobs", "resume", id_)["state"] == "queued"
    wait_for(lambda: epochs()[-1] > before)
    notes = [event["text"] for event in told(numen.home, id_) if event["kind"] == "note"]
    (note,) = [note for note in notes if note.startswith("going on after epoch ")]
    assert int(note.split()[-1]) >= before
    assert numen.json("jobs", "cancel", id_)["cancel"] is True
    found = in_state(numen, id_, "cancelled")
    assert found["runs"] == 2
    assert found["result"]["name"] is None
    model = Model(Bundle.open(Path(found["result"]["bundle"])))
    answer = np.asarray(model.predict(np.array([[2.0, 2.0], [-2.0, -2.0]], np.float32)))
    assert answer.argmax(axis=1).tolist() == [1, 0]
    assert numen.json("models", "ls") == []
    assert [event["state"] for event in told(numen.home, waiting)] == ["queued", "cancelled"]


@pytest.mark.slow
def test_killed_trees_go_on_from_their_last_checkpoint(numen: Shell) -> None:
    more = ("--set", "epochs=1000000", "--set", "learning_rate=0.0001")  # it never has enough
    id_ = detach(numen, "trees", "boosting", *more)
    kept = numen.home / "jobs" / id_ / "run" / LAST
    wait_for(kept.exists)
    os.kill(told(numen.home, id_)[1]["pid"], signal.SIGKILL)
    wait_for(lambda: job(numen, id_)["state"] == "interrupted")
    assert numen.json("jobs", "resume", id_)["state"] == "queued"

    def second() -> list[dict[str, Any]]:
        events = told(numen.home, id_)
        runs = [place for place, event in enumerate(events) if event.get("state") == "running"]
        return events[runs[1] :] if len(runs) > 1 else []

    wait_for(lambda: any(event["kind"] == "epoch" for event in second()))
    (note,) = [e["text"] for e in second() if e.get("text", "").startswith("going on after round")]
    (first, *_) = [event["epoch"] for event in second() if event["kind"] == "epoch"]
    assert first > int(note.split()[-1]) > 0
    assert numen.json("jobs", "cancel", id_)["cancel"] is True
    found = in_state(numen, id_, "cancelled")
    model = Model(Bundle.open(Path(found["result"]["bundle"])))
    answer = np.asarray(model.predict(np.array([[2.0, 2.0], [-2.0, -2.0]], np.float32)))
    assert answer.argmax(axis=1).tolist() == [1, 0]


@pytest.mark.slow
def test_a_job_that_fails_says_why(numen: Shell) -> None:
    id_ = detach(numen, "net", "boosting", "--set", "optimizer=adam")
    found = in_state(numen, id_, "failed")
    assert found["error"]["code"] == "invalid_input"
    assert "optimizer" in found["error"]["error"]
    assert "optimizer" in numen("jobs", "show", id_)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--data", "nowhere.csv"], "not_found", "nowhere.csv"),
        (["--data", "table.csv", "--model", "nothing"], "invalid_input", "family"),
        (["--data", "table.csv", "--set", "epochs=0"], "invalid_input", "epochs"),
        (["--data", "table.csv", "--resume"], "invalid_input", "numen jobs resume"),
        ([], "invalid_input", "--data"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    numen: Shell, arguments: list[str], code: str, said: str
) -> None:
    assert said in numen("train", "net", *arguments, "--detach", status=EXIT[code])
    assert numen.json("jobs", "ls") == []
