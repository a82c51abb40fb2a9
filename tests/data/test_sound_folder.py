"""Folders of sounds: classes, tables beside them, rates, lengths, groups, and what is broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_files import paint, sing

from numen.core.errors import InvalidData, InvalidInput
from numen.core.manifest import AudioInput
from numen.data.dataset import Dataset
from numen.data.profile import examine


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for name, hertz in (("high", 2_000), ("low", 300)):
        for number in range(6):
            sing(tmp_path / "tones" / name / f"{number}.wav", hertz, seed=number)
    return tmp_path / "tones"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A flat folder of 24 sounds by four people, and its table."""
    lines = ["file_name,label,who"]
    for number in range(24):
        name = f"{number:02}.wav"
        sing(tmp_path / "flat" / name, 300 + 1_700 * (number % 2), seed=number)
        lines.append(f"{name},{['low', 'high'][number % 2]},p{number // 6}")
    (tmp_path / "flat" / "metadata.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "flat"


def test_class_folders(sounds: Path) -> None:
    data = Dataset.open(sounds)
    assert data.labels == ("high", "low")
    assert data.preprocess == AudioInput("audio", 8_000, 2_400)
    assert data.spec.shape == (None, 2_400)
    batch = data.train.arrays()
    assert batch.inputs["audio"].dtype == np.float32
    peak = np.abs(np.fft.rfft(batch.inputs["audio"])).argmax(axis=1)
    np.testing.assert_array_equal(peak < 300, batch.target == 1)


def test_samples_are_those_of_the_file(sounds: Path) -> None:
    data = Dataset.open(sounds)
    stored = data.train.stored_rows()
    first, _ = soundfile.read(sounds / "high" / f"{stored[0]}.wav", dtype="float32")
    np.testing.assert_array_equal(data.train.arrays().inputs["audio"][0], first)
    (one,) = data.train.take([3]).batches(1)
    np.testing.assert_array_equal(one.inputs["audio"][0], data.train.arrays().inputs["audio"][3])


def test_splits_by_folder(sounds: Path) -> None:
    root = sounds.parent / "set"
    shutil.copytree(sounds, root / "train")
    sing(root / "test" / "low" / "0.wav", 300)
    sing(root / "validation" / "high" / "0.wav", 2_000)
    data = Dataset.open(root)
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 12, "test": 1, "validation": 1,
    }  # fmt: skip


def test_rates_and_channels_are_made_one(sounds: Path) -> None:
    sing(sounds / "low" / "other.wav", 300, rate=44_100, channels=2)
    data = Dataset.open(sounds)
    assert data.preprocess == AudioInput("audio", 8_000, 2_400)
    assert "1 of 13 sounds are of other rates and are brought to 8000 Hz" in data.notes
    assert "1 of 13 sounds have several channels, which are mixed to one" in data.notes


def test_rates_over_16_kilohertz_are_lowered(tmp_path: Path) -> None:
    for name, hertz in (("a", 300), ("b", 2_000)):
        for number in range(3):
            sing(tmp_path / "s" / name / f"{number}.flac", hertz, rate=44_100, seed=number)
    assert Dataset.open(tmp_path / "s").preprocess == AudioInput("audio", 16_000, 4_800)


def test_nearly_all_lengths_fit(tmp_path: Path) -> None:
    for number in range(120):
        for name in "ab":
            seconds = 2.0 if name == "a" and not number else 0.11 + number / 1e4
            sing(tmp_path / "s" / name / f"{number}.ogg", 300, seconds=seconds, seed=number)
    data = Dataset.open(tmp_path / "s")
    assert data.preprocess.samples < 0.13 * 8_000
    assert any("last longer than 0.12 s and are cut there" in note for note in data.notes)


def test_lossless_formats_have_one_digest(sounds: Path) -> None:
    other = sounds.parent / "other"
    for path in sounds.rglob("*.wav"):
        samples, rate = soundfile.read(path, dtype="int16")
        target = other / path.parent.name / path.with_suffix(".flac").name
        target.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, samples, rate)
    packed = shutil.make_archive(str(other), "gztar", other)
    assert {Dataset.open(each).digest for each in (sounds, other, packed)} == {
        Dataset.open(sounds).digest
    }


def test_a_table_of_files(table: Path) -> None:
    data = Dataset.open(table, target="label")
    assert (data.labels, data.held_out) == (("high", "low"), True)
    assert len(data.train) + len(data.test) == 24
    packed = shutil.make_archive(str(table), "zip", table)
    assert Dataset.open(packed, target="label").digest == data.digest


