# /// script
# dependencies = ["nvidia-pytriton", "onnxruntime"]
# [tool.bench]
# title = "Triton (pytriton)"
# setting = "dynamic batching of up to 64 rows, no queue delay"
# doors = { json = {}, binary = {}, grpc = {} }
# ///
"""Triton, which the wheel bundles, with a Python function bound to it."""

import os
import tempfile
from pathlib import Path

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig
from served import GRPC_PORT, HOST, PORT, SPARE_PORT, open_model

# The Python that Triton's stub embeds is an older 3.11 than the library it finds, and its C RLock
# lacks what multiprocessing's resource tracker asks of it; the one written in Python has it.
STUB = """
import multiprocessing.resource_tracker as tracker, threading
tracker._resource_tracker._lock = threading._PyRLock()
"""
predict = open_model()


@batch
def infer(x: np.ndarray) -> list[np.ndarray]:
    return [predict(x)]


folder = Path(tempfile.mkdtemp(prefix="pytriton"))
(folder / "sitecustomize.py").write_text(STUB)
os.environ["PYTHONPATH"] = f"{folder}:{os.environ['PYTHONPATH']}"
config = TritonConfig(
    http_address=HOST, http_port=PORT, grpc_address=HOST, grpc_port=GRPC_PORT,
    metrics_port=SPARE_PORT, log_verbose=0,
)  # fmt: skip
with Triton(config=config) as triton:
    triton.bind(
        "mlp", infer,
        inputs=[Tensor(name="x", dtype=np.float32, shape=(784,))],
        outputs=[Tensor(name="y", dtype=np.float32, shape=(10,))],
        config=ModelConfig(max_batch_size=64, batcher=DynamicBatcher()),
    )  # fmt: skip
    triton.serve()
