# /// script
# dependencies = ["litserve", "onnxruntime"]
# [tool.bench]
# title = "LitServe"
# setting = "one API server, one worker, batches of up to 64 after at most 1 ms"
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

    def batch(self, inputs):
        self._ends = np.cumsum([len(x) for x in inputs])[:-1]
        return np.concatenate(inputs)

    def predict(self, x):
        return self._predict(x)

    def unbatch(self, output):
        return np.split(output, self._ends)

    def encode_response(self, output):
        return {"y": output.tolist()}


if __name__ == "__main__":
    os.environ["LIT_SERVE_DISABLE_TRACKING"] = "1"
    api = Mlp(max_batch_size=64, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host=HOST, port=PORT, num_api_servers=1, generate_client_file=False,
        log_level="warning", access_log=False,
    )  # fmt: skip
