"""One machine that holds many models: memory, start, first requests, loading and unloading.

    python benchmarks/many.py [--models 1000] [--cycles 10000]

Models are small classifiers (784 inputs, 10 outputs), each with weights of its own. The server is
a process of its own; loading and unloading happens in this one, through the Keeper's doors.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from numen.core.settings import Settings
from numen.registry import Registry
from numen.serve.service import Service
from numen.server import Keeper
from parts import make_bundle, start_server, stop

BODY = json.dumps(
    {
        "inputs": [
            {
                "name": "image",
                "datatype": "FP32",
                "shape": [1, 28, 28],
                "data": np.zeros(784).tolist(),
            }
        ]
    }
)


def memory(pid: int | str = "self") -> tuple[float, float]:
    """A process's resident memory, and the part of it that is its own or its share, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    found = {line.split()[0]: int(line.split()[1]) / 1024 for line in lines[1:]}
    return found["Rss:"], found["Pss:"]


def publish(home: Path, models: int) -> None:
    begin = time.perf_counter()
    registry = Registry.of(Settings(home=str(home)))
    for number in range(models):
        registry.publish(f"m{number}", make_bundle(home / "make", number))
        shutil.rmtree(home / "make")
    registry.catalog.close()
    print(f"published {models} models in {time.perf_counter() - begin:.1f} s")


def serve(home: Path, models: int, preload: int, first: int) -> None:
    os.environ["NUMEN_PRELOAD"] = str(preload)
    begin = time.perf_counter()
    url, process = start_server(home)
    took = time.perf_counter() - begin
    try:
        time.sleep(2)
        idle, _ = memory(process.pid)
        print(f"{models} models, {preload} open at the start: "
              f"ready after {took:.2f} s, {idle:.0f} MB")  # fmt: skip
        with httpx.Client(base_url=url, timeout=60) as http:
            times = []
            for number in range(models - 1, models - 1 - first, -1):
                begin = time.perf_counter()
                reply = http.post(f"/v2/models/m{number}/infer", content=BODY)
                times.append((time.perf_counter() - begin) * 1e3)
                assert reply.status_code == 200, reply.text
        if times:
            times.sort()
            now, _ = memory(process.pid)
            print(f"  first requests to {first} cold models: "
                  f"median {statistics.median(times):.1f} ms, "
                  f"99th of 100 {times[int(len(times) * 0.99)]:.1f} ms, worst {times[-1]:.1f} ms; "
                  f"then {now:.0f} MB, {(now - idle) / first * 1024:.0f} KB a model")  # fmt: skip
    finally:
        stop(process)


async def cycle(home: Path, cycles: int) -> None:
    registry = Registry.of(Settings(home=str(home)))
    service = Service()
    keeper = Keeper(service, registry, Settings(home=str(home), preload=0))
    await keeper.update()
    marks = []
    begin = time.perf_counter()
    for number in range(1, cycles + 1):
        endpoint = await service.awake(f"m{number % 20}")
        service.rest(endpoint)
        if number % (cycles // 10) == 0:
            gc.collect()
            marks.append(memory()[0])
    took = time.perf_counter() - begin
    print(f"{cycles} openings and closings: {took / cycles * 1e3:.1f} ms each; "
          f"MB after each tenth: {', '.join(f'{mark:.0f}' for mark in marks)}; "
          f"growth after the first tenth {marks[-1] - marks[0]:.1f} MB")  # fmt: skip
    begin = time.perf_counter()
    few = max(cycles // 100, 1)
    before = memory()[0]
    for number in range(few):
        await keeper.load(f"m{number % 20}")
        await keeper.unload(f"m{number % 20}")
    took = time.perf_counter() - begin
    print(f"{few} loads and unloads among {len(service.models)} models: "
          f"{took / few * 1e3:.1f} ms each, growth {memory()[0] - before:.1f} MB")  # fmt: skip
    service.close()
    registry.catalog.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--cycles", type=int, default=10_000)
    parser.add_argument("--home", type=Path, help="where models are; made when not there")
    given = parser.parse_args()
    home = given.home or Path(tempfile.mkdtemp(prefix="numen-many-"))
    try:
        if not (home / "catalog.db").exists():
            home.mkdir(exist_ok=True)
            publish(home, given.models)
        serve(home, given.models, 0, 0)
        serve(home, given.models, 32, 100)
        if given.models > 100:
            serve(home, given.models, 0, given.models)
        if given.cycles:
            asyncio.run(cycle(home, given.cycles))
    finally:
        if given.home is None:
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
