"""`python -m numen.deploy.tied …`: a numen command that ends when the process that started it does.

Its standard input is a pipe from that process, which nobody writes to: it ends with that process,
however that one ends.
"""

from __future__ import annotations

import os
import runpy
import signal
import threading


def main() -> None:
    """Runs the command, and lets it drain when the pipe ends."""
    threading.Thread(target=_watch, name="numen-parent", daemon=True).start()
    runpy.run_module("numen", run_name="__main__", alter_sys=True)


def _watch() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
