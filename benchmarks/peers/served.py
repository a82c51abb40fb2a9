"""What every peer is given by the runner: the model, and where to listen."""

import os
from collections.abc import Callable

import numpy as np
import onnxruntime as ort

HOST = "127.0.0.1"
PORT = int(os.environ["BENCH_PORT"])
GRPC_PORT = int(os.environ["BENCH_GRPC_PORT"])
SPARE_PORT = int(os.environ["BENCH_SPARE_PORT"])


def open_model() -> Callable[[np.ndarray], np.ndarray]:
    """The model as one opens it for a server of one core: float32[n, ...] to float32[n, 10]."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {"x": x})[0]
