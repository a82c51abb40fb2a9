"""Parts of jobs by themselves: the lock, a journal's thinning, a place made up once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from numen.control.jobs import Queue
from numen.control.jobs.events import Journal, read, read_all
from numen.control.jobs.lock import hold
from numen.control.jobs.rules import anywhere
from numen.core.errors import Conflict, InvalidInput
from numen.core.settings import Settings
from numen.registry import Registry
from numen.store.jobs import MOST_RUNS
from numen.train.recipe import Recipe, make


def test_a_lock_goes_to_a_child_with_no_moment_between_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = hold(path)
    assert lock is not None
    assert hold(path) is None
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], pass_fds=(lock,), stdin=subprocess.PIPE
    )
    os.close(lock)
    assert hold(path) is None
    child.kill()
    child.communicate()
    lock = hold(path)
    assert lock is not None
    os.close(lock)


def test_of_many_rounds_a_few_hundred_are_told_of_the_last_too(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    journal.begin(1001, 1)
    for number in range(1, 1002):
        journal.step({"loss": float("nan")})
        assert not journal.trained
        journal.epoch(number, {"loss": 1 / number, "val_loss": float("inf")})
    assert journal.trained
    events = read_all(tmp_path / "events.jsonl")
    epochs = [event.said["epoch"] for event in events if event.said["kind"] == "epoch"]
    assert 150 < len(epochs) < 300
    assert epochs[-1] == 1001
    assert events[-1].said["metrics"]["val_loss"] is None  # JSON has no infinity
    assert read(tmp_path / "events.jsonl", events[-2].id) == events[-1:]
    assert read(tmp_path / "nothing.jsonl") == []
    for wrong in (events[0].id + 1, events[-1].id + 5):
        with pytest.raises(InvalidInput, match="Last-Event-ID"):
            read(tmp_path / "events.jsonl", wrong)


def test_more_than_is_read_at_a_time_is_read_all(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    for _ in range(40):
        journal.note("x" * 100_000)
    journal.note("y" * 3_000_000)
    events = read_all(tmp_path / "events.jsonl")
    assert len(events) == 41
    assert len(read(tmp_path / "events.jsonl")) < 41


def test_of_jobs_whose_process_died_those_on_a_cluster_wait_again(
    registry: Registry, settings: Settings
) -> None:
    queue = Queue(settings, registry.catalog.database)
    runner = hold(queue.runner_lock)  # nobody else works it off
    assert runner is not None
    there = queue.add(Recipe(data="d", on="ray"), trusted=False)
    here = queue.add(Recipe(data="d"), trusted=False)
    for run in range(1, MOST_RUNS + 1):
        for job in (there, here):
            queue.jobs.claim(job.id, queue.place, str(queue.folder(job)), 9)
        queue.look()
        assert queue.jobs.get(here.id).state == "interrupted"
        assert queue.jobs.get(there.id).state == ("queued" if run < MOST_RUNS else "interrupted")
        assert queue.jobs.get(there.id).runs == run
    os.close(runner)


def test_a_home_has_one_place_and_asking_for_nothing_writes_nothing(
    registry: Registry, settings: Settings
) -> None:
    queue = Queue(settings, registry.catalog.database)
    queue.start()
    assert queue.all() == []
    assert not queue.home.exists()
    with ThreadPoolExecutor(8) as pool:
        places = list(
            pool.map(lambda _: Queue(settings, registry.catalog.database).place, "12345678")
        )
    assert len(set(places)) == 1
    assert [path.name for path in queue.home.iterdir()] == ["place"]


def test_a_job_of_another_host_is_followed_stopped_and_taken_up_but_not_what_is_tied_to_it(
    registry: Registry, tmp_path: Path
) -> None:
    here, there = (
        Queue(Settings(home=str(tmp_path / name), jobs=-1), registry.catalog.database)
        for name in ("here", "there")
    )
    tied, free = (there.add(make({"data": "d"}), trusted=trusted) for trusted in (True, False))

    async def scene() -> list[str]:
        told = []
        async for event in here.follow(free.id):
            told.append(event.said["state"])
            if len(told) == 1:
                here.cancel(free.id)
        return told

    assert asyncio.run(scene()) == ["queued", "cancelled"]
    assert here.resume(free.id).state == "queued"
    here.cancel(tied.id)
    with pytest.raises(Conflict, match="belongs to another machine"):
        here.resume(tied.id)
    assert not (here.home / free.id).exists()
    here.look()
    assert here.waiting() == [], "it was told to run none"
    one = Queue(Settings(home=str(tmp_path / "here"), jobs=1), registry.catalog.database)
    assert [job.id for job in one.waiting()] == [free.id]


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ({"data": "mnist", "family": "cnn", "params": {"units": 8}}, True),
        ({"data": "mnist@2", "family": "boosting", "augment": {"noise": 0.1}}, True),
        ({"data": "./table.csv"}, False),
        ({"data": "mnist", "family": "my_models:build"}, False),
        ({"data": "mnist", "body": "./net.keras"}, False),
    ],
)
def test_what_may_run_on_any_host(recipe: dict[str, object], expected: bool) -> None:
    assert anywhere(make(recipe)) is expected
