# /// script
# dependencies = ["mlserver==1.7.1", "onnxruntime==1.32.0"]
# [tool.bench]
# title = "MLServer {}"
# setting = "parallel_workers 0, uvloop; adaptive batching off, which was slower"
# doors = { json = {}, grpc = {} }
# ///
"""A model of one's own on MLServer."""

import asyncio
import tempfile

import numpy as np
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import install_uvloop_event_loop
from served import GRPC_PORT, HOST, PORT, SPARE_PORT, open_model


class Onnx(MLModel):
    async def load(self) -> bool:
        self._predict = open_model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        x = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32, copy=False)
        output = NumpyCodec.encode_output("y", self._predict(x))
        return InferenceResponse(model_name=self.name, outputs=[output])


async def serve() -> None:
    settings = Settings(
        debug=False,
        parallel_workers=0,
        host=HOST,
        http_port=PORT,
        grpc_port=GRPC_PORT,
        metrics_port=SPARE_PORT,
        model_repository_root=tempfile.mkdtemp(),
    )
    await MLServer(settings).start([ModelSettings(name="mlp", implementation=Onnx)])


if __name__ == "__main__":
    install_uvloop_event_loop()
    asyncio.run(serve())
