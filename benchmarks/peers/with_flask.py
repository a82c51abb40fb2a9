# /// script
# dependencies = ["flask==3.1.3", "gunicorn==27.0.1", "onnxruntime==1.32.0"]
# [tool.bench]
# title = "Flask {} + gunicorn"
# setting = "gunicorn's gthread, one worker, four threads, connections kept"
# doors = { json = {} }
# ///
"""Flask and onnxruntime behind gunicorn."""

import os
import sys

import numpy as np
from flask import Flask, request
from served import HOST, PORT, open_model

predict = open_model()
app = Flask(__name__)


@app.post("/v2/models/<name>/infer")
def infer(name: str) -> dict:
    tensor = request.get_json()["inputs"][0]
    y = predict(np.array(tensor["data"], dtype=np.float32).reshape(tensor["shape"]))
    output = {
        "name": "y", "datatype": "FP32", "shape": list(y.shape), "data": y.ravel().tolist(),
    }  # fmt: skip
    return {"model_name": name, "outputs": [output]}


if __name__ == "__main__":
    command = "-m gunicorn -k gthread --threads 4 -w 1 --keep-alive 30 --log-level warning"
    os.execv(
        sys.executable,
        [sys.executable, *command.split(), "-b", f"{HOST}:{PORT}", "with_flask:app"],
    )
