"""A model as a directory: `manifest.json`, the graphs, golden samples, a card, plots.

Written whole or not at all, addressed by digest, verified on open, bounded in size, and plain data
only: no pickle is ever read or written, and no path leaves the directory.

    model.bundle/
    ├── manifest.json   signature, labels, pre- and post-processing, metrics, digests of the rest
    ├── predict.onnx    the model
    ├── golden.npz      inputs and outputs recorded at training: `in:<name>`, `out:<name>`
    └── card.md         what a person should know
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec
import numpy as np

from numen.core.errors import CorruptBundle, InvalidInput, NotFound, NumenError, TooLarge
from numen.core.manifest import File, Manifest
from numen.core.signature import Array

MANIFEST: Final = "manifest.json"
GOLDEN: Final = "golden.npz"
CARD: Final = "card.md"
EXPLANATION: Final = "explanation"  # the folder of a bundle that says why the outer one answers so
MAX_MANIFEST: Final = 4 << 20
MAX_FILES: Final = 1_000
MAX_BYTES: Final = 64 << 30
MAX_GOLDEN: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Golden:
    """Recorded inputs and the outputs the framework gave for them, by name."""

    inputs: dict[str, Array]
    outputs: dict[str, Array]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle on disk.

    Attributes:
        path: Its directory.
        manifest: What it says of itself.
        digest: `sha256:` and the hex digest of its manifest, which names all other files' digests.
    """

    path: Path
    manifest: Manifest
    digest: str

    @classmethod
    def write(cls, target: Path, manifest: Manifest, files: Mapping[str, Path | bytes]) -> Bundle:
        """Writes a bundle to `target` in one step: beside it first, renamed when complete.

        Args:
            target: The directory to make; must not exist.
            manifest: What to say; its `files` are filled in here.
            files: Contents by path inside the bundle, as bytes or a file to copy.

        Raises:
            InvalidInput: A path is not a plain relative path, or `target` exists.
        """
        if target.exists():
            raise InvalidInput(f"bundle: {target} exists already", hint="choose another directory")
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        partial.mkdir(parents=True)
        try:
            listed = []
            for name, content in sorted(files.items()):
                place = partial / _inside(name)
                place.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, Path):
                    shutil.copyfile(content, place)
                else:
                    place.write_bytes(content)
                _sync(place)
                listed.append(File(name, file_digest(place), place.stat().st_size))
            manifest = msgspec.structs.replace(manifest, files=tuple(listed))
            text = msgspec.json.format(
                msgspec.json.encode(manifest, order="deterministic"), indent=2
            )
            (partial / MANIFEST).write_bytes(text)
            _sync(partial / MANIFEST)
            partial.rename(target)
            _sync(target.parent)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return cls(target, manifest, _digest(text))

    @classmethod
    def open(cls, path: Path, digest: str | None = None, *, verify: bool = True) -> Bundle:
        """Opens a bundle and checks every byte of it.

        Args:
            path: Its directory.
            digest: What its digest must be, where that is known.
            verify: False trusts the files' contents (their names and sizes are still checked).

        Raises:
            NotFound: There is no bundle at `path`.
            CorruptBundle: Something is missing, altered, over a limit, or outside the directory.
        """
        try:
            with (path / MANIFEST).open("rb") as stream:
                text = stream.read(MAX_MANIFEST + 1)
        except OSError as error:
            raise NotFound(f"bundle: no {MANIFEST} in {path}") from error
        if len(text) > MAX_MANIFEST:
            raise CorruptBundle(f"bundle {path}: {MANIFEST} is over {MAX_MANIFEST} bytes")
        found = _digest(text)
        if digest is not None and found != digest:
            raise CorruptBundle(f"bundle {path}: expected {digest}, received {found}")
        try:
            manifest = msgspec.json.decode(text, type=Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidInput) as error:
            raise CorruptBundle(f"bundle {path}: {MANIFEST}: {error}") from error
        if not manifest.variants:
            raise CorruptBundle(f"bundle {path}: expected at least one variant, found none")
        if len(manifest.files) > MAX_FILES:
            raise CorruptBundle(f"bundle {path}: over {MAX_FILES} files")
        if sum(file.size for file in manifest.files) > MAX_BYTES:
            raise CorruptBundle(f"bundle {path}: over {MAX_BYTES} bytes")
        for file in manifest.files:
            _check(path, file, verify)
        known = {file.path for file in manifest.files}
        for variant in manifest.variants:
            if variant.file not in known:
                raise CorruptBundle(f"bundle {path}: variant file {variant.file} is not listed")
        return cls(path, manifest, found)

    def file(self, name: str) -> Path:
        """Where the file called `name` lies.

        Raises:
            NotFound: The manifest lists no such file.
        """
        if all(file.path != name for file in self.manifest.files):
            raise NotFound(f'bundle {self.digest}: no file "{name}"')
        return self.path / name

    def explanation(self) -> Bundle:
        """The bundle inside that explains this one's answers.

        Raises:
            NotFound: There is none.
        """
        if all(file.path != f"{EXPLANATION}/{MANIFEST}" for file in self.manifest.files):
            raise NotFound(
                "nothing explains this model: it gives several answers at once, is too large, or "
                "was published before there were explanations of its kind",
                hint="publish it again",
            )
        return Bundle.open(self.path / EXPLANATION, verify=False)

    def golden(self) -> Golden:
        """The recorded samples.

        Raises:
            CorruptBundle: They unpack to more than the limit, or hold anything but plain arrays.
        """
        path = self.file(GOLDEN)
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(info.file_size for info in archive.infolist()) > MAX_GOLDEN:
                    raise CorruptBundle(f"bundle {self.path}: {GOLDEN} unpacks to too much")
            with np.load(path, allow_pickle=False) as arrays:
                inputs = {k[3:]: _array(arrays[k]) for k in arrays.files if k[:3] == "in:"}
                outputs = {k[4:]: _array(arrays[k]) for k in arrays.files if k[:4] == "out:"}
        except NumenError:
            raise
        except Exception as error:  # what a broken archive raises is no closed set
            raise CorruptBundle(f"bundle {self.path}: {GOLDEN}: {error}") from error
        # Fixed-width text is how plain files hold strings; requests carry them as objects.
        inputs = {k: v.astype(object) if v.dtype.kind == "U" else v for k, v in inputs.items()}
        return Golden(inputs, outputs)


