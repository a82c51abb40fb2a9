"""The peer: grpcio's asyncio server and onnxruntime by hand: `peer_grpcio.py MODEL PORT`."""

import sys

import grpc
import numpy as np
import onnxruntime as ort
import uvloop

from numen.transport.proto import INFERENCE

options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options)
entry = session.get_inputs()[0].name
leave = session.get_outputs()[0].name
SERVICE = "inference.GRPCInferenceService"


async def infer(request, context):
    tensor = request.inputs[0]
    x = np.frombuffer(request.raw_input_contents[0], np.float32).reshape(tensor.shape)
    y = session.run(None, {entry: x})[0]
    answer = INFERENCE.ModelInferResponse(model_name=request.model_name, id=request.id)
    answer.outputs.add(name=leave, datatype="FP32", shape=y.shape)
    answer.raw_output_contents.append(y.tobytes())
    return answer


async def live(request, context):
    return INFERENCE.ServerLiveResponse(live=True)


def handler(call, request, answer):
    return grpc.unary_unary_rpc_method_handler(call, request.FromString, answer.SerializeToString)


async def main():
    server = grpc.aio.server()
    calls = {
        "ModelInfer": handler(infer, INFERENCE.ModelInferRequest, INFERENCE.ModelInferResponse),
        "ServerLive": handler(live, INFERENCE.ServerLiveRequest, INFERENCE.ServerLiveResponse),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, calls),))
    server.add_insecure_port(f"127.0.0.1:{sys.argv[2]}")
    await server.start()
    await server.wait_for_termination()


uvloop.run(main())
