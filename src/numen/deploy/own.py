"""numen itself as it is deployed: its wheel, packed of what runs here, and its pinned needs.

What runs here is what runs there, be it installed or a checkout; no index is asked for it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numen

NAME: Final = f"numen-{numen.__version__}-py3-none-any.whl"
_PACKAGES: Final = ("numen", "numen_client")
_INFO: Final = f"numen-{numen.__version__}.dist-info"
# What only training needs.
_LEFT_OUT: Final = ("numen/data/samples/",)
_WHEEL: Final = "Wheel-Version: 1.0\nGenerator: numen\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@cache
def wheel() -> bytes:
    """A wheel of the numen that runs, the same bytes for the same code, without samples of data."""
    installed = distribution("numen")
    contents = dict(_code())
    contents[f"{_INFO}/METADATA"] = (installed.read_text("METADATA") or "").encode()
    contents[f"{_INFO}/entry_points.txt"] = (installed.read_text("entry_points.txt") or "").encode()
    contents[f"{_INFO}/WHEEL"] = _WHEEL.encode()
    record = f"{_INFO}/RECORD"
    lines = [f"{path},{_digest(data)},{len(data)}\n" for path, data in contents.items()]
    contents[record] = "".join([*lines, f"{record},,\n"]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            about = zipfile.ZipInfo(path)  # which says 1980, so that time changes nothing
            about.external_attr = 0o644 << 16
            about.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(about, data)
    return packed.getvalue()


def requirements(which: str) -> str:
    """The pinned and hashed packages that a server needs.

    Args:
        which: `serve`, or `full` with gRPC, OpenTelemetry, Postgres and S3.
    """
    return (Path(__file__).parent / "requirements" / f"{which}.txt").read_text("utf-8")


def _code() -> Iterator[tuple[str, bytes]]:
    for package in _PACKAGES:
        spec = find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        root = Path(next(iter(spec.submodule_search_locations)))
        for file in sorted(root.rglob("*")):
            path = f"{package}/{file.relative_to(root).as_posix()}"
            kept = "__pycache__" not in file.parts and not path.startswith(_LEFT_OUT)
            if kept and file.is_file():
                yield path, file.read_bytes()


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"
