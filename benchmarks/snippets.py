"""Held-out accuracy of the default text family on snippets of film reviews.

The snippets and their sentiment, the mean of twenty people's, come with the source distribution
of vaderSentiment 3.3.2 (`pip download --no-binary :all: --no-deps vaderSentiment==3.3.2`); a
snippet is positive or negative by the sign of that mean. Nothing of it is kept here.

    python benchmarks/snippets.py vaderSentiment-3.3.2.tar.gz [--family text-cnn] [--splits 5]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np

_INNER = "hutto_ICWSM_2014.tar.gz"
_FILE = "movieReviewSnippets_GroundTruth.txt"


def read(archive: Path) -> list[tuple[str, str]]:
    """Snippets and their labels, from the source distribution or the archive inside it."""
    with tarfile.open(archive) as files:
        names = files.getnames()
        inner = next((name for name in names if name.endswith(_INNER)), None)
        if inner is not None:
            with tarfile.open(fileobj=io.BytesIO(files.extractfile(inner).read())) as more:
                return _rows(more)
        return _rows(files)


def _rows(files: tarfile.TarFile) -> list[tuple[str, str]]:
    (name,) = (name for name in files.getnames() if Path(name).name == _FILE)
    rows = []
    for line in files.extractfile(name).read().decode("latin-1").splitlines():
        _, mean, text = line.split("\t", 2)
        if float(mean):
            rows.append((text, "positive" if float(mean) > 0 else "negative"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--family", default="", help="what suits texts by default")
    parser.add_argument("--splits", type=int, default=5)
    said = parser.parse_args()
    rows = read(said.archive)
    print(f"{len(rows)} snippets")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMEN_HOME"] = folder
        import numen

        for seed in range(said.splits):
            order = np.random.default_rng(seed).permutation(len(rows))
            cut = len(rows) // 5
            place = Path(folder) / f"snippets-{seed}"
            place.mkdir()
            for name, part in (("test", order[:cut]), ("train", order[cut:])):
                lines = (json.dumps({"text": rows[i][0], "label": rows[i][1]}) for i in part)
                (place / f"{name}.jsonl").write_text("\n".join(lines))
            begin = time.perf_counter()
            model = numen.train(place, said.family)
            found.append(model.metrics["accuracy"])
            seconds = time.perf_counter() - begin
            family = model.manifest.family
            print(f"split {seed}: {family} {found[-1]:.4f} in {seconds:.0f} s", flush=True)
    spread = float(np.std(found))
    print(f"mean {np.mean(found):.4f}, standard deviation {spread:.4f}")


if __name__ == "__main__":
    main()
