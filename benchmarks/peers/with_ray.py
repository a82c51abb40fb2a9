# /// script
# dependencies = ["ray[serve]==2.60.0", "onnxruntime==1.32.0"]
# [tool.bench]
# title = "Ray Serve {}, both cores"
# setting = "one replica, proxy and replica free to use both cores, no access log"
# doors = { json = { path = "/predict", key = "x" } }
# cores = "0,1"
# ///
"""A deployment on Ray Serve."""

import os
import signal

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import numpy as np
import ray
from ray import serve
from served import HOST, PORT, open_model
from starlette.requests import Request


@serve.deployment(max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0.1})
class Mlp:
    def __init__(self):
        self._predict = open_model()

    async def __call__(self, request: Request) -> dict:
        x = np.array((await request.json())["x"], dtype=np.float32)
        return {"y": self._predict(x).tolist()}


if __name__ == "__main__":
    ray.init(
        num_cpus=2, include_dashboard=False, object_store_memory=200_000_000, log_to_driver=False
    )
    serve.start(
        http_options={"host": HOST, "port": PORT}, logging_config={"enable_access_log": False}
    )
    serve.run(Mlp.bind(), route_prefix="/predict")
    signal.pause()
