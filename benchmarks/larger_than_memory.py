"""A table larger than the memory allowed for it: numen reads, trains, exports and measures it.

The child process may not map more private memory than its imports take plus a cap (RLIMIT_DATA);
what lies in mapped files does not count, as the system takes it back when it needs to. A second
child shows that the cap holds: under it, pandas cannot read the same file.

python benchmarks/larger_than_memory.py --rows 4000000 --columns 32 --cap 512
python benchmarks/larger_than_memory.py --model mlp --rows 8000000 --columns 128 --cap 3072 \\
    --rounds 1
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

MB = 1 << 20


def write(path: Path, rows: int, columns: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    names = [f"x{place}" for place in range(columns)]
    schema = pa.schema([(name, pa.float64()) for name in names] + [("label", pa.string())])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=["label"]) as writer:
        for start in range(0, rows, 100_000):
            x = random.normal(size=(min(100_000, rows - start), columns))
            score = x[:, 0] + x[:, 1] * x[:, 2] + random.normal(0, 0.5, len(x))
            label = np.where(score > 0, "up", "down")
            writer.write_table(pa.table([*x.T, label], schema=schema))


def status(name: str) -> int:
    """A figure of this process in bytes, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def capped(cap: int) -> int:
    """Lets this process map `cap` bytes more than it does."""
    taken = status("VmData")
    resource.setrlimit(resource.RLIMIT_DATA, (taken + cap, taken + cap))
    return status("RssAnon")


def train(path: str, cap: int, rounds: int, family: str) -> None:
    import lightgbm  # noqa: F401 (imports are not what is measured)
    import matplotlib.pyplot  # noqa: F401

    import numen
    import numen.api.train
    import numen.runtime.onnx
    import numen.train.trees

    more = {}
    if family != "boosting":
        from numen.train.keras.backend import load_keras

        load_keras()
        more["batch_size"] = 1024
    before = capped(cap)
    peak, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], status("RssAnon"))

    threading.Thread(target=watch, daemon=True).start()
    begun = time.perf_counter()
    data = numen.Dataset.open(path)
    read = time.perf_counter() - begun
    model = numen.train(data, family, epochs=rounds, **more)
    took = time.perf_counter() - begun
    done.set()
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"numen: {len(data.train):,} training rows; accuracy {model.metrics['accuracy']:.4f}; "
        f"read in {read:.0f} s, all in {took:.0f} s\n"
        f"  anonymous memory: {before / MB:.0f} MB after the imports, "
        f"{peak[0] / MB:.0f} MB at most ({(peak[0] - before) / MB:+.0f})\n"
        f"  resident at most, with pages of mapped files: {whole / MB:.0f} MB"
    )


def whole(path: str, cap: int) -> None:
    import pandas as pd
    import pyarrow.parquet  # noqa: F401

    capped(cap)
    try:
        pd.read_parquet(path)
    except Exception as error:  # whatever it is that pyarrow makes of memory it does not get
        print(f"pandas: {type(error).__name__}: {str(error)[:80]}")
    else:
        print("pandas: read it, so the cap shows nothing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--columns", type=int, default=32)
    parser.add_argument("--cap", type=int, default=512, help="MB beyond the imports")
    parser.add_argument("--model", default="boosting", help="the family")
    parser.add_argument("--rounds", type=int, default=5, help="of boosting, or epochs")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        what, path = chosen.child
        cap = chosen.cap * MB
        if what == "numen":
            train(path, cap, chosen.rounds, chosen.model)
        else:
            whole(path, cap)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.parquet"
        write(path, chosen.rows, chosen.columns)
        print(f"{path.stat().st_size / MB:.0f} MB of Parquet, a cap of {chosen.cap} MB", flush=True)
        environment = {**os.environ, "NUMEN_HOME": f"{folder}/home", "MALLOC_ARENA_MAX": "2"}
        for what in ("pandas", "numen"):
            command = [sys.executable, *sys.argv, "--child", what, str(path)]
            done = subprocess.run(command, env=environment, check=what == "numen")
            if done.returncode:
                print(f"{what}: ended with {done.returncode}, out of memory", flush=True)


if __name__ == "__main__":
    main()
