"""The runtime seam, and how a bundle's variant is opened with the plug-in it names."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from numen.core import plugins
from numen.core.bundle import Bundle
from numen.core.errors import NotFound
from numen.core.signature import Array, Arrays, Signature


class Runtime(Protocol):
    """A plug-in of the seam `numen.runtimes`. Used by one thread at a time."""

    def open(self, path: Path, *, threads: int = 1) -> None:
        """Loads the model file.

        Raises:
            CorruptBundle: The file cannot be loaded.
        """

    @property
    def signature(self) -> Signature:
        """What the loaded file takes and gives, as it says itself."""

    def predict(self, inputs: Arrays) -> dict[str, Array]:
        """Runs a batch: arrays by input name, `[rows, …]`, to arrays by output name.

        Raises:
            InvalidInput: The model refused the values.
            Internal: The model failed.
        """

    def close(self) -> None:
        """Gives back what it holds."""


@runtime_checkable
class Preparing(Protocol):
    """What a runtime has as well that opens a file quicker, or with less memory, the next time."""

    def prepare(self, path: Path, folder: Path) -> Path:
        """The file to open instead, made in `folder` when it is not there; may be `path`."""


def make(name: str) -> Runtime:
    """A new runtime of the plug-in called `name`."""
    return cast(Runtime, plugins.load("numen.runtimes", name)())


def open_variant(
    bundle: Bundle, variant: str | None = None, *, threads: int = 1, cache: Path | None = None
) -> Runtime:
    """Opens one variant of a bundle; the first where none is named.

    Args:
        bundle: The bundle.
        variant: The variant's name.
        threads: Threads one run may use.
        cache: Where files prepared for this machine are kept; None prepares none.

    Raises:
        NotFound: The bundle has no such variant.
        CorruptBundle: Its file cannot be loaded.
    """
    variants = {v.name: v for v in reversed(bundle.manifest.variants)}
    name = bundle.manifest.variants[0].name if variant is None else variant
    if name not in variants:
        known = ", ".join(v.name for v in bundle.manifest.variants)
        raise NotFound(f'bundle {bundle.digest}: no variant "{name}"; it has {known}')
    chosen = variants[name]
    runtime = make(chosen.runtime)
    path = bundle.file(chosen.file)
    if cache is not None and isinstance(runtime, Preparing):
        path = runtime.prepare(path, cache / bundle.digest.replace(":", "-") / chosen.name)
    runtime.open(path, threads=threads)
    return runtime
