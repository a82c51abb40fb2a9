"""Folders of bytes under their digest, on a disk or in an object store (any fsspec URL).

A folder appears whole or not at all: locally it is renamed into place; elsewhere a marker that
names its files is uploaded last, and what has no marker does not exist. What lies elsewhere is
read from copies on the disk, which need no store once they are there. A store that is away is one
error, `NotReady`, within seconds.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import fsspec
import msgspec

from numen.core.errors import (
    CorruptBundle,
    InvalidInput,
    MissingExtra,
    NotFound,
    NotReady,
    NumenError,
)
from numen.core.settings import Settings, hide_passwords
from numen.store.copies import Copies

_MARKER: Final = ".complete"
_BUDGET: Final = 20 << 30
# How often a store is asked before it counts as away.
_TRIES: Final = 2
# By a URL's scheme: what its back end must be told so that nothing waits for it for ever, and so
# that it remembers no listing that others have changed meanwhile.
_S3: Final = {
    "use_listings_cache": False,
    "config_kwargs": {
        "connect_timeout": 3, "read_timeout": 6, "retries": {"total_max_attempts": 1},
    },
}  # fmt: skip
_OPTIONS: Final[dict[str, dict[str, Any]]] = {"s3": _S3, "s3a": _S3}
_EXTRAS: Final = {"s3": "s3", "s3a": "s3"}


class Blobs:
    """A store of immutable folders.

    Args:
        url: A folder, or an fsspec URL such as `s3://bucket/prefix`.
        cache: Local folder for copies of remote blobs.
        budget: Bytes that copies may take.

    Raises:
        InvalidInput: It is not the URL of a store.
        MissingExtra: What speaks with that store is not installed.
    """

    def __init__(self, url: str, cache: Path, budget: int = _BUDGET):
        self._fs: Any
        self._fs, self._root = _open(url)
        self._fs.retries = _TRIES
        protocol = self._fs.protocol
        names = (protocol,) if isinstance(protocol, str) else protocol
        self._local = Path(self._root) if "file" in names else None
        self._copies = Copies(cache / "copies", budget)
        self._name = hide_passwords(url)

    @classmethod
    def of(cls, settings: Settings) -> Blobs:
        """The store that the settings name."""
        return cls(settings.blobs_url, settings.home_path / "cache", settings.cache_budget)

    def put(self, kind: str, digest: str, folder: Path) -> None:
        """Takes the contents of `folder` in as `kind`/`digest`; it may be moved away.

        Putting the same digest again changes nothing.
        """
        if self.has(kind, digest):
            return
        if self._local is not None:
            target = self._local / kind / _plain(digest)
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
            try:
                shutil.move(folder, partial)  # a rename on one file system, else a copy
                partial.rename(target)
            except OSError:
                shutil.rmtree(partial, ignore_errors=True)
                if not target.is_dir():  # another writer of the same digest may have won
                    raise
            return
        base = self._remote(kind, digest)
        names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        with self._reached():
            for name in names:
                self._fs.put_file(str(folder / name), f"{base}/{name}")
            self._fs.pipe_file(f"{base}/{_MARKER}", msgspec.json.encode(names))

    def has(self, kind: str, digest: str) -> bool:
        """Whether the folder is there, whole."""
        if self._local is not None:
            return (self._local / kind / _plain(digest)).is_dir()
        return self._marker(kind, digest) is not None

    def path(self, kind: str, digest: str, check: Callable[[Path], object] | None = None) -> Path:
        """A local path of the folder's contents, fetched first where it lies elsewhere.

        Args:
            kind: Its kind.
            digest: Its digest.
            check: Raises where what was fetched is not what it must be; no copy is kept then.

        Raises:
            NotFound: There is no such folder.
            CorruptBundle: The store has lost a part of it.
            NotReady: It is not here yet, and the store is away.
        """
        if self._local is not None:
            if not self.has(kind, digest):
                raise NotFound(f"blobs: no {kind} {digest}")
            return self._local / kind / _plain(digest)
        if (copy := self._copies.find(kind, _plain(digest))) is not None:
            return copy
        names = self._marker(kind, digest)
        if names is None:
            raise NotFound(f"blobs: no {kind} {digest}")

        def fetch(folder: Path) -> None:
            for name in names:
                place = folder / name
                if not place.resolve().is_relative_to(folder.resolve()):
                    raise InvalidInput(f'blobs: {kind} {digest}: "{name}" lies outside')
                place.parent.mkdir(parents=True, exist_ok=True)
                try:
                    self._fs.get_file(f"{self._remote(kind, digest)}/{name}", str(place))
                except FileNotFoundError as error:
                    raise CorruptBundle(f'blobs: {kind} {digest}: "{name}" is lost') from error
            if check is not None:
                check(folder)

        with self._reached():
            return self._copies.take(kind, _plain(digest), fetch)

    def forget(self, kind: str, digest: str) -> bool:
        """Takes away the copy of what lies elsewhere; whether it does."""
        self._copies.forget(kind, _plain(digest))
        return self._local is None

    def remove(self, kind: str, digest: str) -> None:
        """Removes the folder; nothing happens if it is not there."""
        if self._local is not None:
            target = self._local / kind / _plain(digest)
            if target.is_dir():
                doomed = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
                target.rename(doomed)
                shutil.rmtree(doomed)
            return
        if self._marker(kind, digest) is not None:
            base = self._remote(kind, digest)
            with self._reached():
                self._fs.rm_file(f"{base}/{_MARKER}")
                self._fs.rm(base, recursive=True)
        self.forget(kind, digest)

    def reach(self) -> None:
        """Asks the store something.

        Raises:
            NotReady: It is away.
        """
        with self._reached():
            if self._local is not None:
                self._local.mkdir(parents=True, exist_ok=True)
                return
            try:
                self._fs.cat_file(f"{self._root}/{_MARKER}")
            except FileNotFoundError as error:
                if "bucket" in str(error):  # it is the whole place that is not there
                    raise

    def _marker(self, kind: str, digest: str) -> list[str] | None:
        """The names of a folder's files; None where it is not, or not whole."""
        # By its exact key: a listing may be of a moment ago.
        with self._reached():
            try:
                text = self._fs.cat_file(f"{self._remote(kind, digest)}/{_MARKER}")
            except FileNotFoundError:
                return None
        try:
            return msgspec.json.decode(text, type=list[str])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CorruptBundle(f"blobs: {kind} {digest}: its marker: {error}") from error

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except NumenError:
            raise
        except Exception as error:  # each back end has errors of its own
            said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise NotReady(
                f"blobs {self._name}: {said}",
                hint="try again when it is back; numen doctor shows whether it is reached",
            ) from error

    def _remote(self, kind: str, digest: str) -> str:
        return f"{self._root}/{kind}/{_plain(digest)}"


def _open(url: str) -> tuple[Any, str]:
    scheme = url.partition("://")[0] if "://" in url else ""
    try:
        fs, root = fsspec.core.url_to_fs(url, **_OPTIONS.get(scheme, {}))
    except ImportError as error:
        what = f'blobs at "{scheme}://"'
        if scheme in _EXTRAS:
            raise MissingExtra.of(what, _EXTRAS[scheme]) from error
        raise MissingExtra(f"{what} need an optional package", hint=str(error)[:200]) from error
    except ValueError as error:
        raise InvalidInput(
            f'blobs: expected a folder or a URL such as s3://bucket/prefix, received "{scheme}://"',
            field="blobs",
        ) from error
    if scheme in _EXTRAS:
        from s3fs.core import set_custom_error_handler

        set_custom_error_handler(_passes)
    return fs, root


def _passes(error: Exception) -> bool:
    """Whether the store says that something failed there, so that it is worth another try."""
    said = getattr(error, "response", None) or {}
    return int(said.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500


def _plain(digest: str) -> str:
    return digest.replace(":", "-")