def pack_golden(golden: Golden) -> bytes:
    """The bytes of `golden.npz`, the same for the same samples."""
    import io

    def plain(array: Array) -> Array:
        return array.astype(str) if array.dtype.kind == "O" else array

    arrays: dict[str, Any] = {f"in:{name}": plain(array) for name, array in golden.inputs.items()}
    arrays |= {f"out:{name}": plain(array) for name, array in golden.outputs.items()}
    target = io.BytesIO()
    np.savez(target, **arrays)
    if target.tell() > MAX_GOLDEN:
        raise TooLarge(f"golden samples: over {MAX_GOLDEN} bytes", hint="give a smaller sample")
    return target.getvalue()


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(text: bytes) -> str:
    return "sha256:" + hashlib.sha256(text).hexdigest()


def _array(member: Any) -> Array:
    if not isinstance(member, np.ndarray):  # NumPy hands out other members as bytes
        raise ValueError("a member is no array")
    return member


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if (
        not path.parts
        or path.is_absolute()
        or "\\" in name
        or ":" in name
        or str(path) != name
        or any(part in ("", ".", "..") for part in path.parts)
        or name == MANIFEST
    ):
        raise InvalidInput(f'bundle: expected a plain relative path, received "{name}"')
    return path


def _check(root: Path, file: File, verify: bool) -> None:
    try:
        place = root / _inside(file.path)
    except InvalidInput as error:
        raise CorruptBundle(f"bundle {root}: {error.message}") from error
    if not place.is_file() or not place.resolve().is_relative_to(root.resolve()):
        raise CorruptBundle(f"bundle {root}: {file.path} is missing or lies outside")
    size = place.stat().st_size
    if size != file.size:
        raise CorruptBundle(f"bundle {root}: {file.path}: expected {file.size} bytes, found {size}")
    if verify and file_digest(place) != file.sha256:
        raise CorruptBundle(f"bundle {root}: {file.path}: contents are not what was written")


def _sync(path: Path) -> None:
    """Makes a file or directory survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
