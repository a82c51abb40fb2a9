"""What `pip install numen` brings, and that it serves with no training package in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from parts import free_port, linear_graph, wait_ready

ROOT = Path(__file__).parents[1]
HEAVY = ("jax", "keras", "sklearn", "lightgbm", "onnx", "pyarrow", "datasets", "pandas", "torch")


@pytest.mark.slow
def test_serving_needs_no_framework(tmp_path: Path) -> None:
    uv = shutil.which("uv") or Path(sys.executable).parent / "uv"
    venv = tmp_path / "venv"
    python = venv / "bin" / "python"
    env = {**os.environ, "NUMEN_HOME": str(tmp_path / "home")}

    def run(*command: object) -> str:
        done = subprocess.run([*map(str, command)], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(uv, "venv", "-q", "--python", sys.executable, venv)
    install = (uv, "pip", "install", "-q", "--python", python)
    run(*install, "--require-hashes", "-r", ROOT / "src/numen/deploy/requirements/serve.txt")
    run(*install, "--no-deps", ROOT)
    linear_graph(tmp_path / "linear.onnx")
    numen = (python, "-m", "numen")
    run(
        *numen,
        "publish",
        tmp_path / "linear.onnx",
        "--name",
        "m",
        "--labels",
        "a,b,c,d,e,f,g,h,i,j",
    )
    found = run(python, "-c", f"""
from importlib.util import find_spec
print([name for name in {HEAVY} if find_spec(name)])
""")  # fmt: skip
    assert found.strip() == "[]"
    (tmp_path / "row.json").write_text(str([[0.0] * 28] * 28))
    assert run(*numen, "predict", "m", tmp_path / "row.json").strip()
    refused = subprocess.run(
        [*map(str, numen), "train", "m", "--data", "mnist"], env=env, capture_output=True, text=True
    )
    assert 'pip install "numen[train]"' in refused.stderr
    assert refused.returncode == 5
    port = free_port()
    with subprocess.Popen([*map(str, numen), "serve", "--port", str(port)], env=env) as process:
        try:
            url = wait_ready(port, process)
            reply = httpx.post(f"{url}/predict/m", json=[[0.0] * 28] * 28)
            assert reply.json()["label"] in "abcdefghij"
            assert httpx.get(url).status_code == 200
        finally:
            process.terminate()
