"""The verb `deploy`: published models, rendered for a target, written, and made real there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from numen.api.workspace import registry
from numen.core import plugins
from numen.core.errors import Conflict, InvalidInput
from numen.core.reference import Reference
from numen.deploy.base import Files, Note, Shipped, Target

# Names what was written, so that the next rendering replaces that and nothing else.
MARKER: Final = ".numen-deploy.json"


@dataclass(frozen=True, slots=True)
class Deployed:
    """What was done.

    Attributes:
        folder: Where the files are.
        files: Their paths below it.
        applied: What the target said of what there is now; None where it was only rendered.
    """

    folder: Path
    files: tuple[str, ...]
    applied: dict[str, Any] | None = field(default=None)


def targets() -> list[str]:
    """Where models can be deployed."""
    return plugins.names("numen.targets")


def target(name: str, options: Mapping[str, Any]) -> Target:
    """A target with its options.

    Raises:
        InvalidInput: There is none of that name, or it has no such option.
    """
    made: type[Target] = plugins.load("numen.targets", name)
    known = [each.name for each in msgspec.structs.fields(made.options)]
    for option in options:
        if option not in known:
            raise InvalidInput(
                f'{name}: "{option}" is no option', hint=f"known: {', '.join(known)}", field=option
            )
    try:
        return made(msgspec.convert(dict(options), made.options, strict=False))
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{name}: {error}") from error


def render(to: Target, references: Iterable[str]) -> Files:
    """What a target writes for models.

    Raises:
        NotFound: A model is not published.
        InvalidInput: No model is named, or the target refuses them.
    """
    return to.render(_shipped(references))


def deploy(
    name: str,
    references: Iterable[str],
    folder: Path | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    apply: bool | None = None,
    note: Note = lambda _: None,
) -> Deployed:
    """Renders models for a target, writes that down, and makes it real.

    Args:
        name: The target, such as `docker`.
        references: The models.
        folder: Where to write; `deploy/NAME` in the working directory by default.
        options: The target's.
        apply: Whether to make it real; the target's own habit by default.
        note: Told of each step as it begins.

    Raises:
        Conflict: The folder holds files that did not come from here.
        NotFound: A model is not published.
        InvalidInput: An option is wrong, or no model is named.
    """
    to = target(name, options or {})
    folder = folder or Path("deploy") / name
    files = render(to, references)
    _write(folder, files)
    real = to.applies if apply is None else apply
    return Deployed(folder, tuple(sorted(files)), to.apply(folder, note) if real else None)


def _shipped(references: Iterable[str]) -> list[Shipped]:
    found = registry()
    models = []
    for reference in map(Reference.parse, references):
        version = found.resolve(reference)
        models.append(Shipped(reference, version, found.open(version)))
    if not models:
        raise InvalidInput("deploy: expected at least one model", hint="numen models ls shows all")
    return models


def _write(folder: Path, files: Files) -> None:
    """Writes files to a folder; what an earlier rendering left there and this has not is removed.

    Raises:
        Conflict: The folder holds files that did not come from here.
    """
    before = _before(folder)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for path, content in files.items():
            place = partial / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                place.write_bytes(content)
            elif content.is_dir():
                shutil.copytree(content, place)
            else:
                shutil.copyfile(content, place)
        folder.mkdir(parents=True, exist_ok=True)
        for name in before | {Path(path).parts[0] for path in files}:
            old, new = folder / name, partial / name
            shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
            if new.exists():
                new.rename(old)
        written = sorted({Path(path).parts[0] for path in files})
        (folder / MARKER).write_text(json.dumps(written))
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _before(folder: Path) -> set[str]:
    """What an earlier rendering wrote, at the top of the folder."""
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if folder.exists() and not folder.is_dir():
        raise Conflict(f"{folder} is a file", hint="choose another folder with --out")
    if MARKER not in there:
        if there:
            raise Conflict(
                f"{folder} holds files that numen did not write", hint="choose another with --out"
            )
        return set()
    try:
        names = msgspec.json.decode((folder / MARKER).read_bytes(), type=set[str])
    except msgspec.DecodeError as error:
        raise Conflict(f"{folder / MARKER} cannot be read: {error}", hint="remove it") from error
    return {name for name in names if name in there}
