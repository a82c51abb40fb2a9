"""The classic tutorial plus one line, on JAX and on TensorFlow: it trains, publishes, serves."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import numpy as np
import pytest

import numen
from parts import start_server, stop

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("script", ["tutorial.py", "tutorial_tensorflow.py"])
def test_trains_publishes_and_serves(script: str, tmp_path: Path) -> None:
    if "tensorflow" in script and find_spec("tensorflow") is None:
        pytest.skip("the extra tensorflow is not installed")
    home = tmp_path / "home"
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / script)],
        env={**os.environ, "NUMEN_HOME": str(home), "EPOCHS": "1", "KERAS_BACKEND": ""}
        | ({"KERAS_BACKEND": "tensorflow"} if "tensorflow" in script else {}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "digits@1" in run.stdout
    accuracy = float(re.findall(r"accuracy: ([\d.]+)", run.stdout)[-1])
    assert accuracy > 0.94
    url, process = start_server(home)
    try:
        split = numen.Dataset.open("mnist").test.take(np.arange(200))
        batch = next(iter(split.batches(200)))
        right = sum(
            httpx.post(f"{url}/predict/digits", content=_png(pixels), headers=PNG).json()["label"]
            == str(truth)
            for pixels, truth in zip(batch.inputs["image"], batch.target, strict=True)
        )
        assert right / 200 > 0.9
    finally:
        stop(process)


PNG = {"content-type": "image/png"}


def _png(pixels: np.ndarray) -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
