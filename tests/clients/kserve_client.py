"""KServe's own client against a numen server. Runs in `.venv-kserve`; see test_kserve.py.

Usage: kserve_client.py URL
"""

from __future__ import annotations

import asyncio
import json
import sys

import httpx
import numpy as np
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceRESTClient, RESTConfig
from kserve.protocol.infer_type import RequestedOutput


async def main(url: str) -> dict[str, object]:
    x = np.random.default_rng(1).random((3, 28, 28), np.float32)
    said: dict[str, object] = {}
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as v2:
        said["live"] = await v2.is_server_live(url)
        said["ready"] = await v2.is_server_ready(url)
        said["model ready"] = await v2.is_model_ready(url, "linear")
        said["none ready"] = await v2.is_model_ready(url, "none")
        for binary in (False, True):
            tensor = InferInput("image", list(x.shape), "FP32")
            tensor.set_data_from_numpy(x, binary_data=binary)
            wanted = RequestedOutput("probabilities", {"binary_data": binary})
            request = InferRequest("linear", [tensor], "seven", request_outputs=[wanted])
            answer = await v2.infer(url, request, "linear")
            said[f"v2 {'binary' if binary else 'json'}"] = [
                answer.id, answer.model_name, answer.outputs[0].as_numpy().tolist()
            ]  # fmt: skip
        try:
            wrong = InferInput("image", [1, 784], "FP32", x[:1].reshape(1, -1).tolist())
            await v2.infer(url, InferRequest("linear", [wrong]), "linear")
        except httpx.HTTPStatusError as error:
            said["refused"] = [error.response.status_code, str(error)]
    async with InferenceRESTClient(RESTConfig(protocol="v1")) as v1:
        answer = await v1.infer(url, {"instances": x.tolist()}, "linear")
        said["v1"] = answer["predictions"]
        said["v1 ready"] = await v1.is_model_ready(url, "linear")
    return said


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1]))))
