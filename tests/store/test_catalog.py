"""The catalog: versions never change, aliases move whole, and many writers lose nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from numen.core.errors import Conflict, NotFound, NumenError
from numen.store.catalog import Catalog, ModelVersion, Snapshot


@pytest.fixture
def catalog(any_catalog: str) -> Iterator[Catalog]:
    found = Catalog(any_catalog)
    yield found
    found.close()


def test_versions_count_up_and_the_newest_is_not_added_twice(catalog: Catalog) -> None:
    first = catalog.add_version("m", "sha256:a", 10, None)
    assert (first.version, first.digest, first.size) == (1, "sha256:a", 10)
    assert catalog.add_version("m", "sha256:a", 10, None) == first
    assert catalog.add_version("m", "sha256:b", 20, None).version == 2
    # Going back to an earlier bundle is a new version: what is newest has changed.
    assert catalog.add_version("m", "sha256:a", 10, None).version == 3
    assert catalog.add_version("other", "sha256:a", 10, None).version == 1
    assert [v.version for v in catalog.versions("m")] == [1, 2, 3]
    assert catalog.models() == ["m", "other"]


def test_a_catalog_can_be_made_to_hold_what_another_does(catalog: Catalog) -> None:
    catalog.add_version("gone", "sha256:x", 1, "champion")
    catalog.add_version("m", "sha256:y", 1, "champion")
    versions = [ModelVersion("m", n, f"sha256:{n}", n, "2026-01-01T00:00:00Z") for n in (3, 7)]
    held = Snapshot.of(zip(versions, ([], ["beta", "champion"]), strict=True))
    before = catalog.revision()
    catalog.replace(held)
    found = catalog.snapshot()
    assert (found.versions, found.aliases) == (held.versions, held.aliases)
    assert found.revision > before
    assert catalog.add_version("m", "sha256:z", 1, None).version == 8
    with pytest.raises(Conflict):  # how its aliases moved here is forgotten with the rest
        catalog.rollback("m", "champion")


def test_an_alias_moves_with_the_version_it_is_for(catalog: Catalog) -> None:
    catalog.add_version("m", "sha256:a", 1, "champion")
    catalog.add_version("m", "sha256:b", 1, None)
    assert catalog.aliases("m") == {"champion": 1}
    catalog.add_version("m", "sha256:b", 1, "champion")  # the same bundle, promoted
    assert catalog.aliases("m") == {"champion": 2}
    catalog.promote("m", 1, "shadow")
    assert catalog.aliases("m") == {"champion": 2, "shadow": 1}
    with pytest.raises(NotFound, match="m@9 is not published"):
        catalog.promote("m", 9, "champion")
    assert catalog.aliases("none") == {}


def test_the_first_version_may_bring_an_alias_of_its_own(catalog: Catalog) -> None:
    catalog.add_version("m", "a", 1, "shadow", first_alias="champion")
    catalog.add_version("m", "b", 1, "shadow", first_alias="champion")
    assert catalog.aliases("m") == {"champion": 1, "shadow": 2}


def test_no_one_sees_a_version_without_its_alias(catalog: Catalog) -> None:
    torn: list[tuple[int, int]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            with catalog.database.read() as reader:
                row = reader.exec_driver_sql(
                    "select (select max(version) from model_versions), version from aliases"
                ).first()
            if row is not None and row[0] != row[1]:
                torn.append(row)

    thread = threading.Thread(target=watch)
    thread.start()
    for number in range(50):
        catalog.add_version("m", f"sha256:{number}", 1, "champion")
    stop.set()
    thread.join()
    assert torn == []


def test_rollback_goes_back_move_by_move(catalog: Catalog) -> None:
    for digest in "abc":
        catalog.add_version("m", digest, 1, "champion")
    assert [catalog.rollback("m", "champion") for _ in range(2)] == [2, 1]
    with pytest.raises(Conflict, match="m@champion: there is no earlier version"):
        catalog.rollback("m", "champion")
    assert catalog.aliases("m") == {"champion": 1}
    catalog.promote("m", 3, "champion")
    assert catalog.rollback("m", "champion") == 1
    with pytest.raises(NotFound, match="m has no alias shadow"):
        catalog.rollback("m", "shadow")


def test_rollback_passes_over_a_version_that_was_removed(catalog: Catalog) -> None:
    for digest in "abc":
        catalog.add_version("m", digest, 1, "champion")
    catalog.remove_version("m", 2)
    assert catalog.rollback("m", "champion") == 1
    catalog.promote("m", 3, "champion")
    catalog.remove_version("m", 1)
    with pytest.raises(Conflict, match="no earlier version"):
        catalog.rollback("m", "champion")
    assert catalog.aliases("m") == {"champion": 3}


def test_rollback_never_stays_where_it_is(catalog: Catalog) -> None:
    for digest in "abc":
        catalog.add_version("m", digest, 1, None)
    for version in (3, 1, 2, 1):
        catalog.promote("m", version, "champion")
    catalog.remove_version("m", 2)
    assert catalog.rollback("m", "champion") == 3


def test_an_aliased_version_is_not_removed(catalog: Catalog) -> None:
    catalog.add_version("m", "a", 1, "champion")
    catalog.promote("m", 1, "shadow")
    with pytest.raises(Conflict, match="m@1 is champion, shadow; promote another version first"):
        catalog.remove_version("m", 1)
    with pytest.raises(NotFound, match="m@7 is not published"):
        catalog.remove_version("m", 7)


def test_a_removed_number_is_not_given_again(catalog: Catalog) -> None:
    catalog.add_version("m", "a", 1, None)
    catalog.add_version("m", "b", 1, None)
    assert catalog.remove_version("m", 2).digest == "b"
    assert not catalog.digest_in_use("b")
    assert catalog.digest_in_use("a")
    assert catalog.add_version("m", "b", 1, None).version == 3
    for version in (1, 3):
        catalog.remove_version("m", version)
    assert catalog.models() == []
    with pytest.raises(NotFound, match='"m" is not published'):
        catalog.versions("m")
    assert catalog.add_version("m", "a", 1, None).version == 4


def test_datasets_have_versions_too(catalog: Catalog) -> None:
    first = catalog.datasets.add("iris", "a", "iris.csv")
    assert catalog.datasets.add("iris", "a", "iris.csv") == first
    assert catalog.datasets.add("iris", "b", "iris.csv").version == 2
    catalog.datasets.add("mnist", "c", "mnist/")
    assert [(d.name, d.version) for d in catalog.datasets.newest()] == [("iris", 2), ("mnist", 1)]
    assert [d.version for d in catalog.datasets.versions("iris")] == [1, 2]
    with pytest.raises(NotFound, match='dataset "none" was not added'):
        catalog.datasets.versions("none")


CHANGES: list[Callable[[Catalog], object]] = [
    lambda c: c.add_version("m", "c", 1, None),
    lambda c: c.add_version("m", "b", 1, "champion"),
    lambda c: c.promote("m", 2, "champion"),
    lambda c: c.promote("m", 1, "fresh"),
    lambda c: c.rollback("m", "shadow"),
    lambda c: c.remove_version("m", 3),
    lambda c: c.datasets.add("d", "b", "x"),
]
READS: list[Callable[[Catalog], object]] = [
    lambda c: c.models(),
    lambda c: c.versions("m"),
    lambda c: c.datasets.newest(),
    lambda c: c.add_version("m", "d", 1, None),
    lambda c: c.add_version("m", "d", 1, "newest"),
    lambda c: c.promote("m", 1, "champion"),
    lambda c: c.datasets.add("d", "a", "x"),
]
FAILURES: list[Callable[[Catalog], object]] = [
    lambda c: c.promote("m", 9, "champion"),
    lambda c: c.rollback("m", "champion"),
    lambda c: c.rollback("m", "none"),
    lambda c: c.remove_version("m", 1),
]


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    catalog.add_version("m", "a", 1, "champion")
    catalog.add_version("m", "b", 1, None)
    catalog.add_version("m", "e", 1, None)
    catalog.add_version("m", "d", 1, "newest")
    catalog.promote("m", 1, "shadow")
    catalog.promote("m", 2, "shadow")
    catalog.datasets.add("d", "a", "x")
    return catalog


@pytest.mark.parametrize("change", CHANGES)
def test_the_revision_grows_with_a_change(
    filled: Catalog, change: Callable[[Catalog], object]
) -> None:
    before = filled.revision()
    change(filled)
    assert filled.revision() > before


@pytest.mark.parametrize("read", READS)
def test_the_revision_stays_where_nothing_changes(
    filled: Catalog, read: Callable[[Catalog], object]
) -> None:
    before = filled.revision()
    read(filled)
    assert filled.revision() == before


@pytest.mark.parametrize("fail", FAILURES)
def test_the_revision_stays_where_a_change_is_refused(
    filled: Catalog, fail: Callable[[Catalog], object]
) -> None:
    before = filled.revision()
    with pytest.raises(NumenError):
        fail(filled)
    assert filled.revision() == before


def test_all_of_it_survives_a_reopening(filled: Catalog, any_catalog: str) -> None:
    def all_of(catalog: Catalog) -> object:
        return (
            catalog.versions("m"),
            catalog.aliases("m"),
            catalog.datasets.newest(),
            catalog.revision(),
        )

    before = all_of(filled)
    filled.close()
    again = Catalog(any_catalog)
    assert all_of(again) == before
    assert again.rollback("m", "shadow") == 1
    again.close()


def test_sqlite_keeps_a_write_ahead_log_and_waits_for_the_disk(
    tmp_path: Path,
) -> None:
    catalog = Catalog(f"sqlite:///{tmp_path / 'catalog.db'}")
    with sqlite3.connect(tmp_path / "catalog.db") as reader:
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    reader.close()
    with catalog.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
    catalog.close()


@pytest.mark.parametrize("name", ["with space", "a#b", "a%20b", "ü", "a?b", "a@b:c"])
def test_any_folder_can_be_home(name: str, tmp_path: Path) -> None:
    from numen.core.settings import Settings

    catalog = Catalog(Settings(home=str(tmp_path / name)).catalog_url)
    catalog.add_version("m", "a", 1, None)
    catalog.close()
    assert (tmp_path / name / "catalog.db").stat().st_size


PUBLISHERS = """
import os, sys
from pathlib import Path
from numen.store.catalog import Catalog
url, folder = sys.argv[1], Path(sys.argv[2])
read, write = os.pipe()
def publish(who):
    os.close(write)
    os.read(read, 1)  # ends when the parent lets all start at once
    catalog = Catalog(url)
    added = [catalog.add_version("m", f"{who}-{i}", 1, "champion") for i in range(10)]
    text = "".join(f"{version.version} {version.digest}\\n" for version in added)
    (folder / str(who)).write_text(text)
