"""The app behind `numen data label`: the console's page of labelling, and what it asks.

It serves one person on this machine, for as long as the command runs; it is no part of a server.
"""

from __future__ import annotations

import base64
import io
import threading
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from PIL import Image
from pydantic import BaseModel

from numen.api.labelling import Session
from numen.api.pool import Candidate
from numen.control.origin import refuse_other_site
from numen.core.errors import NumenError
from numen.transport.status import error_body, status_of


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
        "picture": None if row.fields is not None else _picture(row.row),
        "fields": row.fields and {k: None if v is None else str(v) for k, v in row.fields.items()},
    }


def _picture(pixels: Any) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
