"""The app behind `numen data label`: the console's page of labelling, and what it asks.

It serves one person on this machine, for as long as the command runs; it is no part of a server.
"""

from __future__ import annotations

import base64
import io
import threading
import wave
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from PIL import Image
from pydantic import BaseModel

from numen.api.labelling import Session
from numen.api.pool import Candidate
from numen.control.origin import refuse_other_site
from numen.core.errors import NumenError
from numen.core.manifest import AudioInput, ColumnsInput, ImageInput, TextInput
from numen.transport.status import error_body, status_of

_LONGEST: Final = 100_000  # characters of a text that the page is given


class Answer(BaseModel):
    """A label for a row; null passes it over."""

    key: str
    label: str | None


def build(session: Session) -> FastAPI:
    """The app that labels one data set."""
    app = FastAPI(title="numen labels", docs_url=None, redoc_url=None, openapi_url=None)
    turn = threading.Lock()  # routes run on threads, and a session is one person's

    @app.exception_handler(NumenError)
    async def known(_request: Request, error: NumenError) -> Response:
        return Response(error_body(error), status_of(error), media_type="application/json")

    @app.get("/api/label")
    def look() -> dict[str, Any]:
        with turn:
            return _said(session)

    @app.post("/api/label")
    def answer(request: Request, body: Answer) -> dict[str, Any]:
        refuse_other_site(request.headers)
        with turn:
            session.answer(body.key, body.label)
            return _said(session)

    @app.post("/api/label/undo")
    def undo(request: Request) -> dict[str, Any]:
        refuse_other_site(request.headers)
        with turn:
            return _said(session, session.undo())

    @app.post("/api/label/finish")
    def finish(request: Request) -> dict[str, Any]:
        refuse_other_site(request.headers)
        with turn:
            added = session.finish()
            version = added and f"{added.version.name}@{added.version.version}"
            return {**_said(session), "added": version}

    app.mount("/", StaticFiles(directory=Path(str(files("numen"))) / "console", html=True))
    return app


def _said(session: Session, row: Candidate | None = None) -> dict[str, Any]:
    row = row or session.next()
    return {
        "dataset": session.name,
        "model": session.model,
        "labels": list(session.labels),
        "total": session.total,
        **session.counts(),
        "row": row and _row(session, row),
    }


def _row(session: Session, row: Candidate) -> dict[str, Any]:
    best = np.argsort(-row.scores)[:3]
    return {
        "key": row.key,
        "origin": row.origin,
        "doubt": session.doubt(row),
        "guesses": [
            {"label": session.labels[place], "probability": float(row.scores[place])}
            for place in best.tolist()
        ],
        "shown": _SHOWN[type(session.takes)](row, session.takes),
    }


def _picture(row: Candidate, _takes: Any) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(row.row).save(file, "PNG")
    return {"type": "picture", "address": _address("image/png", file)}


def _sound(row: Candidate, takes: AudioInput) -> dict[str, Any]:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(takes.rate)
        out.writeframes(row.row.astype("<i2").tobytes())
    return {"type": "sound", "address": _address("audio/wav", file)}


def _text(row: Candidate, _takes: Any) -> dict[str, Any]:
    text = row.row[0]
    return {"type": "text", "text": text[:_LONGEST], "more": max(len(text) - _LONGEST, 0)}


def _fields(row: Candidate, _takes: Any) -> dict[str, Any]:
    fields = row.fields or {}
    return {
        "type": "fields",
        "fields": {k: None if v is None else str(v) for k, v in fields.items()},
    }


_SHOWN: Final[dict[type, Callable[[Candidate, Any], dict[str, Any]]]] = {
    ImageInput: _picture,
    AudioInput: _sound,
    TextInput: _text,
    ColumnsInput: _fields,
}


def _address(kind: str, file: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
