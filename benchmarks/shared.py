"""From a promotion on one host to its answer on the other, on a Postgres and an S3 of its own.

`python benchmarks/shared.py [--rounds 40]` starts both stores and two servers on this machine,
each with a home of its own, publishes two versions of a small model, and promotes one after the
other through the first server's API. The second is asked without pause; the clock stops when it
answers with the new version. In `fetched` rounds the version is a new one, published before the
clock starts, that no host has a copy of.
"""

from __future__ import annotations

import argparse
import os
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
from parts import make_bundle, start_server, stop
from stores import Bucket, Postgres, programs

_X = np.random.default_rng(3).random((1, 28, 28), np.float32).tolist()
_BODY = {"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 28, 28], "data": _X}]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    where = programs()
    if where is None:
        sys.exit("needs Postgres: apt-get install postgresql")
    postgres, bucket = Postgres(where), Bucket()
    os.environ.update({**Bucket.ENVIRONMENT, "AWS_ENDPOINT_URL": bucket.endpoint})
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), postgres, bucket, rounds)
    finally:
        postgres.close()
        bucket.close()


def measure(folder: Path, postgres: Postgres, bucket: Bucket, rounds: int) -> None:
    said = Settings(home=str(folder / "c"), catalog=postgres.new(), blobs=bucket.new())
    registry = Registry.of(said)
    for seed in range(2):
        registry.publish("linear", make_bundle(folder / "make", seed))
    stores = {"NUMEN_CATALOG": said.catalog, "NUMEN_BLOBS": said.blobs, "NUMEN_GRPC_PORT": "0"}
    hosts = []
    for name in ("a", "b"):
        (folder / name).mkdir()
        hosts.append(start_server(folder / name, environment=stores))
    (here, _), (there, _) = hosts
    try:
        with httpx.Client(timeout=30) as client:
            # Alternating, so both versions are kept by an alias and the other is opened anew.
            show("promoted", [once(client, here, there, 2 - n % 2) for n in range(rounds)])
            fetched = []
            for number in range(rounds // 2):
                made = make_bundle(folder / "make", 10 + number)
                version = registry.publish("linear", made).version
                fetched.append(once(client, here, there, version))
            show("fetched", fetched)
    finally:
        for _, process in hosts:
            stop(process)
        registry.catalog.close()


def once(client: httpx.Client, here: str, there: str, version: int) -> float:
    """Seconds from asking one host to promote to the other's first answer of that version."""
    path = "/v2/models/linear/infer"
    # Anywhere between two looks of the server, not in step with them.
    time.sleep(0.3 * np.random.default_rng().random())
    begin = time.perf_counter()
    put = client.put(f"{here}/api/models/linear/aliases/champion", json={"version": version})
    put.raise_for_status()
    while client.post(f"{there}{path}", json=_BODY).json()["model_version"] != str(version):
        if time.perf_counter() - begin > 60:
            raise TimeoutError("the other host did not follow")
    return time.perf_counter() - begin


def show(what: str, seconds: list[float]) -> None:
    ms = sorted(1e3 * each for each in seconds)
    p95 = ms[min(len(ms) - 1, round(0.95 * len(ms)))]
    print(f"{what:10} {len(ms):3} rounds  median {statistics.median(ms):6.0f} ms  "
          f"p95 {p95:6.0f} ms  most {ms[-1]:6.0f} ms", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
