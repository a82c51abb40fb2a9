"""numen's gRPC port beside a bare grpcio.aio server: requests/s, and no answer crossed.

Both serve the same 784-128-10 network, one process pinned to core 0; h2load drives them from
core 1 with one call at a time a connection. Rounds alternate between the servers, so that a noisy
machine is noisy for all; medians are compared. numen on grpcio's carrier runs as well. The
server's processor time a request is the figure that neighbours on the machine disturb least.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import onnxruntime as ort
from rich.console import Console
from rich.table import Table

from numen.transport.proto import INFERENCE
from serve import HERE, MODEL, digit_like, free_port, make_model

SERVICE = "/inference.GRPCInferenceService"
PEER = "grpcio.aio + onnxruntime"


def message(x: np.ndarray) -> bytes:
    request = INFERENCE.ModelInferRequest(model_name=MODEL)
    request.inputs.add(name="x", datatype="FP32", shape=x.shape)
    request.raw_input_contents.append(x.tobytes())
    return request.SerializeToString()


class Server:
    """A server in a process of its own, pinned to a core."""

    def __init__(self, name: str, command: list[str], port: int, env: dict[str, str], core: int):
        self.name = name
        self.address = f"127.0.0.1:{port}"
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            env={**os.environ, **env}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with grpc.insecure_channel(self.address) as channel:
            live = channel.unary_unary(f"{SERVICE}/ServerLive")
            live(b"", timeout=60, wait_for_ready=True)

    def cpu(self) -> float:
        """Processor time that it has taken, in microseconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1e6

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def load(server: Server, body: Path, connections: int, seconds: int, core: int) -> dict:
    """One run of h2load: its figures."""
    log = body.with_suffix(".log")
    log.unlink(missing_ok=True)
    before = server.cpu()
    run = subprocess.run(
        [
            "taskset", "-c", str(core), "h2load", "-m1", f"-c{connections}", "-t1", f"-D{seconds}",
            f"--log-file={log}", "-d", str(body), "-H", "content-type: application/grpc",
            "-H", "te: trailers", f"http://{server.address}{SERVICE}/ModelInfer",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", run.stdout)
    assert counts is not None, run.stdout
    good, *bad = map(int, counts.groups())
    cpu = (server.cpu() - before) / max(good, 1)
    times = np.sort([int(line.rsplit("\t", 1)[1]) for line in log.read_text().splitlines()])
    p50, p99 = (float(times[int(len(times) * share)]) if len(times) else 0 for share in (0.5, 0.99))
    return {"rps": good / seconds, "bad": sum(bad), "p50": p50, "p99": p99, "cpu": cpu}


def verify(server: Server, model: Path) -> tuple[int, int, float]:
    """Distinct inputs from 24 threads at once: requests, wrong ones, the largest difference."""
    session = ort.InferenceSession(str(model))
    found: list[float] = []

    def ask(seed: int) -> None:
        source = np.random.default_rng(seed)
        with grpc.insecure_channel(server.address) as channel:
            infer = channel.unary_unary(f"{SERVICE}/ModelInfer")
            for _ in range(40):
                x = digit_like(source, int(source.integers(1, 5)))
                expected = session.run(None, {"x": x})[0]
                answer = INFERENCE.ModelInferResponse.FromString(infer(message(x), timeout=30))
                y = np.frombuffer(answer.raw_output_contents[0], np.float32).reshape(len(x), 10)
                found.append(float(np.abs(y - expected).max()))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(found), sum(gap > 1e-5 for gap in found), max(found)


def start(folder: Path, model: Path, names: list[str]) -> list[Server]:
    home = {"NUMEN_HOME": str(folder / "home")}
    numen = [sys.executable, "-m", "numen"]
    subprocess.run(
        [*numen, "publish", str(model), "--name", MODEL],
        env={**os.environ, **home}, check=True, capture_output=True,
    )  # fmt: skip
    servers = []
    for carrier in ("numen", "grpcio"):
        port = free_port()
        command = [*numen, "serve", "--port", "0", "--grpc-port", str(port)]
        name = "numen" if carrier == "numen" else "numen on grpcio"
        if name in names:
            env = {**home, "NUMEN_GRPC_CARRIER": carrier}
            servers.append(Server(name, command, port, env, 0))
    if PEER in names:
        port = free_port()
        command = [sys.executable, str(HERE / "peer_grpcio.py"), str(model), str(port)]
        servers.append(Server(PEER, command, port, {}, 0))
    return servers


def run(folder: Path, arguments: argparse.Namespace) -> list[dict]:
    console = Console(stderr=arguments.json)
    model = folder / "mlp.onnx"
    make_model(model)
    body = message(digit_like(np.random.default_rng(7), 1))
    file = folder / "row.grpc"
    file.write_bytes(b"\x00" + struct.pack(">I", len(body)) + body)
    measured: dict[tuple[str, int], list[dict]] = {}
    servers = start(folder, model, ["numen", "numen on grpcio", PEER])
    try:
        count, wrong, gap = verify(servers[0], model)
        console.print(f"numen: {count} distinct requests at once, {wrong} wrong, gap {gap:.1e}")
        for connections in arguments.connections:
            for _ in range(arguments.rounds):
                for server in servers:
                    measured.setdefault((server.name, connections), []).append(
                        load(server, file, connections, arguments.seconds, 1)
                    )
                    time.sleep(0.2)
    finally:
        for server in servers:
            server.stop()
    result = [{"check": "crossed answers", "requests": count, "wrong": wrong, "gap": gap}]
    table = Table("server", "connections", "requests/s", "p50 ms", "p99 ms", "CPU µs", "× peer")
    for (name, connections), runs in measured.items():
        rps = statistics.median(one["rps"] for one in runs)
        peer = statistics.median(one["rps"] for one in measured[PEER, connections])
        p50, p99 = (statistics.median(one[p] for one in runs) / 1e3 for p in ("p50", "p99"))
        cpu = statistics.median(one["cpu"] for one in runs)
        bad = sum(one["bad"] for one in runs)
        table.add_row(
            name, str(connections), f"{rps:,.0f}", f"{p50:.2f}", f"{p99:.2f}", f"{cpu:.0f}",
            f"{rps / peer:.1f}" + (f"  ({bad} failed)" if bad else ""),
        )  # fmt: skip
        result.append(
            {
                "server": name, "connections": connections, "rps": rps, "p50_ms": p50,
                "p99_ms": p99, "cpu_us": cpu, "ratio": rps / peer, "failed": bad,
            }
        )  # fmt: skip
    console.print(table)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="length of one run")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each server and load")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), arguments)
    if arguments.json:
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
