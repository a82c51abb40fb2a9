"""Installs the system programs that tests drive: browser, load generator, Node, Postgres, builder.

Run by `make test`. On Debian and its kin as root it installs what is missing; elsewhere it says
what is not there, and the tests that need it skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import stores

PROGRAMS = {
    "chromium": "chromium", "wrk": "wrk", "h2load": "nghttp2-client",
    "node": "nodejs", "npm": "npm",
    "buildah": "buildah", "mmdebstrap": "mmdebstrap", "promtool": "prometheus",
}  # fmt: skip


def main() -> None:
    missing = sorted({pkg for name, pkg in PROGRAMS.items() if shutil.which(name) is None})
    if stores.programs() is None:
        missing.append("postgresql")
    if not missing:
        return
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        print(f"not installed: {', '.join(missing)}; tests that need them will skip")
        return
    quiet = {
        "stdout": subprocess.DEVNULL,
        "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    }
    print(f"installing {', '.join(missing)}")
    subprocess.run([apt, "update", "-qq"], check=True, **quiet)
    subprocess.run(
        [apt, "-o", "DPkg::Lock::Timeout=300", "install", "-y", "-qq", "--no-install-recommends",
         *missing],
        check=True, **quiet,
    )  # fmt: skip


if __name__ == "__main__":
    main()