def test_whole_groups_are_held_out(table: Path) -> None:
    data = Dataset.open(table, group="who")
    assert (len(data.train), len(data.test), data.target) == (18, 6, "label")
    together = np.concatenate(
        [data.train.arrays().inputs["audio"], data.test.arrays().inputs["audio"]]
    )
    files = np.stack([soundfile.read(table / f"{n:02}.wav", dtype="float32")[0] for n in range(24)])
    order = [int((files == row).all(axis=1).argmax()) for row in together]
    assert len({n // 6 for n in order[18:]}) == 1
    assert sorted(order) == list(range(24))


def test_the_table_says_the_splits(table: Path) -> None:
    text = (table / "metadata.csv").read_text().splitlines()
    split = ["split", *["training"] * 12, *["dev"] * 6, *["TEST"] * 6]
    lines = [f"{line},{each}" for line, each in zip(text, split, strict=True)]
    (table / "metadata.csv").write_text("\n".join(lines))
    data = Dataset.open(table, group="who", target="label")
    assert {name: len(part) for name, part in data.splits.items()} == {
        "train": 12, "validation": 6, "test": 6,
    }  # fmt: skip
    (table / "metadata.csv").write_text("\n".join(lines).replace("p0,training", "p0,test", 1))
    with pytest.raises(InvalidData, match='who "p0" stands in test and in train'):
        Dataset.open(table, group="who", target="label")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file_name,label\n../../x.wav,a", "no file beside it"),
        ("file_name,label\n/x.wav,a", "no file beside it"),
        ("file_name,label\nno.wav,a", r'row 1: there is no file "no\.wav"'),
        ("file_name,label\n00.wav,a\n01.wav,", 'row 2: column "label" is empty'),
        ("file_name,label\n00.wav,a\n01.wav", "row 2: expected one value a column"),
        ("file_name,label,split\n00.wav,a,x", 'expected train, test, validation, found "x"'),
        ("file_name,label\n00.wav,a\n01.wav,a", "at least two classes"),
        ('file_name,label\n00.wav,"a', "not a CSV file"),
    ],
)
def test_a_table_that_is_wrong(table: Path, text: str, message: str) -> None:
    (table / "metadata.csv").write_text(text)
    with pytest.raises(InvalidData, match=message):
        reading_of(table)


def reading_of(folder: Path, **said: str) -> object:
    from numen.data.reading import make
    from numen.data.sources.sound import SoundFolderSource

    work = folder.parent / "home" / "work"
    work.mkdir(parents=True)
    return SoundFolderSource().read([str(folder)], make(said), work)


def test_columns_that_are_not_there(table: Path) -> None:
    with pytest.raises(InvalidInput, match='no column "voice"; it has file_name, label, who'):
        Dataset.open(table, group="voice")
    with pytest.raises(InvalidInput, match='no column "word"'):
        Dataset.open(table, target="word")
    (table / "labels.csv").write_text("a,b,c\n1,2,3\n")
    assert Dataset.open(table).target == "label"


def test_one_group_only(table: Path) -> None:
    text = (table / "metadata.csv").read_text()
    for number in range(1, 4):
        text = text.replace(f"p{number}", "p0")
    (table / "metadata.csv").write_text(text)
    with pytest.raises(InvalidInput, match="at least two groups"):
        Dataset.open(table, group="who")


def test_class_folders_have_no_groups(sounds: Path) -> None:
    with pytest.raises(InvalidInput, match=r"read\.group: class folders of sounds have none"):
        Dataset.open(sounds, group="who")


@pytest.mark.parametrize("content", [b"", b"hello", b"RIFF\x24\0\0\0WAVEfmt "])
def test_an_unreadable_sound_is_named(sounds: Path, content: bytes) -> None:
    (sounds / "low" / "bad.wav").write_bytes(content)
    with pytest.raises(InvalidData, match=r"low/bad\.wav: not a sound"):
        Dataset.open(sounds)


def test_a_sound_without_samples_and_one_of_no_numbers(sounds: Path) -> None:
    soundfile.write(sounds / "low" / "bad.wav", np.zeros(0), 8_000)
    with pytest.raises(InvalidData, match=r"bad\.wav: expected a sound, found no samples"):
        Dataset.open(sounds)
    soundfile.write(sounds / "low" / "bad.wav", np.full(99, np.nan), 8_000, subtype="FLOAT")
    with pytest.raises(InvalidData, match=r"bad\.wav: expected finite samples"):
        Dataset.open(sounds)


def test_other_files_and_folders_that_are_no_classes(sounds: Path) -> None:
    (sounds / "low" / "notes.txt").write_text("x")
    sing(sounds / "_background_noise_" / "rain.wav")
    data = Dataset.open(sounds)
    assert data.labels == ("high", "low")
    assert '"_background_noise_" is no class: its name begins with _' in data.notes
    assert any("1 files are not sounds" in note for note in data.notes)
    (sounds / "none").mkdir()
    with pytest.raises(InvalidData, match="none: expected at least one sound"):
        Dataset.open(sounds)


def test_folders_of_tables_and_of_pictures_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "labels.csv").write_text("file,label\nx,1\ny,2\nz,1\n")
    assert Dataset.open(tmp_path / "t").target == "label"
    for name in "ab":
        for number in range(3):
            paint(tmp_path / "p" / name / f"{number}.png", seed=number)
    assert Dataset.open(tmp_path / "p").spec.name == "image"


def test_the_profile_tells_seconds_and_loudness(sounds: Path) -> None:
    sing(sounds / "low" / "short.wav", 300, seconds=0.15)
    profile = examine(Dataset.open(sounds))
    seconds, loudness = profile.schema
    assert (seconds.name, seconds.kind, profile.rate) == ("seconds", "sound", 8_000)
    assert (seconds.min, seconds.max) == pytest.approx((0.15, 0.3), abs=1e-3)
    assert -20 < loudness.mean < -3
    assert profile.compared == 0
