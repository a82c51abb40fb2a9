"""A folder of sounds: class folders of them, or files with a table beside them, or an archive.

Every sound is decoded once, so that a broken one is found now. What is kept are 16-bit samples of
one channel, at one rate for all, as far as nearly all of them last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from numen.core.errors import InvalidData
from numen.core.manifest import AudioInput
from numen.data import folders
from numen.data.archive import is_archive, names, opened
from numen.data.folders import TARGET
from numen.data.listing import NAMES, Listed, first_file, listed, table_in
from numen.data.reading import Reading
from numen.data.sound import SUFFIXES, Heading, decode, heading
from numen.data.stored import Stored, class_index, seal
from numen.data.writing import EncodedSplit

HIGHEST_RATE: Final = 16_000  # holds what is told apart in speech; more costs and rarely helps
_COVERED: Final = 0.98  # of the training sounds are heard to their end
_SHORTEST, _LONGEST = 0.1, 30.0  # seconds that a model hears


class SoundFolderSource:
    """Reads folders of sounds."""

    def matches(self, where: str) -> bool:
        """A folder with a sound in one of its folders, or with a table of sounds."""
        path = Path(where)
        if folders.holds(where, SUFFIXES):
            return True
        if is_archive(path):  # of a flat folder
            return any(Path(name).suffix.lower() in SUFFIXES for name in names(path))
        listed_first = first_file(path) if path.is_dir() else None
        return listed_first is not None and listed_first.suffix.lower() in SUFFIXES

    def files(self, where: Sequence[str]) -> list[Path]:
        """All sounds, the folders they lie in and the table; of an archive, itself."""
        path = folders.one(where, "sounds")
        if is_archive(path):
            return [path]
        return [path, *sorted(inside for inside in path.rglob("*") if _is_part(inside))]

    def read(self, where: Sequence[str], reading: Reading, work: Path) -> Stored:
        """Writes the sounds, at the rate most of them have."""
        reading.refuse("sounds", "columns", "order", "window", "centre")
        with opened(folders.one(where, "sounds"), work) as path:
            table = table_in(path)
            notes: list[str] = []
            if table is None:
                reading.refuse("class folders of sounds", "group")
                target, clips = TARGET, _in_class_folders(path, notes)
            else:
                target, clips = listed(table, reading)
            heads = [heading(clip.path) for clip in clips]
            how = _format(clips, heads, notes)
            labels = tuple(sorted({clip.label for clip in clips if clip.split == "train"}))
            splits = _write(work, target, clips, how, class_index(labels))
        stored = Stored(how, target, labels, encoded=True, notes=tuple(notes))
        return seal(work, stored, splits)


def _is_part(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in SUFFIXES or path.name in NAMES


def _in_class_folders(path: Path, notes: list[str]) -> list[Listed]:
    """The sounds of class folders; of names with _ before, which are no classes, a note."""
    clips = []
    left_out: list[str] = []
    for split, root in folders.roots(path).items():
        for kind in folders.folders(root):
            if kind.name.startswith("_"):
                notes.append(f'"{kind.name}" is no class: its name begins with _')
                continue
            sounds, others = folders.files(kind, SUFFIXES)
            left_out += [str(each.relative_to(root.parent)) for each in others]
            if not sounds and split == "train":
                raise InvalidData(f"{kind}: expected at least one sound, found none")
            clips += [Listed(each, split, kind.name) for each in sounds]
    if left_out:
        notes.append(f"{len(left_out)} files are not sounds, such as {left_out[0]}")
    return clips


def _format(clips: Sequence[Listed], heads: Sequence[Heading], notes: list[str]) -> AudioInput:
    """The rate most sounds have, up to 16 kHz, and the length nearly all fit in."""
    rates = Counter(head.rate for head in heads)
    usual = max(rates, key=lambda rate: (rates[rate], rate))
    rate = min(usual, HIGHEST_RATE)
    seconds = np.array([head.seconds for head in heads])
    learnt = [clip.split == "train" for clip in clips]
    if not any(learnt):
        raise InvalidData(f"{clips[0].path.parent}: expected sounds to train on, found none")
    length = float(np.quantile(seconds[learnt], _COVERED, method="higher"))
    samples = round(min(max(length, _SHORTEST), _LONGEST) * rate)
    count = len(clips)
    others = sum(number for each, number in rates.items() if each != rate)
    if others:
        notes.append(f"{others} of {count} sounds are of other rates and are brought to {rate} Hz")
    if several := sum(head.channels > 1 for head in heads):
        notes.append(f"{several} of {count} sounds have several channels, which are mixed to one")
    if cut := int((seconds * rate > samples + 1).sum()):
        notes.append(
            f"{cut} of {count} sounds last longer than {samples / rate:.2f} s and are cut there; "
            f"the longest lasts {seconds.max():.2f} s"
        )
    return AudioInput("audio", rate, samples)


def _write(
    work: Path, target: str, clips: Sequence[Listed], how: AudioInput, index: Mapping[str, int]
) -> list[EncodedSplit]:
    splits = []
    for name in folders.SPLITS:
        part = [clip for clip in clips if clip.split == name]
        if not part:
            continue
        with EncodedSplit(work, name, how.input, target, str(part[0].path.parent)) as split:
            for clip in part:
                if clip.label not in index:
                    raise InvalidData(
                        f'{clip.path}: class "{clip.label}" is not among those to train on '
                        f"({', '.join(list(index)[:20])})"
                    )
                samples = decode(clip.path, how.rate, how.samples)
                split.append(samples.tobytes(), samples, index[clip.label])
        splits.append(split)
    return splits
