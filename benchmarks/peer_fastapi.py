"""The peer: FastAPI and onnxruntime, as a user would write it: `peer_fastapi.py MODEL PORT`."""

import sys

import numpy as np
import onnxruntime as ort
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options)
entry = session.get_inputs()[0]
app = FastAPI()


class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class InferRequest(BaseModel):
    inputs: list[Tensor]


@app.post("/v2/models/{name}/infer")
def infer(name: str, request: InferRequest) -> dict:
    tensor = request.inputs[0]
    x = np.array(tensor.data, dtype=np.float32).reshape(tensor.shape)
    y = session.run(None, {entry.name: x})[0]
    output = {
        "name": session.get_outputs()[0].name,
        "datatype": "FP32",
        "shape": list(y.shape),
        "data": y.ravel().tolist(),
    }
    return {"model_name": name, "outputs": [output]}


@app.get("/v2/health/ready")
def ready() -> dict:
    return {"ready": True}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
