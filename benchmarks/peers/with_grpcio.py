# /// script
# dependencies = ["grpcio==1.85.3", "tritonclient[grpc]", "uvloop", "onnxruntime==1.32.0"]
# [tool.bench]
# title = "bare grpcio.aio {}"
# setting = "uvloop, no batching, nothing but ModelInfer: the usual way's ceiling"
# doors = { grpc = {} }
# ///
"""grpcio's asyncio server with the protocol's compiled messages and one method."""

import grpc
import numpy as np
import uvloop
from served import GRPC_PORT, HOST, open_model
from tritonclient.grpc import service_pb2, service_pb2_grpc

predict = open_model()


class Service(service_pb2_grpc.GRPCInferenceServiceServicer):
    async def ModelInfer(self, request, context):
        x = np.frombuffer(request.raw_input_contents[0], np.float32)
        y = predict(x.reshape(request.inputs[0].shape))
        answer = service_pb2.ModelInferResponse(model_name=request.model_name)
        answer.outputs.add(name="y", datatype="FP32", shape=y.shape)
        answer.raw_output_contents.append(y.tobytes())
        return answer


async def serve() -> None:
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Service(), server)
    server.add_insecure_port(f"{HOST}:{GRPC_PORT}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve())
