"""The proof that exported files answer as the server does: recorded samples, run everywhere.

By the server's own runtime, by Node and by Chromium, where those are there; each one's largest
difference from the server stands in the certificate, or why it was not run.
"""

from __future__ import annotations

import http.server
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from numen.core import device
from numen.core.bundle import Bundle
from numen.core.signature import Array, Arrays
from numen.runtime.base import open_variant

TOLERANCE: Final = 1e-5
_PATIENCE: Final = 120  # seconds for a device to open the model and run the samples
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Nothing but the page: no update, no sync, no first steps.
_QUIET: Final = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
_KINDS: Final = {
    ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm",
    ".json": "application/json", "": "application/octet-stream",
}  # fmt: skip
_IN_NODE: Final = """
import { pathToFileURL } from "node:url";
const at = (name) => new URL(name, pathToFileURL(process.argv[1] + "/")).href;
const { replayed } = await import(at("local.js"));
console.log(JSON.stringify(await replayed(at("model.json"))));
"""
_IN_BROWSER: Final = """<!doctype html><meta charset="utf-8"><title>numen</title>
<script type="module">
  const said = await import("./local.js")
    .then(({ replayed }) => replayed(new URL("model.json", location.href)))
    .catch((error) => ({ error: String(error) }));
  await fetch("/said", { method: "POST", body: JSON.stringify(said) });
</script>"""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one engine made of the samples.

    Attributes:
        engine: `server`, `node` or `chromium`.
        version: Of the engine, and of the runtime in it.
        rows: How many samples it ran.
        difference: The largest of any value: of the server from what was recorded at training, of
            the others from the server. Of values above 1 as a part of them.
        reason: Why it was not run.
    """

    engine: str
    version: str = ""
    rows: int = 0
    difference: float | None = None
    reason: str = ""


def certify(bundle: Bundle, folder: Path, note: Callable[[str], None]) -> list[Trial]:
    """Runs a bundle's recorded samples on every engine that is there.

    Args:
        bundle: The model.
        folder: What `numen.deploy.device.web` made of it, written down.
        note: Told of each engine as its turn comes.

    Returns:
        The server's first. Empty where the bundle has no samples.
    """
    recorded = device.samples(bundle)
    if recorded is None:
        return []
    inputs, wanted = device.read_samples(recorded)
    rows = len(next(iter(inputs.values())))
    note("running the samples on the server's runtime")
    served = _by_server(bundle, inputs)
    trials = [
        Trial("server", f"onnxruntime {version('onnxruntime')}", rows, difference(wanted, served))
    ]
    for engine, run in _ENGINES.items():
        note(f"running the samples in {engine}")
        try:
            name, said = run(folder)
        except _Absent as why:
            trials.append(Trial(engine, reason=str(why)))
            continue
        found = device.read_outputs(said["outputs"])
        trials.append(Trial(engine, f"{name}, {said['runtime']}", rows, difference(served, found)))
    return trials


def difference(wanted: Mapping[str, Array], found: Mapping[str, Array]) -> float:
    """The largest difference of any value; of those above 1 as a part of them.

    Text that differs, and a number where there is none, differ without bound.
    """
    most = 0.0
    for name, array in wanted.items():
        other = found.get(name)
        if other is None or other.shape != array.shape:
            return float("inf")
        if array.dtype.kind == "O":
            most = max(most, 0.0 if (array == other).all() else float("inf"))
            continue
        a, b = array.astype(np.float64), other.astype(np.float64)
        with np.errstate(invalid="ignore"):
            away = np.abs(a - b) / np.maximum(1, np.abs(a))
        away[(a == b) | (np.isnan(a) & np.isnan(b))] = 0
        most = max(most, float(np.nan_to_num(away, nan=np.inf).max(initial=0)))
    return most


class _Absent(Exception):
    """An engine that is not there, or does not run here; its text says why."""


def _by_server(bundle: Bundle, inputs: Arrays) -> dict[str, Array]:
    runtime = open_variant(bundle)
    try:
        return runtime.predict(inputs)
    finally:
        runtime.close()


def _by_node(folder: Path) -> tuple[str, dict[str, Any]]:
    node = shutil.which("node")
    if node is None:
        raise _Absent("node is not installed")
    command = [node, "--input-type=module", "-e", _IN_NODE, os.fspath(folder.absolute())]
    try:
        run = subprocess.run(  # noqa: S603 (the user's own node, on files just written)
            command, capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
    except subprocess.SubprocessError as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise _Absent(f"node failed: {_telling(said)}") from error
    known = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    return f"node {known.stdout.strip().lstrip('v')}", json.loads(run.stdout.splitlines()[-1])


def _by_chromium(folder: Path) -> tuple[str, dict[str, Any]]:
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise _Absent("no Chromium is installed")
    # Processes of a browser that was told to end may write a moment longer.
    profiles = tempfile.TemporaryDirectory(prefix="numen-", ignore_cleanup_errors=True)
    with _served(folder) as (url, answers), profiles as profile:
        root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        process = subprocess.Popen(  # noqa: S603 (the user's own browser, on a page of our own)
            [browser, *_QUIET, *root, f"--user-data-dir={profile}", url],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            agent, said = answers.get(timeout=_PATIENCE)
        except queue.Empty:
            raise _Absent(f"chromium gave no answer within {_PATIENCE} s") from None
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    if "error" in said:
        raise _Absent(f"chromium failed: {said['error'][:300]}")
    return f"chromium {agent}", said


_ENGINES: Final[dict[str, Callable[[Path], tuple[str, dict[str, Any]]]]] = {
    "node": _by_node, "chromium": _by_chromium,
}  # fmt: skip


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, queue.Queue[tuple[str, dict[str, Any]]]]]:
    """The folder on a loopback port, and what its page says; all ends with the block."""
    answers: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = _KINDS

        def __init__(self, *given: Any):
            super().__init__(*given, directory=os.fspath(folder))

        def do_GET(self) -> None:
            if self.path != "/":
                super().do_GET()
                return
            body = _IN_BROWSER.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["content-length"])))
            _, _, rest = self.headers.get("user-agent", "").partition("Chrome/")
            answers.put((rest.partition(" ")[0], said))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *given: Any) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", answers
        finally:
            server.shutdown()
            thread.join()


def _telling(lines: list[str]) -> str:
    """The line of a program's last words that says what it is."""
    return next((line for line in lines if "Error" in line), lines[-1] if lines else "")[:300]
