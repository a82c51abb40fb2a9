"""A process that has imported everything, and forks for each `numen …` and `python …` of a page.

What is run is numen's own `main` on the same words in the same folder and environment; only the
seconds that each process would take to import Keras, JAX and scikit-learn are saved. Nothing that
was imported has begun a thread or opened a model, so a child is as good as a new process.
"""

from __future__ import annotations

import array
import contextlib
import faulthandler
import json
import os
import runpy
import signal
import socket
import sys
from pathlib import Path
from typing import Any

READY = b"ready\n"
# Stands in for the command: hands its words, folder, environment and open files over, and waits.
SHIM = """\
#!{python} -IS
import array, json, os, signal, socket, sys
warm = socket.socket(socket.AF_UNIX)
warm.connect({address!r})
body = json.dumps([{name!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
files = array.array("i", [0, 1, 2])
warm.sendmsg([len(body).to_bytes(4, "big") + body], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
child = int.from_bytes(warm.recv(4), "big")
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(child, number))
status = warm.recv(1)
sys.exit(status[0] if status else 1)
"""
IMPORTS = (
    "numen.cli.app", "numen.api.train", "numen.api.model", "numen.control.app", "numen_client",
    "numen.train.keras.trainer", "numen.train.trees", "numen.train.sklearn", "numen.api.publish",
    "numen.api.tune", "numen.api.compress", "numen.train.keras.fit", "keras", "lightgbm", "onnx",
    "onnxruntime", "skl2onnx", "sklearn.ensemble", "optuna", "matplotlib.pyplot", "PIL.Image",
)  # fmt: skip


def main(address: str) -> None:
    """Listens at the socket `address` until its parent is gone."""
    os.environ["KERAS_BACKEND"] = "jax"
    # Linear algebra without threads of its own: a child would have their locks, and not them.
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    for name in IMPORTS:
        __import__(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            _attend(connection)
        connection.close()


def _attend(connection: socket.socket) -> None:
    """Runs one command in a child, and stops it when who asked for it is gone."""
    files = array.array("i")
    head, extra, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(3 * files.itemsize))
    files.frombytes(extra[0][2])
    length = int.from_bytes(head, "big")
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    child = os.fork()
    if child == 0:
        connection.close()
        os.setsid()
        _run(files, *json.loads(body))
    for each in files:
        os.close(each)
    connection.sendall(child.to_bytes(4, "big"))
    if os.fork() == 0:  # watches for the end of who asked
        if not connection.recv(1):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    connection.sendall(bytes([code if code >= 0 else 128 - code]))
    connection.shutdown(socket.SHUT_RDWR)
    os._exit(0)


def _run(files: Any, name: str, words: list[str], folder: str, environ: dict[str, str]) -> None:
    for number, each in enumerate(files):
        os.dup2(each, number)
    faulthandler.enable()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.path.insert(0, folder)
    status = 1
    try:
        if name == "numen":
            from numen.cli import main as command

            sys.argv = ["numen", *words]
            command()
        elif words[0] == "-c":
            exec(words[1], {"__name__": "__main__"})
        elif words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def write_shims(folder: Path, address: str) -> None:
    """Puts `numen` and `python` that ask the process at `address` into `folder`."""
    for name in ("numen", "python"):
        path = folder / name
        path.write_text(SHIM.format(python=sys.executable, address=address, name=name))
        path.chmod(0o755)


if __name__ == "__main__":
    main(sys.argv[1])
