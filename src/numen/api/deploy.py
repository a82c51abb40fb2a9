"""The verb `deploy`: published models, rendered for a target, written, and made real there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

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
        said = msgspec.convert(dict(options), made.options, strict=False)
    except msgspec.ValidationError as error:
        raise _refused(name, made.options, options, str(error)) from error
    return made(said)


def choices(type_: Any) -> list[str]:
    """What an option of this type may be, where it is one of several words."""
    bare = getattr(type_, "__origin__", type_) if hasattr(type_, "__metadata__") else type_
    return [str(each) for each in get_args(bare) if each] if get_origin(bare) is Literal else []


def _refused(name: str, kind: Any, options: Mapping[str, Any], said: str) -> InvalidInput:
    """Msgspec's words, with the option's name and what was received."""
    what, _, where = said.partition(" - at `$.")
    option = where.rstrip("`").partition(".")[0].partition("[")[0]
    expected = what[:1].lower() + what[1:].partition(", got")[0].replace("`", "")
    field = {each.name: each for each in msgspec.structs.fields(kind)}.get(option)
    if field is not None and (known := choices(field.type)):
        expected = f"expected one of {', '.join(known)}"
    return InvalidInput(
        f'{name}: {option}: {expected}, received "{options.get(option)}"', field=option
    )


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
        model = found.model(reference.name)
        version = model.resolve(reference)
        aliases = tuple(a for a, number in model.aliases.items() if number == version.version)
        models.append(Shipped(reference, version, found.open(version), aliases))
    if not models:
        raise InvalidInput("deploy: expected at least one model", hint="numen models ls shows all")
    return models


def _write(folder: Path, files: Files) -> None:
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
