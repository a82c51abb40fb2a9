"""The verb `deploy`: published models, rendered for a target, written, and made real there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from numen.api.workspace import registry
from numen.core import plugins
from numen.core.errors import InvalidInput
from numen.core.given import convert
from numen.core.reference import Reference
from numen.deploy.base import Files, Note, Shipped, Target
from numen.deploy.folder import write


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
    return made(convert(options, made.options, name))


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
    write(folder, files)
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