for who in range(8):
    if os.fork() == 0:
        try:
            publish(who)
            os._exit(0)
        except BaseException as error:
            print(type(error).__name__, error, file=sys.stderr, flush=True)
            os._exit(1)
os.close(write)
sys.exit(sum(os.waitstatus_to_exitcode(os.wait()[1]) != 0 for _ in range(8)))
"""


def test_eight_processes_publish_on_a_new_catalog_and_none_is_lost(
    any_catalog: str, tmp_path: Path
) -> None:
    url = any_catalog
    said = tmp_path / "said"
    said.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", PUBLISHERS, url, str(said)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    given = sorted(
        (int(version), digest)
        for path in said.iterdir()
        for version, digest in (line.split() for line in path.read_text().splitlines())
    )
    catalog = Catalog(url)
    listed = [(v.version, v.digest) for v in catalog.versions("m")]
    assert listed == given
    assert [version for version, _ in listed] == list(range(1, 81))
    assert catalog.aliases("m") == {"champion": 80}
    assert catalog.revision() == 80
    catalog.close()


def test_eight_threads_share_a_catalog(catalog: Catalog) -> None:
    given: list[int] = []

    def publish(who: int) -> None:
        given.extend(
            catalog.add_version("m", f"{who}-{i}", 1, "champion").version for i in range(10)
        )

    threads = [threading.Thread(target=publish, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(1, 81))
    assert len(catalog.versions("m")) == 80


class Story(RuleBasedStateMachine):
    """Any order of publish, promote, roll back and remove, against a model of dicts."""

    def __init__(self) -> None:
        super().__init__()
        self.catalog = Catalog("sqlite:///:memory:")
        self.versions: dict[int, str] = {}
        self.last = 0
        self.alias: int | None = None
        self.past: list[int] = []

    def teardown(self) -> None:
        self.catalog.close()

    def _move(self, version: int) -> None:
        if self.alias not in (None, version):
            self.past.append(self.alias)
        self.alias = version

    @rule(digest=st.sampled_from("ab"), promoted=st.booleans())
    def publish(self, digest: str, promoted: bool) -> None:
        newest = max(self.versions, default=0)
        if self.versions.get(newest) != digest:
            self.last += 1
            newest = self.last
            self.versions[newest] = digest
        added = self.catalog.add_version("m", digest, 1, "champion" if promoted else None)
        assert added.version == newest
        if promoted:
            self._move(newest)

    @precondition(lambda self: self.versions)
    @rule(data=st.data())
    def promote(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.versions)))
        self.catalog.promote("m", version, "champion")
        self._move(version)

    @precondition(lambda self: self.alias is not None)
    @rule()
    def roll_back(self) -> None:
        past = list(self.past)
        while past and (past[-1] not in self.versions or past[-1] == self.alias):
            past.pop()
        if not past:
            with pytest.raises(Conflict):
                self.catalog.rollback("m", "champion")
            return
        self.alias = past.pop()
        self.past = past
        assert self.catalog.rollback("m", "champion") == self.alias

    @precondition(lambda self: self.versions)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.versions)))
        if version == self.alias:
            with pytest.raises(Conflict):
                self.catalog.remove_version("m", version)
            return
        self.catalog.remove_version("m", version)
        del self.versions[version]

    @invariant()
    def agrees(self) -> None:
        found = {v.version: v.digest for v in self.catalog.versions("m")} if self.versions else {}
        assert found == self.versions
        assert self.catalog.aliases("m").get("champion") == self.alias


TestStory = Story.TestCase
TestStory.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
