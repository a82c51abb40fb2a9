"""A rendering written down: whole or not at all, and never over what numen did not write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from numen.core.errors import Conflict
from numen.deploy.base import Files

# Names what was written, so that the next rendering replaces that and nothing else.
MARKER: Final = ".numen-deploy.json"


def write(folder: Path, files: Files) -> None:
    """Puts a rendering in the place of an earlier one; what else lies in the folder stays.

    The new folder is written whole beside the old one, and then stands in its place. Whoever is
    killed in between leaves the old one or the new one, and the next rendering tidies up.

    Raises:
        Conflict: The folder holds files that did not come from here.
    """
    folder = folder.absolute()
    if folder in (Path.cwd(), *Path.cwd().parents):
        raise Conflict(f"{folder} is being worked in", hint="choose a folder of its own with --out")
    partial, before = (folder.with_name(f".{folder.name}.{end}") for end in ("partial", "before"))
    _tidy(folder, partial, before)
    written = sorted({Path(path).parts[0] for path in files})
    _check(folder, written)
    try:
        _fill(partial, files)
        (partial / MARKER).write_text(json.dumps(written))
        if folder.is_dir():
            folder.rename(before)
        partial.rename(folder)
    except OSError as error:
        _tidy(folder, partial, before)
        raise Conflict(
            f"{folder} cannot be written: {error.strerror}", hint="choose another with --out"
        ) from error
    _tidy(folder, partial, before)


def _fill(folder: Path, files: Files) -> None:
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            place.write_bytes(content)
        elif content.is_dir():
            shutil.copytree(content, place)
        else:
            shutil.copyfile(content, place)


def _tidy(folder: Path, partial: Path, before: Path) -> None:
    """Brings what an earlier rendering left at any moment to the old state, or to the new one."""
    shutil.rmtree(partial, ignore_errors=True)
    if not before.is_dir():
        return
    if not folder.is_dir():
        before.rename(folder)
        return
    for path in before.iterdir():
        if path.name not in _written(before) and not (folder / path.name).exists():
            path.rename(folder / path.name)
    shutil.rmtree(before)


def _check(folder: Path, written: Collection[str]) -> None:
    """Refuses a folder where numen did not write all that it is about to replace."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise Conflict(f"{folder} is a file", hint="choose another folder with --out")
    there = {path.name for path in folder.iterdir()}
    if there and MARKER not in there:
        raise Conflict(
            f"{folder} holds files that numen did not write", hint="choose another with --out"
        )
    strange = sorted((there - _written(folder)) & set(written)) if there else []
    if strange:
        raise Conflict(
            f"{folder / strange[0]} is not numen's, and would be overwritten", hint="move it away"
        )


def _written(folder: Path) -> set[str]:
    """What a rendering wrote, at the top of its folder."""
    try:
        return msgspec.json.decode((folder / MARKER).read_bytes(), type=set[str]) | {MARKER}
    except (OSError, msgspec.DecodeError) as error:
        raise Conflict(
            f"{folder / MARKER} cannot be read: {error}", hint="remove the folder"
        ) from error
