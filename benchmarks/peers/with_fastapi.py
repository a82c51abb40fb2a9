# /// script
# dependencies = ["fastapi==0.165.0", "uvicorn[standard]", "onnxruntime==1.32.0"]
# [tool.bench]
# title = "FastAPI {} + onnxruntime"
# setting = "uvicorn with uvloop and httptools, async handler, no access log"
# doors = { json = {} }
# ///
"""FastAPI and onnxruntime, as a user would write it."""

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from served import HOST, PORT, open_model

predict = open_model()
app = FastAPI()


class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class InferRequest(BaseModel):
    inputs: list[Tensor]


@app.post("/v2/models/{name}/infer")
async def infer(name: str, request: InferRequest) -> dict:
    tensor = request.inputs[0]
    y = predict(np.array(tensor.data, dtype=np.float32).reshape(tensor.shape))
    output = {
        "name": "y", "datatype": "FP32", "shape": list(y.shape), "data": y.ravel().tolist(),
    }  # fmt: skip
    return {"model_name": name, "outputs": [output]}


if __name__ == "__main__":
    uvicorn.run(app, host=HOST, port=PORT, log_level="warning", access_log=False)
