"""A bundle: written whole or not at all, and believed only byte by byte."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numen.core import bundle as rules
from numen.core.bundle import (
    GOLDEN,
    MANIFEST,
    MAX_FILES,
    MAX_GOLDEN,
    MAX_MANIFEST,
    Bundle,
    Golden,
    file_digest,
    pack_golden,
)
from numen.core.errors import CorruptBundle, InvalidInput, NotFound
from numen.core.manifest import File, Manifest, Variant
from numen.core.signature import Signature, TensorSpec

SIGNATURE = Signature(
    (TensorSpec("x", "float32", (None, 2)),), (TensorSpec("y", "float32", (None,)),)
)
PLAIN = Manifest(SIGNATURE, (Variant("fp32", "onnx", "predict.onnx"),), metrics={"loss": 0.5})
FILES: dict[str, Path | bytes] = {"predict.onnx": b"graph", "plots/loss.png": b"png"}


@pytest.fixture
def written(tmp_path: Path) -> Bundle:
    return Bundle.write(tmp_path / "b", PLAIN, FILES)


def rewrite(bundle: Bundle, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes the manifest as an attacker would: its digest is then right for what it says."""
    place = bundle.path / MANIFEST
    said = json.loads(place.read_bytes())
    change(said)
    place.write_text(json.dumps(said))


# Round trip


def test_what_is_written_is_read(written: Bundle, tmp_path: Path) -> None:
    opened = Bundle.open(tmp_path / "b", written.digest)
    assert opened == written
    assert opened.manifest.signature == SIGNATURE
    assert opened.manifest.metrics == {"loss": 0.5}
    assert [file.path for file in opened.manifest.files] == ["plots/loss.png", "predict.onnx"]
    assert opened.file("plots/loss.png").read_bytes() == b"png"
    with pytest.raises(NotFound, match=r'no file "card\.md"'):
        opened.file("card.md")


def test_files_are_copied_from_paths_and_bytes_alike(tmp_path: Path) -> None:
    source = tmp_path / "graph"
    source.write_bytes(b"graph")
    one = Bundle.write(tmp_path / "1", PLAIN, {"predict.onnx": source})
    two = Bundle.write(tmp_path / "2", PLAIN, {"predict.onnx": b"graph"})
    assert one.digest == two.digest
    assert source.read_bytes() == b"graph"


def test_the_digest_is_of_contents_only(written: Bundle, tmp_path: Path) -> None:
    other = Bundle.write(tmp_path / "deep" / "er" / "c", PLAIN, dict(reversed(list(FILES.items()))))
    assert other.digest == written.digest
    assert written.digest == "sha256:" + file_digest(written.path / MANIFEST)
    for place in [*other.path.rglob("*"), other.path]:
        os.utime(place, (1, 1))
    moved = shutil.move(other.path, tmp_path / "moved")
    assert Bundle.open(Path(moved)).digest == written.digest


def test_the_digest_is_of_all_contents(written: Bundle, tmp_path: Path) -> None:
    changed = Bundle.write(tmp_path / "c", PLAIN, {**FILES, "predict.onnx": b"grapH"})
    renamed = Bundle.write(tmp_path / "d", PLAIN, {"predict.onnx": b"graph", "loss.png": b"png"})
    assert len({written.digest, changed.digest, renamed.digest}) == 3


SEGMENT = st.text(
    st.characters(exclude_characters="/\\:\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda part: part not in (".", "..") and len(part.encode()) < 200)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(SEGMENT, min_size=1, max_size=3).map("/".join).filter(lambda n: n != MANIFEST))
def test_any_plain_name_goes_in_and_comes_out(tmp_path: Path, name: str) -> None:
    target = tmp_path / "any"
    shutil.rmtree(target, ignore_errors=True)
    bundle = Bundle.write(target, PLAIN, {"predict.onnx": b"", f"at/{name}": b"x"})
    opened = Bundle.open(target, bundle.digest)
    assert opened.file(f"at/{name}").read_bytes() == b"x"


ESCAPES = [
    "", ".", "..", "../x", "a/../../x", "a/..", "/etc/passwd", "//x", "a//b", "./a", "a/./b", "a/",
    "..\\x", "a\\b", "C:x", "C:/x", MANIFEST,
]  # fmt: skip


@pytest.mark.parametrize("name", ESCAPES)
def test_a_name_that_is_not_plain_is_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="expected a plain relative path"):
        Bundle.write(tmp_path / "in" / "b", PLAIN, {**FILES, name: b"x"})
    assert [p.name for p in tmp_path.rglob("*")] == ["in"]


@pytest.mark.parametrize("name", ESCAPES)
def test_a_name_that_is_not_plain_is_not_read(name: str, written: Bundle) -> None:
    outside = written.path.parent / "x"
    outside.write_bytes(b"x")

    def escape(said: dict[str, Any]) -> None:
        said["files"].append({"path": name, "sha256": hashlib.sha256(b"x").hexdigest(), "size": 1})

    rewrite(written, escape)
    with pytest.raises(CorruptBundle):
        Bundle.open(written.path)


# Written whole or not at all


class Stream(dict[str, "Path | bytes"]):
    """Files of which the last cannot be read, after the others were written."""

    def items(self) -> Any:
        return [("a", b"a"), ("predict.onnx", b"graph"), ("z", Path("/nonexistent/z"))]


def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nonexistent"):
        Bundle.write(tmp_path / "b", PLAIN, Stream())
    assert list(tmp_path.iterdir()) == []


def test_an_existing_bundle_is_not_replaced(written: Bundle) -> None:
    with pytest.raises(InvalidInput, match="exists already"):
        Bundle.write(written.path, PLAIN, {"predict.onnx": b"other"})
    assert Bundle.open(written.path, written.digest) == written
    assert [p.name for p in written.path.parent.iterdir()] == ["b"]


# Distrust


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["predict.onnx", "plots/loss.png"])
def test_a_flipped_bit_is_found(name: str, written: Bundle) -> None:
    flip(written.path / name)
    with pytest.raises(CorruptBundle, match=f"{name}: contents are not what was written"):
        Bundle.open(written.path)
    assert Bundle.open(written.path, verify=False).manifest == written.manifest


