"""Jobs in the catalog: each change from the states it may come from, in SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from numen.core.errors import Conflict, NotFound
from numen.store.catalog import Catalog
from numen.store.jobs import RESUMABLE, Jobs

RECIPE = {"name": "digits", "data": "mnist", "params": {"units": 8}}


@pytest.fixture
def catalog(any_catalog: str) -> Iterator[Catalog]:
    found = Catalog(any_catalog)
    yield found
    found.close()


def test_queued_run_stopped_and_taken_up_again(catalog: Catalog) -> None:
    jobs = Jobs(catalog.database)
    first, second, other = (
        jobs.add(RECIPE, place, "jobs/{id}", "", trusted=True) for place in ("a", "a", "b")
    )
    assert first.folder == f"jobs/{first.id}"
    assert (first.model, first.recipe, first.state) == ("digits", RECIPE, "queued")
    assert jobs.all() == [first, second, other]
    assert not jobs.claim(first.id, "b", "", 1)  # it was asked for on a machine, and is of it
    assert jobs.claim(first.id, "a", first.folder, 1)
    assert not jobs.claim(first.id, "a", "", 1)  # it runs
    assert not jobs.claim(second.id, "a", "", 1)  # one runs there
    assert jobs.claim(other.id, "b", "", 1)
    assert jobs.claim(second.id, "a", "", 2)
    running = jobs.get(first.id)
    assert (running.state, running.runs, running.over) == ("running", 1, False)
    assert running.started is not None
    assert jobs.cancel(first.id).cancel
    with pytest.raises(Conflict, match="is running, expected interrupted or cancelled or failed"):
        jobs.move(first.id, RESUMABLE, "queued")
    ended = jobs.move(first.id, ("running",), "cancelled", result={"metrics": {"loss": 1.5}})
    assert (ended.over, ended.cancel, ended.result) == (True, False, {"metrics": {"loss": 1.5}})
    assert ended.as_dict()["ended"] is not None
    before = catalog.revision()
    with pytest.raises(Conflict, match="is cancelled already"):
        jobs.cancel(first.id)
    assert catalog.revision() == before
    again = jobs.move(first.id, RESUMABLE, "queued", result=None)
    assert (again.result, again.ended, again.runs) == (None, None, 1)
    assert jobs.cancel(first.id).state == "cancelled"
    with pytest.raises(NotFound, match='"00000000" does not exist'):
        jobs.get("00000000")
    assert [job.id for job in jobs.all(("running",), "a")] == [second.id]


def test_of_many_who_claim_one_gets_it(catalog: Catalog) -> None:
    jobs = Jobs(catalog.database)
    ids = [jobs.add(RECIPE, "a", "{id}", "", trusted=False).id for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda id_: jobs.claim(id_, "b", "", 2), ids * 4))
    assert sum(claimed) == 2
    assert len(jobs.all(("running",))) == 2


def test_a_run_that_falls_silent_is_taken_over_and_can_do_no_more(catalog: Catalog) -> None:
    jobs = Jobs(catalog.database)
    id_ = jobs.add(RECIPE, "a", "", "", trusted=False).id
    tied = jobs.add(RECIPE, "a", "", "", trusted=True).id
    for each in (id_, tied):
        assert jobs.claim(each, "a", "there", 2)
    before = catalog.revision()
    assert jobs.beat(id_, 1)
    assert catalog.revision() == before, "a sign of life is no news"
    assert jobs.beats() == [(id_, 1, 1)], "who is tied to a machine waits for it"
    assert not jobs.take_back(id_, 1, 0), "it was heard since"
    assert jobs.take_back(id_, 1, 1)
    assert not jobs.take_back(id_, 1, 1)
    assert (jobs.get(id_).state, jobs.get(id_).place) == ("queued", "a")
    assert jobs.claim(id_, "b", "here", 1)
    found = jobs.get(id_)
    assert (found.place, found.folder, found.runs) == ("b", "here", 2)
    # The first run comes back.
    assert not jobs.beat(id_, 1)
    with pytest.raises(Conflict, match="run 2 counts, received one of run 1"):
        jobs.move(id_, ("running",), "finished", run=1)
    assert jobs.beat(id_, 2)
    jobs.cancel(id_)
    assert jobs.take_back(id_, 2, 1)
    assert jobs.get(id_).state == "cancelled"


def test_what_silences_host_after_host_has_failed(catalog: Catalog) -> None:
    jobs = Jobs(catalog.database)
    id_ = jobs.add(RECIPE, "a", "", "", trusted=False).id
    for run in range(1, 6):
        assert jobs.claim(id_, f"host {run}", "", 1)
        assert jobs.take_back(id_, run, 0)
    found = jobs.get(id_)
    assert found.state == "failed"
    assert found.error is not None
    assert "begun 5 times" in found.error["error"]
