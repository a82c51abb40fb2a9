"""Logs: one line an event, for people or as JSON, each with the request it belongs to.

No secret of a key gets into a line, whoever put it there.
"""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar

import msgspec

from numen.core.key import redact
from numen.core.message import Origin

# What the request at hand is called, where doors await.
origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 - it is frozen

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields = {key: value for key, value in vars(record).items() if key not in _PLAIN}
    if current := origin.get().request_id:
        fields["request_id"] = current
    return fields


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        line = (
            f"{time.strftime('%H:%M:%S', time.localtime(record.created))} "
            f"{record.levelname.lower():7} {record.getMessage()}{fields}"
        )
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return redact(line)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        } | _fields(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(msgspec.json.encode(line, enc_hook=str).decode())


class _Worker(logging.Filter):
    def __init__(self, number: int):
        super().__init__()
        self._number = number

    def filter(self, record: logging.LogRecord) -> bool:
        record.worker = self._number
        return True


def setup(level: str = "info", style: str = "text", worker: int | None = None) -> None:
    """Sends numen's and its server's logs to standard error in one form.

    Args:
        level: The least severe to be written.
        style: `text` or `json`.
        worker: The number of this process among those that serve, where there are several.
    """
    handler = logging.StreamHandler()
    if worker is not None:
        handler.addFilter(_Worker(worker))
    handler.setFormatter(_Json() if style == "json" else _Text())
    for name in ("numen", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler] if name != "uvicorn.error" else []
        logger.propagate = name == "uvicorn.error"
        logger.setLevel(level.upper())


def logger(name: str) -> logging.Logger:
    """The logger of a module: `logger(__name__)`."""
    return logging.getLogger(name)
