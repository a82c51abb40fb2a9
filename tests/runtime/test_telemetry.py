"""Serving a model tells nobody: no socket is opened, and no device id is written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from parts import linear_graph

# Left to itself, onnxruntime 1.32 makes `~/.cache/Microsoft/DeveloperTools/.onnxruntime/deviceid`.
OURS = """
import sys, time
from pathlib import Path
import numpy as np
from numen.runtime.onnx import OnnxRuntime
runtime = OnnxRuntime()
runtime.open(Path(sys.argv[1]))
runtime.predict({"image": np.zeros((2, 28, 28), np.float32)})
time.sleep(0.5)
runtime.close()
"""
LIBRARY = """
import sys
import onnxruntime
onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
"""


def run(code: str, folder: Path, *before: str) -> list[str]:
    """The files that running a model leaves in an empty home."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    linear_graph(folder / "m.onnx")
    # The library keeps quiet where `CI` is set, which would prove nothing of us.
    away = ("XDG_", "ORT_", "NUMEN_", "CI")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(away)}
    env = kept | {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "TMPDIR": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    subprocess.run(
        [*before, sys.executable, "-c", code, str(folder / "m.onnx")], env=env, cwd=home, check=True
    )
    return [str(path.relative_to(home)) for path in home.rglob("*")]


def test_no_device_id_is_written(tmp_path: Path) -> None:
    assert run(OURS, tmp_path) == []


def test_the_library_itself_would_write_one(tmp_path: Path) -> None:
    """If this fails, the library has changed and the tests beside it look in the wrong place."""
    assert any(path.endswith("deviceid") for path in run(LIBRARY, tmp_path))


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_socket_is_opened_and_no_file_is_made(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = "trace=network,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2"
    run(OURS, tmp_path, "strace", "-f", "-qq", "-e", calls, "-o", str(trace))
    seen = trace.read_text()
    assert "m.onnx" in seen
    said = [line.partition(" ")[2].strip() for line in seen.splitlines()]
    assert [line for line in said if re.match(r"(socket|connect|send\w*|bind)\(", line)] == []
    assert [
        line
        for line in said
        if re.search(r"^(mkdir|creat|rename)|O_CREAT|O_WRONLY|O_RDWR", line)
        and not re.search(r'"/dev/(null|tty)"|"/proc/self/', line)
    ] == []
    assert "deviceid" not in seen
