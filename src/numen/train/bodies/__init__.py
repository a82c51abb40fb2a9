"""Networks trained before that come as Python packages: the seam `numen.bodies`.

A plug-in is a function that reads what is installed and gives a Body. Nothing is downloaded when
a model is trained; where a package is absent, the error names the command that installs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from numen.core import plugins
from numen.core.errors import CorruptBundle, MissingExtra

if TYPE_CHECKING:  # to know their names needs no library
    import onnx

BODIES: Final = "numen.bodies"
FEATURES: Final = "body_features"  # no data set calls its input so


@dataclass(frozen=True, slots=True)
class Body:
    """A network up to what its last layer would be given.

    Attributes:
        graph: One input, texts `string[?, 1]`, pictures `float32[?, 3, height, width]` or sounds
            `float32[?, samples]`; one output `FEATURES`, `float32[?, width]`.
        licence: Of its weights, as SPDX writes it.
        mean: Taken off each channel of pixels from 0 to 1.
        std: What each channel is divided by after that.
        rate: Samples a second that a sound must have.
    """

    graph: onnx.ModelProto
    licence: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    rate: int = 0


def names() -> list[str]:
    """The bodies known by name, whether their packages are installed or not."""
    return plugins.names(BODIES)


def load(name: str) -> Body:
    """The body of that name.

    Raises:
        MissingExtra: Its package is not installed; the hint is the command that installs it.
        CorruptBundle: The package's files are not what they should be.
        InvalidInput: No plug-in has that name.
    """
    body: Callable[[], Body] = plugins.load(BODIES, name)
    return body()


def folder_of(body: str, package: str, module: str, install: str) -> Path:
    """Where a package keeps its files; nothing of it is run.

    Args:
        body: What needs it.
        package: What it is called where packages are found.
        module: What it is called in Python.
        install: The command that installs it.

    Raises:
        MissingExtra: It is not installed.
    """
    found = find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise MissingExtra(
            f'body "{body}" needs the package {package}, which is not installed', hint=install,
            field="body",
        )  # fmt: skip
    return Path(next(iter(found.submodule_search_locations)))


def expected(body: str, path: Path, what: object) -> CorruptBundle:
    """The error for a package's file that is not what the body's layers need."""
    return CorruptBundle(
        f'body "{body}": {path.name} is not as expected: {what}',
        hint="install the package anew",
        field="body",
    )
