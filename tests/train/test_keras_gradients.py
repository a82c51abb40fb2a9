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
from numen.train.keras.families import FAMILIES


def test_every_family_is_looked_at():
    assert {case.partition("/")[2] for case in gradients.CASES} == set(FAMILIES)


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
            # What changes nothing, such as the bias of a key, has a gradient of rounding errors.
            most = max(np.abs(theirs[each]).max() for each in mine if _case(each) == _case(name))
            scale = max(np.abs(theirs[name]).max(), 1e-4 * most)
            assert scale > 0, name
            np.testing.assert_allclose(gradient, theirs[name], atol=1e-4 * scale, err_msg=name)


def _case(name: str) -> str:
    return name.rpartition("/")[0]
