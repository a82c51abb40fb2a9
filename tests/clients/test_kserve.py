"""KServe's Python client, unmodified, in an environment of its own (`make test`)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from parts import Live, linear_graph

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-kserve" / "bin" / "python"


@pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-kserve: `make test` makes it")
def test_kserves_client_is_served(live: Live, tmp_path: Path) -> None:
    script = Path(__file__).with_name("kserve_client.py")
    run = subprocess.run(
        [PYTHON, script, live.url], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout.splitlines()[-1])
    x = np.random.default_rng(1).random((3, 28, 28), np.float32)
    expected = linear_graph(tmp_path / "linear.onnx")(x)
    assert [said[key] for key in ("live", "ready", "model ready", "v1 ready")] == [True] * 4
    assert said["none ready"] is False
    for form in ("v2 json", "v2 binary"):
        id_, name, got = said[form]
        assert (id_, name) == ("seven", "linear")
        np.testing.assert_allclose(np.reshape(got, (3, 10)), expected, atol=1e-5)
    np.testing.assert_allclose(said["v1"], expected, atol=1e-5)
    status, message = said["refused"]
    assert status == 400
    assert 'input "image": expected float32[?, 28, 28]' in message
