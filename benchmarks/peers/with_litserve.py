# /// script
# dependencies = ["litserve==0.2.19", "onnxruntime==1.32.0"]
# [tool.bench]
# title = "LitServe {}"
# setting = "one API server, one worker, fast_queue; not batched, which was slower"
# doors = { json = { path = "/predict", key = "x" } }
# ///
"""A LitServe API."""

import os

import litserve
import numpy as np
from served import HOST, PORT, open_model


class Mlp(litserve.LitAPI):
    def setup(self, device):
        self._predict = open_model()

    def decode_request(self, request):
        return np.array(request["x"], dtype=np.float32)

    def predict(self, x):
        return self._predict(x)

    def encode_response(self, output):
        return {"y": output.tolist()}


if __name__ == "__main__":
    os.environ["LIT_SERVE_DISABLE_TRACKING"] = "1"
    server = litserve.LitServer(Mlp(), accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(
        host=HOST, port=PORT, num_api_servers=1, generate_client_file=False,
        log_level="warning", access_log=False,
    )  # fmt: skip
