"""Blobs: folders by digest that are there whole or not at all, on a disk and elsewhere."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from numen.core.errors import CorruptBundle, InvalidInput, NotFound
from numen.store.blobs import Blobs
from stores import Bucket

DIGEST = "sha256:" + "a" * 64


def folder_of(path: Path, text: str = "graph") -> Path:
    (path / "plots").mkdir(parents=True)
    (path / "predict.onnx").write_text(text)
    (path / "plots" / "loss.png").write_text("png")
    return path


@pytest.fixture(params=["local", "memory", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "local":
        return Blobs(str(tmp_path / "blobs"), tmp_path / "cache")
    if request.param == "s3":
        bucket: Bucket = request.getfixturevalue("bucket")
        return Blobs(bucket.new(), tmp_path / "cache")
    return Blobs(f"memory://{uuid.uuid4().hex}", tmp_path / "cache")


def contents(path: Path) -> dict[str, str]:
    return {str(p.relative_to(path)): p.read_text() for p in path.rglob("*") if p.is_file()}


WHOLE = {"predict.onnx": "graph", "plots/loss.png": "png"}


def test_what_is_put_is_there(blobs: Blobs, tmp_path: Path) -> None:
    assert not blobs.has("bundles", DIGEST)
    with pytest.raises(NotFound, match=f"no bundles {DIGEST}"):
        blobs.path("bundles", DIGEST)
    blobs.put("bundles", DIGEST, folder_of(tmp_path / "in"))
    assert blobs.has("bundles", DIGEST)
    assert not blobs.has("data", DIGEST)
    assert contents(blobs.path("bundles", DIGEST)) == WHOLE
    assert blobs.path("bundles", DIGEST) == blobs.path("bundles", DIGEST)


def test_putting_again_changes_nothing(blobs: Blobs, tmp_path: Path) -> None:
    blobs.put("bundles", DIGEST, folder_of(tmp_path / "1"))
    blobs.put("bundles", DIGEST, folder_of(tmp_path / "2", "another"))
    assert contents(blobs.path("bundles", DIGEST)) == WHOLE


def test_removing_twice_is_removing_once(blobs: Blobs, tmp_path: Path) -> None:
    blobs.put("bundles", DIGEST, folder_of(tmp_path / "in"))
    for _ in range(2):
        blobs.remove("bundles", DIGEST)
        assert not blobs.has("bundles", DIGEST)
    blobs.put("bundles", DIGEST, folder_of(tmp_path / "in2"))
    assert contents(blobs.path("bundles", DIGEST)) == WHOLE


def test_many_writers_of_one_digest_leave_one_whole(blobs: Blobs, tmp_path: Path) -> None:
    folders = [folder_of(tmp_path / f"in-{i}") for i in range(8)]
    barrier = threading.Barrier(8)
    failed: list[BaseException] = []

    def put(folder: Path) -> None:
        barrier.wait()
        try:
            blobs.put("bundles", DIGEST, folder)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=put, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert contents(blobs.path("bundles", DIGEST)) == WHOLE
    store = tmp_path / "blobs" / "bundles"
    if store.is_dir():
        assert [p.name for p in store.iterdir()] == [DIGEST.replace(":", "-")]


def test_a_put_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path / "blobs"), tmp_path / "cache")
    with pytest.raises(OSError, match="gone"):
        blobs.put("bundles", DIGEST, tmp_path / "gone")
    assert not blobs.has("bundles", DIGEST)
    assert list((tmp_path / "blobs" / "bundles").iterdir()) == []


# Elsewhere


@pytest.fixture
def away(tmp_path: Path) -> tuple[Blobs, str]:
    root = f"/{uuid.uuid4().hex}"
    return Blobs(f"memory:/{root}", tmp_path / "cache"), f"{root}/bundles/sha256-{'a' * 64}"


def test_what_has_no_marker_does_not_exist(away: tuple[Blobs, str], tmp_path: Path) -> None:
    blobs, base = away
    memory = fsspec.filesystem("memory")
    memory.pipe_file(f"{base}/predict.onnx", b"half an upload")
    assert not blobs.has("bundles", DIGEST)
    with pytest.raises(NotFound):
        blobs.path("bundles", DIGEST)
    blobs.put("bundles", DIGEST, folder_of(tmp_path / "in"))  # the upload is done again
    assert contents(blobs.path("bundles", DIGEST)) == WHOLE
    memory.rm_file(f"{base}/.complete")
    assert not blobs.has("bundles", DIGEST)


def test_the_marker_goes_first_when_a_blob_is_removed(
    away: tuple[Blobs, str], tmp_path: Path
) -> None:
    blobs, base = away
    blobs.put("bundles", DIGEST, folder_of(tmp_path / "in"))
    blobs.remove("bundles", DIGEST)
    assert not fsspec.filesystem("memory").exists(base)


def test_a_copy_is_fetched_once(away: tuple[Blobs, str], tmp_path: Path) -> None:
    blobs, base = away
    blobs.put("bundles", DIGEST, folder_of(tmp_path / "in"))
    copy = blobs.path("bundles", DIGEST)
    assert copy.is_relative_to(tmp_path / "cache")
    fsspec.filesystem("memory").rm_file(f"{base}/predict.onnx")
    assert contents(blobs.path("bundles", DIGEST)) == WHOLE


class Elsewhere(LocalFileSystem):
    """A disk that is not here. (The memory file system's readers share one place in a file.)"""

    protocol = ("elsewhere",)

    def __init__(self, **how: object):
        super().__init__(auto_mkdir=True, **how)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(str(path).removeprefix("elsewhere://"))


def test_many_readers_fetch_whole_copies(tmp_path: Path) -> None:
    fsspec.register_implementation("elsewhere", Elsewhere, clobber=True)
    blobs = Blobs(f"elsewhere://{tmp_path / 'far'}", cache=tmp_path / "cache")
    blobs.put("bundles", DIGEST, folder_of(tmp_path / "in"))
    barrier = threading.Barrier(8)
    seen: list[dict[str, str]] = []

    def fetch() -> None:
        barrier.wait()
        seen.append(contents(blobs.path("bundles", DIGEST)))

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [WHOLE] * 8
    assert len(list((tmp_path / "cache" / "copies" / "bundles").iterdir())) == 1


def _lose(base: str) -> None:
    fsspec.filesystem("memory").rm_file(f"{base}/predict.onnx")


def _escape(base: str) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file(f"{base}/.complete", json.dumps(["predict.onnx", "../../../evil"]).encode())


@pytest.mark.parametrize(
    ("harm", "error"), [(_lose, CorruptBundle), (_escape, InvalidInput)], ids=["lost", "escape"]
)
def test_a_fetch_that_fails_leaves_no_copy(
    away: tuple[Blobs, str], tmp_path: Path, harm: Callable[[str], None], error: type[Exception]
) -> None:
    blobs, base = away
    blobs.put("bundles", DIGEST, folder_of(tmp_path / "in"))
    harm(base)
    with pytest.raises(error):
        blobs.path("bundles", DIGEST)
    assert contents(tmp_path / "cache") == {}
    assert not (tmp_path / "evil").exists()
