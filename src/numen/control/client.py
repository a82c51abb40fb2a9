"""The JavaScript client and the engine it runs models with, at `/client/…`: for pages of any host.

A page then needs no other host and no build: `import { Numen } from "/client/numen.js"`. The engine
(onnxruntime-web) lies here packed, and travels so.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from numen.core.errors import NotFound
from numen.deploy.device import CLIENT

KINDS: Final = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}
_PACKED: Final = ".gz"


def router() -> APIRouter:
    """The route of the client's files."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/client/{file}")
    def client(request: Request, file: str) -> Response:  # on a thread: it reads files
        body, packed, tag = _content(file)
        headers = {"etag": tag, "cache-control": "no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if packed:
            headers["vary"] = "accept-encoding"
            if "gzip" in request.headers.get("accept-encoding", ""):
                headers["content-encoding"] = "gzip"
            else:
                body = gzip.decompress(body)
        return Response(body, media_type=KINDS[Path(file).suffix], headers=headers)

    return routes


@cache
def _content(name: str) -> tuple[bytes, bool, str]:
    """A file, whether it lies packed, and its tag.

    Raises:
        NotFound: There is no such file.
    """
    known = {path.name.removesuffix(_PACKED): path for path in CLIENT.iterdir()}
    path = known.get(name)
    if path is None or Path(name).suffix not in KINDS:
        raise NotFound(f"there is nothing at /client/{name[:80]}")
    body = path.read_bytes()
    return body, path.suffix == _PACKED, f'"{hashlib.sha256(body).hexdigest()}"'
