"""Keys on disk: no secret is there, every change is seen, old catalogs get their table."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from numen.core.errors import InvalidInput, NotFound
from numen.core.key import Key, digest
from numen.store.catalog import Catalog
from numen.store.keys import Keys, follow


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catalog.db'}"


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    found = Catalog(url)
    yield found
    found.close()


def test_keys_are_made_listed_and_taken_back(any_catalog: str) -> None:
    catalog = Catalog(any_catalog)
    keys = Keys(catalog.database)
    before = catalog.revision()
    assert keys.all() == []
    first, secret = keys.create("first")
    assert catalog.revision() > before
    second, other = keys.create(
        "second", models=["m", "n"], actions=["manage", "read"], expires="1h", max_concurrency=3
    )
    assert secret != other
    assert keys.all() in ([first, second], [second, first])  # of one second
    assert (first.digest, second.digest) == (digest(secret.encode()), digest(other.encode()))
    assert (second.models, second.actions) == (("m", "n"), ("read", "manage"))
    assert second.expires is not None
    assert abs(second.expires - time.time() - 3600) < 60
    assert second.max_concurrency == 3
    before = catalog.revision()
    revoked = keys.revoke(first.id)
    assert revoked.revoked is not None
    assert catalog.revision() > before
    before = catalog.revision()
    assert keys.revoke(first.id) == revoked
    with pytest.raises(NotFound, match='"00000000" does not exist'):
        keys.revoke("00000000")
    assert catalog.revision() == before
    again = {key.id: key for key in Keys(catalog.database).all()}
    assert again == {first.id: revoked, second.id: second}
    catalog.close()


def test_keys_that_were_made_elsewhere_take_the_place_of_all(catalog: Catalog, tmp_path) -> None:
    keys = Keys(catalog.database)
    keys.create("mine")
    other = Catalog(f"sqlite:///{tmp_path}/other.db")
    made = [Keys(other.database).create(name, models=["m"])[0] for name in ("a", "b")]
    keys.replace(made)
    assert sorted(keys.all(), key=lambda key: key.name) == made
    other.close()


def test_a_secret_is_not_taken_for_an_id_nor_said_again(catalog: Catalog) -> None:
    keys = Keys(catalog.database)
    _, secret = keys.create("k")
    with pytest.raises(InvalidInput, match="that is a key's secret") as caught:
        keys.revoke(secret)
    assert secret not in str(caught.value)


def test_no_file_holds_a_secret(catalog: Catalog, tmp_path: Path) -> None:
    keys = Keys(catalog.database)
    secrets = [keys.create(f"k{i}")[1].encode() for i in range(5)]
    catalog.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        data = path.read_bytes()
        for secret in secrets:
            assert secret[3:] not in data


def test_a_catalog_from_before_keys_gets_its_table(catalog: Catalog, tmp_path: Path) -> None:
    catalog.add_version("m", "a", 1, None)
    with sqlite3.connect(tmp_path / "catalog.db") as raw:
        tables = {row[0] for row in raw.execute("SELECT name FROM sqlite_master")}
    raw.close()
    assert "keys" not in tables
    before = catalog.revision()
    keys = Keys(catalog.database)
    assert catalog.revision() == before, "only looking changes nothing"
    assert len([keys.create("k"), *keys.all()]) == 2
    assert catalog.models() == ["m"]


def test_who_follows_sees_every_change(catalog: Catalog) -> None:
    keys = Keys(catalog.database)
    seen: list[list[Key]] = []

    async def until(count: int) -> None:
        async with asyncio.timeout(20):
            while not seen or len(seen[-1]) < count:
                await asyncio.sleep(0.005)

    async def main() -> None:
        following = asyncio.create_task(follow(keys, seen.append, 0.01))
        for count in range(1, 4):
            await asyncio.to_thread(keys.create, f"k{count}")
            await until(count)
        told = len(seen)
        await asyncio.sleep(0.1)
        assert len(seen) == told, "it tells of changes only"
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following

    asyncio.run(main())


def test_a_database_that_is_away_leaves_keys_as_they_are(catalog: Catalog, tmp_path: Path) -> None:
    keys = Keys(catalog.database)
    keys.create("k")
    seen: list[list[Key]] = []

    async def main() -> None:
        following = asyncio.create_task(follow(keys, seen.append, 0.01))
        async with asyncio.timeout(20):
            while not seen:
                await asyncio.sleep(0.005)
            (tmp_path / "catalog.db").rename(tmp_path / "gone")
            catalog.close()
            (tmp_path / "catalog.db").mkdir()
            await asyncio.sleep(0.1)
            assert len(seen) == 1
            assert not following.done()
            (tmp_path / "catalog.db").rmdir()
            (tmp_path / "gone").rename(tmp_path / "catalog.db")
            await asyncio.to_thread(keys.create, "l")
            while len(seen[-1]) < 2:
                await asyncio.sleep(0.005)
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following

    asyncio.run(main())
