# /// script
# dependencies = ["mlflow==3.17.2", "onnxruntime==1.32.0"]
# [tool.bench]
# title = "MLflow {}"
# setting = "mlflow models serve, one worker, a pyfunc model with a tensor signature"
# doors = { json = { path = "/invocations", key = "inputs" } }
# ///
"""A pyfunc model served by MLflow."""

import os
import sys
import tempfile
from pathlib import Path

import mlflow.pyfunc
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from served import HOST, PORT, open_model


class Mlp(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self._predict = open_model()

    def predict(self, context, model_input, params=None):
        return self._predict(np.asarray(model_input, dtype=np.float32))


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="mlflow")) / "model"
    signature = ModelSignature(
        Schema([TensorSpec(np.dtype("float32"), (-1, 784))]),
        Schema([TensorSpec(np.dtype("float32"), (-1, 10))]),
    )
    mlflow.pyfunc.save_model(
        folder, python_model=Mlp(), signature=signature, pip_requirements=["onnxruntime==1.32.0"]
    )
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = f"-m mlflow models serve -m {folder} --env-manager local -h {HOST} -p {PORT} -w 1"
    os.execv(sys.executable, [sys.executable, *command.split()])