def test_a_flipped_bit_of_the_manifest_is_found(written: Bundle) -> None:
    place = written.path / MANIFEST
    place.write_bytes(place.read_bytes().replace(b"0.5", b"0.6"))
    with pytest.raises(CorruptBundle, match=f"expected {written.digest}, received sha256:"):
        Bundle.open(written.path, written.digest)


@pytest.mark.parametrize("verify", [True, False])
def test_a_missing_a_longer_and_a_shorter_file_are_found(written: Bundle, verify: bool) -> None:
    place = written.path / "predict.onnx"
    place.write_bytes(b"graph!")
    with pytest.raises(CorruptBundle, match=r"predict\.onnx: expected 5 bytes, found 6"):
        Bundle.open(written.path, verify=verify)
    place.write_bytes(b"grap")
    with pytest.raises(CorruptBundle, match="found 4"):
        Bundle.open(written.path, verify=verify)
    place.unlink()
    with pytest.raises(CorruptBundle, match=r"predict\.onnx is missing or lies outside"):
        Bundle.open(written.path, verify=verify)
    place.mkdir()
    with pytest.raises(CorruptBundle, match="is missing"):
        Bundle.open(written.path, verify=verify)


def test_a_link_that_leaves_the_directory_is_refused(written: Bundle, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_bytes(b"graph")
    place = written.path / "predict.onnx"
    place.unlink()
    place.symlink_to(outside)
    with pytest.raises(CorruptBundle, match="lies outside"):
        Bundle.open(written.path)


def test_a_directory_linked_out_of_the_bundle_is_refused(written: Bundle, tmp_path: Path) -> None:
    shutil.move(written.path / "plots", tmp_path / "plots")
    (written.path / "plots").symlink_to(tmp_path / "plots")
    with pytest.raises(CorruptBundle, match="lies outside"):
        Bundle.open(written.path)


def test_no_bundle_is_not_found(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(NotFound, match=r"no manifest\.json"):
            Bundle.open(path)


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "unknown field": lambda said: said.update(loader="evil:run"),
    "unknown field inside": lambda said: said["variants"][0].update(command="rm"),
    "no signature": lambda said: said.pop("signature"),
    "another format": lambda said: said.update(format=2),
    "no variants": lambda said: said.update(variants=[]),
    "a variant's file is not listed": lambda said: said["variants"][0].update(file="card.md"),
    "a variant's file outside": lambda said: said["variants"][0].update(file="../x"),
    "an unknown type": lambda said: said["signature"]["inputs"][0].update(dtype="float99"),
    "a negative size": lambda said: said["signature"]["inputs"][0].update(shape=[None, -2]),
    "too many files": lambda said: said.update(files=said["files"] * MAX_FILES),
    "too many bytes": lambda said: said["files"][0].update(size=1 << 40),
    "a negative file size": lambda said: said["files"][0].update(size=-1),
    "a file's size as text": lambda said: said["files"][0].update(size="5"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_manifest_that_says_something_else_is_refused(
    change: Callable[[dict[str, Any]], None], written: Bundle
) -> None:
    rewrite(written, change)
    with pytest.raises(CorruptBundle, match="bundle"):
        Bundle.open(written.path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"null",
        b'{"signature":"\xff"}',
        b'{"signature":{"inputs":[],"outputs":[]},"variants":[],"recipe":'
        + b'{"a":[' * 100_000
        + b"]}" * 100_000
        + b"}",
        b" " * (MAX_MANIFEST + 1),
    ],
    ids=["empty", "cut short", "null", "not UTF-8", "deep", "over the limit"],
)
def test_a_manifest_that_is_none_is_refused(text: bytes, written: Bundle) -> None:
    (written.path / MANIFEST).write_bytes(text)
    with pytest.raises(CorruptBundle, match=MANIFEST):
        Bundle.open(written.path)


@given(st.binary(max_size=400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bytes_as_a_manifest_do_more_than_be_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(text)
    with pytest.raises(CorruptBundle):
        Bundle.open(tmp_path)


# Golden samples


def with_golden(folder: Path, data: bytes) -> Bundle:
    return Bundle.write(folder / "g", PLAIN, {**FILES, GOLDEN: data})


def npz(members: dict[str, bytes], **options: Any) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


def npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    target = io.BytesIO()
    np.save(target, array, allow_pickle=allow_pickle)
    return target.getvalue()


def test_golden_samples_come_back_as_they_were(tmp_path: Path) -> None:
    inputs = {
        "x": np.arange(6, dtype=np.float32).reshape(3, 2),
        "text": np.array(["a", "bcd", "é"], object),
    }
    outputs = {"y": np.array([1, 2, 3], np.int64)}
    golden = with_golden(tmp_path, pack_golden(Golden(inputs, outputs))).golden()
    assert list(golden.inputs) == ["x", "text"]
    for name, array in inputs.items():
        assert golden.inputs[name].dtype == array.dtype
        assert golden.inputs[name].tolist() == array.tolist()
    assert golden.outputs["y"].tolist() == [1, 2, 3]
    assert pack_golden(Golden(inputs, outputs)) == pack_golden(Golden(inputs, outputs))


class Boom:
    """Would tell that it was unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("unpickled",))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "unpickled").exists()


def huge_header() -> bytes:
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000,), }\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + b"\0" * 16


def encrypted() -> bytes:
    data = bytearray(npz({"in:x.npy": npy(np.zeros(2))}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    return bytes(data)


def other_method() -> bytes:
    data = bytearray(npz({"in:x.npy": npy(np.zeros(2))}))
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(mark) + at] = 99
    return bytes(data)


BAD_GOLDEN = {
    "not a zip": b"graph",
    "a bare pickle": pickle.dumps(Boom()),
    "a bare array": npy(np.zeros(2)),
    "a pickled array": npz({"in:x.npy": npy(np.array([Boom()], object), allow_pickle=True)}),
    "a pickle as a member": npz({"in:x.npy": pickle.dumps(Boom())}),
    "a member that is no array": npz({"in:x": b"text"}),
    "a cut array": npz({"in:x.npy": npy(np.zeros(100))[:-8]}),
    "an empty member": npz({"in:x.npy": b""}),
    "a header of a petabyte": npz({"in:x.npy": huge_header()}),
    "an encrypted member": encrypted(),
    "an unknown method": other_method(),
}


@pytest.mark.parametrize("data", BAD_GOLDEN.values(), ids=BAD_GOLDEN)
def test_golden_samples_that_are_not_plain_arrays_are_refused(data: bytes, elsewhere: Path) -> None:
    bundle = with_golden(elsewhere, data)
    with pytest.raises(CorruptBundle, match=r"golden\.npz"):
        bundle.golden()


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_golden_samples_cut_or_flipped_are_refused(cut: float, tmp_path: Path) -> None:
    data = npz(
        {"in:x.npy": npy(np.random.default_rng(0).random(500))}, compression=zipfile.ZIP_DEFLATED
    )
    bundle = with_golden(tmp_path, data[: int(len(data) * cut)])
    with pytest.raises(CorruptBundle, match=r"golden\.npz"):
        bundle.golden()
    flipped = bytearray(data)
    flipped[int(len(data) * cut)] ^= 0xFF
    bundle = with_golden(tmp_path / "flipped", bytes(flipped))
    with pytest.raises(CorruptBundle, match=r"golden\.npz"):
        bundle.golden()


def test_a_zip_bomb_is_refused_unopened(tmp_path: Path) -> None:
    target = io.BytesIO()
    with (
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("in:x.npy", "w", force_zip64=True) as member,
    ):
        block = bytes(1 << 24)
        for _ in range(MAX_GOLDEN // len(block) + 1):
            member.write(block)
    data = target.getvalue()
    assert len(data) < MAX_GOLDEN / 100
    with pytest.raises(CorruptBundle, match="unpacks to too much"):
        with_golden(tmp_path, data).golden()


def test_a_bundle_without_golden_samples_says_so(written: Bundle) -> None:
    with pytest.raises(NotFound, match=r"golden\.npz"):
        written.golden()


def test_limits_are_what_the_documents_may_say() -> None:
    assert (rules.MAX_FILES, rules.MAX_GOLDEN) == (1000, 256 << 20)
    assert File("a", "0" * 64, 1).path == "a"
