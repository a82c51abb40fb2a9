"""A model as files for a device: the bundle of `numen.core.device`, and a page that runs it.

Renders only; what proves that the files answer as the server does is `numen.deploy.certificate`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from importlib.resources import files as resources
from pathlib import Path
from typing import Final

from numen.core import device
from numen.core.bundle import Bundle
from numen.deploy.base import Files

CLIENT: Final = Path(str(resources("numen"))) / "client"
_SCRIPTS: Final = ("numen.js", "local.js", "shared.js", "ort.mjs")
_ENGINE: Final = "ort.wasm"
_PAGE: Final = Path(__file__).with_name("page")


def graph(bundle: Bundle, name: str, version: str) -> Files:
    """`model.json`, the graph, and the recorded samples.

    Raises:
        NotFound: The model does not run elsewhere.
    """
    said = device.describe(bundle, name, version)
    names = [said[part]["url"] for part in ("model", "golden") if said[part]]
    text = json.dumps(said, indent=2).encode() + b"\n"
    return {"model.json": text, **{each: device.content(bundle, each) for each in names}}


def web(bundle: Bundle, name: str, version: str) -> Files:
    """The same, the client with its engine, and a page that runs the model: for any web server.

    Raises:
        NotFound: The model does not run elsewhere.
    """
    return {
        **graph(bundle, name, version),
        **{script: CLIENT / script for script in _SCRIPTS},
        _ENGINE: gzip.decompress((CLIENT / f"{_ENGINE}.gz").read_bytes()),
        **{path.name: path for path in sorted(_PAGE.iterdir()) if path.is_file()},
    }


FORMS: Final[Mapping[str, Callable[[Bundle, str, str], Files]]] = {"onnx": graph, "web": web}
