# /// script
# dependencies = ["nvidia-pytriton==0.7.0", "onnxruntime==1.32.0"]
# [tool.bench]
# title = "pytriton {}, Triton 2.51"
# setting = "Python back end; dynamic batching of up to 64 rows without delay"
# doors = { json = {}, binary = {}, grpc = {} }
# ///
"""Triton, which the wheel bundles, with a Python function bound to it."""

from pathlib import Path

import numpy as np
import pytriton
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig
from served import GRPC_PORT, HOST, PORT, SPARE_PORT, open_model

# The Python that Triton's stub embeds is an older 3.11 than the library it finds, and its C RLock
# lacks what multiprocessing's resource tracker asks of it; the one written in Python has it. The
# module that the stub runs is the only place to say so.
STUB = Path(pytriton.__file__).parent / "proxy/model.py"
LOCK = """
import multiprocessing.resource_tracker
multiprocessing.resource_tracker._resource_tracker._lock = threading._PyRLock()
"""
predict = open_model()


@batch
def infer(x: np.ndarray) -> list[np.ndarray]:
    return [predict(x)]


if LOCK not in (source := STUB.read_text()):
    STUB.unlink()  # it may be a link to the installer's own copy
    STUB.write_text(source + LOCK)
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
