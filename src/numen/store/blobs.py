"""Folders of bytes under their digest, on a disk or in an object store (any fsspec URL).

A folder appears whole or not at all: locally it is renamed into place; elsewhere a marker that
names its files is uploaded last, and what has no marker does not exist.
"""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import fsspec

from numen.core.errors import InvalidInput, NotFound

_MARKER = ".complete"


class Blobs:
    """A store of immutable folders.

    Args:
        url: A folder, or an fsspec URL such as `s3://bucket/prefix`.
        cache: Local folder for copies of remote blobs.
    """

    def __init__(self, url: str, cache: Path):
        self._fs: Any
        self._fs, self._root = fsspec.core.url_to_fs(url)
        protocol = self._fs.protocol
        names = (protocol,) if isinstance(protocol, str) else protocol
        self._local = Path(self._root) if "file" in names else None
        self._cache = cache

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
        for name in names:
            self._fs.put_file(str(folder / name), f"{base}/{name}")
        self._fs.pipe_file(f"{base}/{_MARKER}", json.dumps(names).encode())

    def has(self, kind: str, digest: str) -> bool:
        """Whether the folder is there, whole."""
        if self._local is not None:
            return (self._local / kind / _plain(digest)).is_dir()
        return bool(self._fs.exists(f"{self._remote(kind, digest)}/{_MARKER}"))

    def path(self, kind: str, digest: str) -> Path:
        """A local path of the folder's contents, fetched first where it lies elsewhere.

        Raises:
            NotFound: There is no such folder.
        """
        if not self.has(kind, digest):
            raise NotFound(f"blobs: no {kind} {digest}")
        if self._local is not None:
            return self._local / kind / _plain(digest)
        target = self._cache / kind / _plain(digest)
        if not target.is_dir():
            base = self._remote(kind, digest)
            partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
            try:
                for name in json.loads(self._fs.cat_file(f"{base}/{_MARKER}")):
                    place = partial / name
                    if not place.resolve().is_relative_to(partial.resolve()):
                        raise InvalidInput(f'blobs: {kind} {digest}: "{name}" lies outside')
                    place.parent.mkdir(parents=True, exist_ok=True)
                    self._fs.get_file(f"{base}/{name}", str(place))
                partial.rename(target)
            except BaseException as error:
                shutil.rmtree(partial, ignore_errors=True)
                # Another reader may have won the race to put it there.
                if not (isinstance(error, OSError) and target.is_dir()):
                    raise
        return target

    def remove(self, kind: str, digest: str) -> None:
        """Removes the folder; nothing happens if it is not there."""
        if self._local is not None:
            target = self._local / kind / _plain(digest)
            if target.is_dir():
                doomed = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
                target.rename(doomed)
                shutil.rmtree(doomed)
            return
        base = self._remote(kind, digest)
        if self._fs.exists(f"{base}/{_MARKER}"):
            self._fs.rm_file(f"{base}/{_MARKER}")
            self._fs.rm(base, recursive=True)

    def _remote(self, kind: str, digest: str) -> str:
        return f"{self._root}/{kind}/{_plain(digest)}"


def _plain(digest: str) -> str:
    return digest.replace(":", "-")
