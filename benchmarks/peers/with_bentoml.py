# /// script
# dependencies = ["bentoml==1.4.40", "uvloop", "httptools", "onnxruntime==1.32.0"]
# [tool.bench]
# title = "BentoML {}"
# setting = "one worker, async API, uvloop, no metrics or access log; adaptive batching off: slower"
# doors = { json = { path = "/predict", key = "x" } }
# ///
"""A BentoML service."""

import os
import sys

import bentoml
import numpy as np
from served import HOST, PORT, open_model


@bentoml.service(
    workers=1,
    traffic={"timeout": 30, "max_concurrency": 1000},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Mlp:
    def __init__(self):
        self._predict = open_model()

    @bentoml.api
    async def predict(self, x: np.ndarray) -> np.ndarray:
        return self._predict(x.astype(np.float32))


if __name__ == "__main__":
    os.environ["BENTOML_DO_NOT_TRACK"] = "true"
    command = [
        "-m",
        "bentoml",
        "serve",
        "with_bentoml:Mlp",
        "--host",
        HOST,
        "--port",
        str(PORT),
    ]
    os.execv(sys.executable, [sys.executable, *command, "-q"])
