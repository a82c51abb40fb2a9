"""A search on a Ray cluster of two nodes, one of which is killed half-way; prints what came of it.

Run as a process of its own: a cluster does not share one with other tests.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

# Before Ray is imported: everything stays on the loopback address, and nobody is phoned.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.update(RAY_worker_niceness="0")  # or they hardly run while the machine is busy

import numpy as np
import onnx
import ray
from onnx import TensorProto, helper, numpy_helper
from ray.cluster_utils import Cluster

import numen
from numen.data.dataset import Dataset
from ray_nodes import add_node

SECONDS = 280  # after which it gives up


class Watch:
    """Kills the second node once a trial is done and another is under way on it."""

    def __init__(self, victim):
        self.victim = victim
        self.done = 0
        self.killed = ""

    def trial(self, row):
        self.done += row.state == "complete"
        there = row.state == "running" and row.where.endswith(self.victim.node_id[:6])
        if self.done and there and not self.killed:
            self.killed = row.where
            for processes in self.victim.all_processes.values():
                for info in processes:
                    os.kill(info.process.pid, signal.SIGKILL)

    def note(self, message):
        pass


class Notes:
    """A Progress that keeps what is noted."""

    def __init__(self):
        self.notes = []
        self.epochs = 0

    def begin(self, epochs, steps):
        pass

    def step(self, metrics):
        pass

    def epoch(self, number, metrics):
        self.epochs = number

    def note(self, message):
        self.notes.append(message)


def search(data, second):
    """Twelve trials, of which one loses its node."""
    watch = Watch(second)
    begin = time.monotonic()
    found = numen.tune(
        data, "boosting", name="goal", epochs=200, num_leaves=15, trials=12, pruner="none",
        seed=3, on="ray", watch=watch,
    )  # fmt: skip
    return {
        "seconds": time.monotonic() - begin,
        "killed": watch.killed,
        "trials": [[row.state, row.where, dict(row.values)] for row in found.trials],
        "carried": found.carried,
        "version": found.model.version.version,
    }


def train(data):
    """One training of data that lie where only this process sees them, there and here."""
    handle = os.open(data.folder, os.O_RDONLY)
    hidden = dataclasses.replace(data, folder=Path(f"/proc/self/fd/{handle}"))
    progress = Notes()
    there = numen.train(hidden, "boosting", epochs=20, seed=3, on="ray", progress=progress)
    here = numen.train(data, "boosting", epochs=20, seed=3)
    try:
        numen.train(data, "boosting", wings=2, on="ray")
        refused = ""
    except numen.NumenError as error:
        refused = f"{error.code}: {error.message}"
    return {
        "refused": refused,
        "same": there.bundle.digest == here.bundle.digest,
        "notes": progress.notes,
        "epochs": progress.epochs,
    }


def behind(data, folder):
    """A head behind a network whose file goes along: a search and a training, there and here."""
    source = np.random.default_rng(0)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["low"]), helper.make_node("Tanh", ["low"], ["on"]),
         helper.make_node("MatMul", ["on", "top"], ["y"])],
        "body",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(source.standard_normal(shape).astype("float32"), name)
         for name, shape in (("w", (2, 16)), ("top", (16, 2)))],
    )  # fmt: skip
    path = folder / "small.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    said = {"body": str(path), "epochs": 3, "seed": 3}
    found = numen.tune(data, "transfer", trials=2, space={"units": [0, 8]}, on="ray", **said)
    there = numen.train(data, "transfer", on="ray", **said)
    here = numen.train(data, "transfer", **said)
    x = source.standard_normal((50, 2)).astype("float32")
    carried = Path(os.environ["NUMEN_HOME"]) / "cache" / "carried"
    return {
        "states": [row.state for row in found.trials],
        "same": bool(np.allclose(there.predict(x), here.predict(x), atol=1e-3)),
        "said": [found.model.manifest.recipe["body"], there.manifest.recipe["body"]],
        "carried": [each.name for each in carried.glob("body-*/*")],
    }


def main(table: Path) -> None:
    begin = time.monotonic()
    cluster = Cluster()
    add_node(cluster, num_cpus=1, include_dashboard=False)
    second = add_node(cluster, num_cpus=1)
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    started = time.monotonic() - begin
    data = Dataset.open(table, target="goal")
    told = {"started": started, "search": search(data, second), "train": train(data)}
    told["behind"] = behind(data, table.parent)
    print(json.dumps(told), flush=True)
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    giving_up = threading.Timer(SECONDS, os._exit, [3])
    giving_up.daemon = True
    giving_up.start()
    main(Path(sys.argv[1]))
    giving_up.cancel()
