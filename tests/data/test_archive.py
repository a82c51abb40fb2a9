"""Archives: what is in them is found again, and what does harm is refused."""

from __future__ import annotations

import io
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from data_files import paint

from numen.core.errors import InvalidData
from numen.data import archive
from numen.data.dataset import Dataset

FORMS = {".zip": "zip", ".tar": "tar", ".tar.gz": "gztar", ".tar.bz2": "bztar", ".tar.xz": "xztar"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, shade in (("cat", 10), ("dog", 200)):
        for number in range(5):
            paint(tmp_path / "pets" / name / f"{number}.png", shade, seed=number)
    return tmp_path / "pets"


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("inner", [False, True])
def test_an_archive_is_read_as_its_folder(folder: Path, suffix: str, inner: bool) -> None:
    root = folder.parent if inner else folder
    base = "pets" if inner else "."
    made = shutil.make_archive(str(folder.parent / "packed"), FORMS[suffix], root, base)
    assert made.endswith(suffix)
    data = Dataset.open(made)
    assert (data.labels, data.digest) == (("cat", "dog"), Dataset.open(folder).digest)
    assert not list((Path(data.folder).parents[2] / "work").iterdir())


def test_it_is_read_again_only_when_it_changed(folder: Path) -> None:
    made = shutil.make_archive(str(folder), "zip", folder)
    before = Dataset.open(made)
    assert Dataset.open(made).folder == before.folder
    paint(folder / "dog" / "new.png")
    shutil.make_archive(str(folder), "zip", folder)
    assert len(Dataset.open(made).train) + len(Dataset.open(made).test) == 11


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def tarred(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as file:
        for member in members:
            file.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 1) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, "a/1.png", size if kind == tarfile.REGTYPE else 0
    return info


@pytest.mark.parametrize(
    "name", ["../up.png", "a/../../up.png", "/etc/up.png", "c:/up.png", "..\\up.png"]
)
def test_a_name_that_leads_out(tmp_path: Path, name: str) -> None:
    for made in (
        zipped(tmp_path / "a.zip", **{name: b"x"}),
        tarred(tmp_path / "a.tar", member(name)),
    ):
        with pytest.raises(InvalidData, match="leads out of the archive"):
            archive.unpack(made, tmp_path / "into" / made.name)
    assert not list(tmp_path.rglob("up.png"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices(tmp_path: Path, kind: bytes) -> None:
    made = tarred(tmp_path / "a.tar", member("a/2.png", kind))
    with pytest.raises(InvalidData, match=r'"a/2\.png" is a link or device'):
        archive.unpack(made, tmp_path / "into")


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a/1.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    with pytest.raises(InvalidData, match="is a link or device"):
        archive.names(tmp_path / "a.zip")


def test_a_bomb(tmp_path: Path) -> None:
    made = zipped(tmp_path / "a.zip", **{"a/1.png": bytes(100_000_000)})
    assert made.stat().st_size * archive.RATIO < archive.SPARE
    with pytest.raises(InvalidData, match="over 100 times its size"):
        archive.unpack(made, tmp_path / "into")
    assert sum(path.stat().st_size for path in (tmp_path / "into").rglob("*.png")) < 70_000_000


def test_one_name_twice(tmp_path: Path) -> None:
    made = tarred(tmp_path / "a.tar", member("a/1.png"), member("a/1.png"))
    with pytest.raises(InvalidData, match=r'"a/1\.png" stands in it twice'):
        archive.unpack(made, tmp_path / "one")
    made = tarred(tmp_path / "a.tar", member("a"), member("a/1.png"))
    with pytest.raises(InvalidData, match="stands in it twice"):
        archive.unpack(made, tmp_path / "two")


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    names = ("a/1.png", "a/.DS_Store", "__MACOSX/a/._1.png", ".git/x")
    made = zipped(tmp_path / "a.zip", **dict.fromkeys(names, b"x"))
    assert archive.names(made) == ("a/1.png",)
    into = archive.unpack(made, tmp_path / "into")
    assert [path.name for path in into.rglob("*") if path.is_file()] == ["1.png"]


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("content", [b"", b"hello", None], ids=["empty", "text", "cut"])
def test_a_broken_archive_is_named(folder: Path, suffix: str, content: bytes | None) -> None:
    made = Path(shutil.make_archive(str(folder.parent / "packed"), FORMS[suffix], folder))
    made.write_bytes(made.read_bytes()[: made.stat().st_size // 2] if content is None else content)
    with pytest.raises(InvalidData, match=r"packed\."):
        Dataset.open(made)


def test_an_encrypted_zip(tmp_path: Path) -> None:
    made = zipped(tmp_path / "a.zip", **{"a/1.png": b"x"})
    data = bytearray(made.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    made.write_bytes(data)
    with pytest.raises(InvalidData, match=r"the archive is broken: .*encrypted"):
        archive.unpack(made, tmp_path / "into")
