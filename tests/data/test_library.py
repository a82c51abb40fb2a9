"""The library and the cache: whole or not at all, and nothing parsed twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from data_files import IRIS, IdxFolder

from numen.core.errors import CorruptBundle, InvalidData, InvalidInput, NotFound, NumenError
from numen.data import intake
from numen.data.dataset import Dataset
from numen.data.library import Library
from numen.store.catalog import Catalog


def test_add_open_list_show(library: Library, table: Path) -> None:
    added = library.add("iris", [table])
    assert (added.version.name, added.version.version, added.new) == ("iris", 1, True)
    data = library.open("iris")
    assert data.digest == added.version.digest == added.profile.digest
    assert data.source == str(table)
    assert library.profile("iris@1") == added.profile
    assert [version.name for version in library.ls()] == ["iris"]


def test_versions(library: Library, table: Path) -> None:
    library.add("iris", [table])
    assert not library.add("iris", [table]).new
    table.write_text(IRIS.replace("red", "green"))
    assert library.add("iris", [table]).version.version == 2
    assert library.open("iris").digest == library.open("iris@2").digest
    assert library.open("iris@1").preprocess.columns[1].categories == ("blue", "red")
    assert [each.version for each in library.versions("iris")] == [1, 2]


def test_the_copy_outlives_its_source(library: Library, table: Path) -> None:
    library.add("iris", [table])
    table.unlink()
    assert len(library.open("iris").train) == 80


def test_names_without_a_library_are_looked_up_in_the_settings(
    library: Library, table: Path
) -> None:
    digest = library.add("iris", [table]).version.digest
    assert Dataset.open("iris").digest == digest
    assert Dataset.open("iris@1").digest == digest
    assert Dataset.open("iris", library=library).digest == digest


def test_a_name_in_the_library_hides_a_sample(library: Library, table: Path) -> None:
    library.add("mnist", [table])
    assert Dataset.open("mnist", library=library).preprocess.input == "features"
    assert Dataset.open("sample:mnist", library=library).preprocess.input == "image"


def test_four_files_are_a_folder(library: Library, digits: IdxFolder) -> None:
    files = sorted(digits.folder.iterdir())
    one = library.add("digits", files)
    two = library.add("digits", [digits.folder])
    assert one.version == two.version
    assert library.open("digits").labels == ("0", "1", "2", "3")


def test_two_tables_are_train_and_test(library: Library, tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text(IRIS)
    library.add("iris", [tmp_path / "test.csv", tmp_path / "train.csv"])
    data = library.open("iris")
    assert not data.held_out


@pytest.mark.parametrize("reference", ["iris@2", "absent", "absent@1"])
def test_what_is_not_there(library: Library, table: Path, reference: str) -> None:
    library.add("iris", [table])
    with pytest.raises(NotFound, match=reference.split("@", maxsplit=1)[0]):
        library.open(reference)


def test_datasets_have_no_aliases(library: Library) -> None:
    with pytest.raises(InvalidInput, match="no aliases"):
        library.open("iris@champion")


def contents(root: Path) -> set[str]:
    """Every file under `root` but the catalog's own."""
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)) for path in found if not path.name.startswith("catalog.db")}


def bad_csv(folder: Path) -> list[Path]:
    (folder / "bad.csv").write_text(IRIS + "1,2\n")
    return [folder / "bad.csv"]


def bad_label(folder: Path) -> list[Path]:
    (folder / "train.csv").write_text(IRIS)
    (folder / "test.csv").write_text(IRIS.replace("virginica", "rose"))
    return [folder / "train.csv", folder / "test.csv"]


def bad_idx(folder: Path) -> list[Path]:
    files = IdxFolder(folder / "digits")
    path = files.file("t10k", "images")
    path.write_bytes(path.read_bytes()[:-1])
    return [files.folder]


def bad_picture(folder: Path) -> list[Path]:
    for name in ("a", "b"):
        (folder / "p" / name).mkdir(parents=True)
        (folder / "p" / name / "0.png").write_bytes(b"no")
    return [folder / "p"]


def mixed(folder: Path) -> list[Path]:
    return [*bad_idx(folder), *bad_csv(folder)]


def absent(folder: Path) -> list[Path]:
    return [folder / "absent.csv"]


@pytest.mark.parametrize("make", [bad_csv, bad_label, bad_idx, bad_picture, mixed, absent])
def test_bad_input_leaves_nothing(
    library: Library, catalog: Catalog, home: Path, tmp_path: Path, table: Path, make
) -> None:
    library.add("iris", [table])
    before, revision = contents(home), catalog.revision()
    sources = make(tmp_path)
    with pytest.raises(NumenError):
        library.add("iris", sources)
    with pytest.raises(NumenError):
        Dataset.open(sources[-1] if make is not bad_label else sources[0].parent)
    assert contents(home) == before
    assert catalog.revision() == revision
    assert list((home / "work").iterdir()) == []


@pytest.mark.parametrize("name", ["Iris", "", "a b", "../x"])
def test_bad_names(library: Library, table: Path, home: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="dataset name"):
        library.add(name, [table])
    assert contents(home) == set()


def test_no_sources(library: Library) -> None:
    with pytest.raises(InvalidInput, match="at least one source"):
        library.add("iris", [])


def test_a_blob_that_was_altered(library: Library, table: Path, home: Path) -> None:
    library.add("iris", [table])
    (arrow,) = (home / "blobs" / "data").rglob("train.arrow")
    arrow.write_bytes(arrow.read_bytes()[:300])
    with pytest.raises(CorruptBundle, match=r"train\.arrow"):
        library.open("iris")


def test_the_cache_is_used_while_no_file_changes() -> None:
    first = Dataset.open("sample:mnist")
    written = (first.folder / "dataset.json").stat()
    again = Dataset.open("sample:mnist")
    assert again.folder == first.folder
    assert (again.folder / "dataset.json").stat().st_ino == written.st_ino


def test_the_target_is_part_of_the_cache_key(table: Path) -> None:
    assert Dataset.open(table, target="length").digest != Dataset.open(table).digest


def test_a_change_is_seen_even_with_size_and_time_kept(table: Path) -> None:
    before = Dataset.open(table)
    stat = table.stat()
    table.write_text(IRIS.replace("red", "rod"))
    os.utime(table, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = Dataset.open(table)
    assert after.digest != before.digest


def test_the_cache_is_bounded(table: Path, home: Path) -> None:
    for number in range(intake.KEPT + 2):
        table.write_text(IRIS + f"{number},red,x,setosa\n")
        newest = Dataset.open(table)
    assert len(list((home / "cache" / "data").iterdir())) == intake.KEPT
    assert newest.folder.is_dir()


@pytest.mark.parametrize("where", ["", "x" * 5000, "a\0b", "https://example.org/a.csv"])
def test_odd_places(where: str) -> None:
    with pytest.raises((NotFound, InvalidData)):
        Dataset.open(where)


def test_one_row_cannot_be_divided(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,0.5\n")
    with pytest.raises(InvalidData, match=r"a\.csv: expected at least two"):
        Dataset.open(tmp_path / "a.csv")


def test_a_path_that_is_gone_while_reading(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        intake.convert([str(tmp_path / "x.csv")], None, tmp_path)


def test_unreadable_file(table: Path) -> None:
    table.chmod(0)
    if os.access(table, os.R_OK):
        pytest.skip("root reads everything")
    with pytest.raises(InvalidData, match=r"iris\.csv: Permission denied"):
        Dataset.open(table)
