"""Stores that are away: one error within seconds, no password in it, and well again afterwards."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from numen.core.errors import InvalidInput, NotReady
from numen.store.blobs import Blobs
from numen.store.catalog import Catalog
from numen.store.copies import Copies
from parts import free_port
from stores import PASSWORD, Bucket, Postgres


def refused(do: Callable[[], object], message: str) -> str:
    with pytest.raises(NotReady, match=message) as caught:
        do()
    assert "numen doctor" in str(caught.value.hint)
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_postgres_that_refuses_says_why_and_not_with_which_password(postgres: Postgres) -> None:
    url = postgres.url()
    said = refused(lambda: Catalog(f"{url}_gone"), 'database "postgres_gone" does not exist')
    assert f"postgresql://numen:***@127.0.0.1:{postgres.port}/postgres_gone" in said
    wrong = url.replace("pa%3A", "other")
    said = refused(lambda: Catalog(wrong), "password authentication failed")
    assert "other" not in said
    refused(lambda: Catalog(f"postgresql://u:p@127.0.0.1:{free_port()}/x"), "refused")


def test_a_writer_who_holds_all_others_up_is_not_waited_for(postgres: Postgres) -> None:
    url = postgres.new()
    catalog, other = Catalog(url), Catalog(url)
    with other.database.change():
        assert catalog.revision() == 0, "readers wait for nobody"
        refused(lambda: catalog.add_version("m", "a", 1, None), "lock timeout")
    assert catalog.add_version("m", "a", 1, None).version == 1
    for each in (catalog, other):
        each.close()


@pytest.mark.parametrize(
    "url", ["mysql://u:secret@h/x", "u:secret@h", "postgresql://u:secret@h:x/y"]
)
def test_what_is_no_catalog_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInput, match="expected a URL such as postgresql://") as caught:
        Catalog(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("failures", "well"), [(1, True), (9, False)])
def test_a_bucket_that_fails_is_asked_once_more(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int, well: bool
) -> None:
    from aiobotocore.client import AioBaseClient
    from botocore.exceptions import ClientError

    ask, asked = AioBaseClient._make_api_call, []

    async def fail(self: AioBaseClient, name: str, given: dict[str, object]) -> object:
        if name == "PutObject":
            asked.append(name)
            if len(asked) <= failures:
                raise ClientError({"ResponseMetadata": {"HTTPStatusCode": 500}}, name)
        return await ask(self, name, given)

    monkeypatch.setattr(AioBaseClient, "_make_api_call", fail)
    blobs = Blobs(bucket.new(), tmp_path / "cache")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "a.txt").write_text("a")
    if well:
        blobs.put("bundles", "sha256:1", tmp_path / "made")
        assert blobs.has("bundles", "sha256:1")
    else:
        refused(lambda: blobs.put("bundles", "sha256:1", tmp_path / "made"), "blobs s3://")
        assert len(asked) == 2


def test_a_bucket_that_is_not_there(bucket: Bucket, tmp_path: Path) -> None:
    Blobs(bucket.new(), tmp_path).reach()
    nowhere = Blobs("s3://nowhere/x", tmp_path)
    refused(nowhere.reach, "bucket does not exist")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "file").write_text("text")
    refused(lambda: nowhere.put("bundles", "sha256:a", folder), "bucket does not exist")
    with pytest.raises(InvalidInput, match="expected a folder or a URL"):
        Blobs("nothing://x", tmp_path)


def test_a_listing_is_never_remembered(bucket: Bucket, tmp_path: Path) -> None:
    url = bucket.new()
    one, other = Blobs(url, tmp_path / "1"), Blobs(url, tmp_path / "2")
    assert not other.has("bundles", "sha256:a")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "file").write_text("text")
    one.put("bundles", "sha256:a", folder)
    assert (other.path("bundles", "sha256:a") / "file").read_text() == "text"
    one.remove("bundles", "sha256:a")
    assert not other.has("bundles", "sha256:a")


def test_copies_that_are_too_much_go_the_longest_unused_first(tmp_path: Path) -> None:
    copies = Copies(tmp_path, 250)

    def fetch(folder: Path) -> None:
        (folder / "bytes").write_bytes(b"x" * 100)

    def age(name: str, days: float) -> None:
        then = time.time() - days * 86_400
        os.utime(tmp_path / "bundles" / name, (then, then))

    for name in "abc":
        copies.take("bundles", name, fetch)
    (tmp_path / "bundles" / ".d.killed").mkdir()
    age(".d.killed", 2)
    assert all(copies.find("bundles", name) for name in "abc"), "all were used within a day"
    age("a", 3)
    age("b", 2)
    assert copies.find("bundles", "a"), "it is used now"
    copies.take("data", "e", fetch)
    left = {path.name for path in tmp_path.glob("*/*")}
    assert left == {"a", "c", "e"}
    assert copies.forget("bundles", "a")
    assert not copies.forget("bundles", "a")
