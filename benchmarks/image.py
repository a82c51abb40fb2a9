"""The image that numen deploy docker builds: its size on top of the base, and start to ready.

    python benchmarks/image.py [--starts 5] [--workers 1]

As root, with Debian's buildah and mmdebstrap (`python tests/system.py` installs them). A start is
from the process's beginning, on a read-only root, to the first 200 of /v2/health/ready; the first
one is told apart, for it reads what the later ones find in the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from deploy.containers import Container, Images, missing
from host import machine
from numen.api.deploy import deploy
from numen.core.settings import Settings
from numen.registry import Registry
from parts import free_port, make_bundle, wait_ready


def start(container: Container, workers: int) -> tuple[float, float]:
    """Seconds to ready, and the processor's seconds in them, of one start."""
    port = free_port()
    env = {"NUMEN_PORT": str(port), "NUMEN_GRPC_PORT": "0", "NUMEN_WORKERS": str(workers)}
    began = time.monotonic()
    process = container.start("--insecure", env=env)
    wait_ready(port, process)
    taken = time.monotonic() - began
    used = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0
    return taken, (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")


def parts(root: Path) -> dict[str, float]:
    """The largest parts of the image, in MB."""
    (packages,) = (root / "opt/numen/lib").glob("python3*/site-packages")
    sizes = {
        path.name: sum(f.lstat().st_size for f in [path, *path.rglob("*")] if f.is_file()) / 1e6
        for path in packages.iterdir()
    }
    return dict(sorted(sizes.items(), key=lambda item: -item[1])[:12])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    said = parser.parse_args()
    if missing():
        sys.exit(f"needs {', '.join(missing())}")
    print(json.dumps(machine()))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        images = Images(work)
        os.environ |= {**images.env, "NUMEN_HOME": str(work / "home")}
        registry = Registry.of(Settings(home=str(work / "home")))
        registry.publish("linear", make_bundle(work / "make"))
        registry.catalog.close()
        base = images.base()
        with images.container(base) as container:
            python = min(p.name[6:] for p in (container.root / "usr/bin").glob("python3.*"))
        began = time.monotonic()
        options = {"base": base, "python": python, "tool": "buildah"}
        deploy("docker", ["linear"], work / "context", options)
        print(f"built in {time.monotonic() - began:.0f} s")
        above = images.megabytes("numen-linear:1") - images.megabytes(base)
        print(f"size on top of the base: {above:.0f} MB")
        with images.container("numen-linear:1") as container:
            for name, size in parts(container.root).items():
                print(f"  {name:<32} {size:6.1f} MB")
            starts = [start(container, said.workers) for _ in range(said.starts + 1)]
        print("first start: {:.2f} s ({:.2f} s of processor)".format(*starts[0]))
        wall, used = (statistics.median(column) for column in zip(*starts[1:], strict=True))
        print(f"then, median of {said.starts}: {wall:.2f} s ({used:.2f} s of processor)")


if __name__ == "__main__":
    main()
