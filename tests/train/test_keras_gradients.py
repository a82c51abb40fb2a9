"""The gradients that families train by, on JAX, against TensorFlow's.

Two projects exclude the JAX that Python 3.11 gets for wrong code on processors; numen's own
networks are therefore held against another back end.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import gradients
import numpy as np
import pytest

from numen.train.keras.backend import load_keras


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow")
def test_jax_and_tensorflow_agree(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    assert load_keras().config.backend() == "jax"
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    script = Path(gradients.__file__)
    other = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    (tmp_path / "jax").mkdir()
    mine = gradients.gradients(tmp_path / "jax")
    _, said = other.communicate(timeout=240)
    assert other.returncode == 0, said
    with np.load(tmp_path / "gradients.npz") as theirs:
        assert set(theirs.files) == set(mine)
        for name, gradient in mine.items():
            assert np.abs(gradient).max() > 0, name
            scale = np.abs(theirs[name]).max()
            np.testing.assert_allclose(gradient, theirs[name], atol=1e-4 * scale, err_msg=name)
