"""Large ONNX graphs, made ready for this machine once, and mapped from disk by all its processes.

onnxruntime rearranges weights for the processor whenever it opens a graph, so that each process
holds copies of its own and takes its time to make them. Here the rearranged graph is kept beside
its weights, which are then mapped. What is kept is for one processor and one onnxruntime only;
losing it costs time and nothing else. It is made by a process of its own, since one that has
arranged a graph does not give all of the memory back.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

# Before the import: the library reports from its own loading on.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

from numen.core.observe import logger

_log = logger(__name__)
# Below so many bytes, copies cost less than files.
LARGE: Final = 16 << 20
_GRAPH: Final = "graph.onnx"
_WEIGHTS: Final = "weights"
# Longest that preparing may take, in seconds.
_LONGEST: Final = 900


def prepared(path: Path, folder: Path) -> Path:
    """The file to open instead of a graph; the graph's own where preparing does not pay.

    Args:
        path: The graph.
        folder: Where what was prepared of this graph is kept; made when missing.
    """
    if path.stat().st_size < LARGE:
        return path
    target = folder / _machine()
    if not (target / _GRAPH).is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder / ".lock"):
                if not (target / _GRAPH).is_file():
                    _make(path, target)
        except (OSError, subprocess.SubprocessError) as error:
            # A home that is only read, as in a container, is no trouble to tell people of.
            read_only = isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES)
            level = logging.DEBUG if read_only else logging.WARNING
            _log.log(level, "%s is opened as it is, not prepared: %s", path, error)
            return path
    return target / _GRAPH


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits while another process does the same."""
    with path.open("w") as lock:
        if os.name == "posix":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(path: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    partial.mkdir()
    try:
        command = [sys.executable, "-m", __name__, os.fspath(path), os.fspath(partial)]
        subprocess.run(  # noqa: S603 (this module, on two paths)
            command, check=True, timeout=_LONGEST,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _prepare(path: Path, folder: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.optimized_model_filepath = os.fspath(folder / _GRAPH)
    for name, value in (
        ("optimized_model_external_initializers_file_name", _WEIGHTS),
        ("optimized_model_external_initializers_min_size_in_bytes", "4096"),
        ("save_external_prepacked_constant_initializers", "1"),
    ):
        options.add_session_config_entry(f"session.{name}", value)
    onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    for file in folder.iterdir():  # a file cut short by a power failure would stand for the whole
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())


@cache
def _machine() -> str:
    """A name for what a prepared graph depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = {line for line in lines if line.lower().startswith(("flags", "features"))}
    except OSError:
        processor = {platform.processor()}
    said = " ".join([platform.machine(), *sorted(processor)])
    digest = hashlib.sha256(said.encode()).hexdigest()[:12]
    return f"onnxruntime-{onnxruntime.__version__}-{digest}"


if __name__ == "__main__":
    _prepare(Path(sys.argv[1]), Path(sys.argv[2]))
