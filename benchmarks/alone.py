"""onnxruntime with no server around it: `alone.py MODEL ROWS SECONDS`.

Prints rows/s, and how much of its core it was given.
"""

import sys
import time
from pathlib import Path

import numpy as np

from networks import digits, reference


def main() -> None:
    path, rows, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    predict = reference(path)
    x = digits(path.stem, rows, np.random.default_rng(7))
    for _ in range(3):
        predict(x)
    began, used, runs = time.perf_counter(), time.process_time(), 0
    while (passed := time.perf_counter() - began) < seconds:
        predict(x)
        runs += 1
    print(runs * rows / passed, (time.process_time() - used) / passed)


if __name__ == "__main__":
    main()
