"""Jobs in the catalog: each change from the states it may come from, in SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from in_postgres import needs_postgres, postgres_catalog

from numen.core.errors import Conflict, NotFound
from numen.store.catalog import Catalog
from numen.store.jobs import RESUMABLE, Jobs

RECIPE = {"name": "digits", "data": "mnist", "params": {"units": 8}}


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    found = Catalog(f"sqlite:///{tmp_path / 'catalog.db'}")
    yield found
    found.close()


def story(catalog: Catalog) -> None:
    jobs = Jobs(catalog.database)
    first, second, other = (
        jobs.add(RECIPE, place, "jobs/{id}", "", trusted=True) for place in ("a", "a", "b")
    )
    assert first.folder == f"jobs/{first.id}"
    assert (first.model, first.recipe, first.state) == ("digits", RECIPE, "queued")
    assert jobs.all() == [first, second, other]
    assert jobs.claim(first.id, 1)
    assert not jobs.claim(first.id, 1)  # it runs
    assert not jobs.claim(second.id, 1)  # one runs there
    assert jobs.claim(other.id, 1)
    assert jobs.claim(second.id, 2)
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


def test_queued_run_stopped_and_taken_up_again(catalog: Catalog) -> None:
    story(catalog)


def test_of_many_who_claim_one_gets_it(catalog: Catalog) -> None:
    jobs = Jobs(catalog.database)
    ids = [jobs.add(RECIPE, "a", "{id}", "", trusted=False).id for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda id_: jobs.claim(id_, 2), ids * 4))
    assert sum(claimed) == 2
    assert len(jobs.all(("running",))) == 2


@needs_postgres
def test_jobs_in_postgres_as_well() -> None:
    with postgres_catalog() as catalog:
        story(catalog)
