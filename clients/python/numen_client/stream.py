"""One WebSocket to a model: many requests under way, answers as they come.

with client.stream("digits") as stream:
    asked = stream.send({"image": image}, deadline_ms=16)
    answer = stream.receive()      # answer.id == asked, unless others were asked
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any

import numpy as np
from websockets.sync.client import ClientConnection


@dataclass(frozen=True)
class StreamAnswer:
    """What a model said of one request.

    Attributes:
        id: The request's.
        outputs: Arrays by name; empty where there is an error.
        outcome: `met`, or `degraded` where a faster variant had to answer in time.
        served_by: Such as `digits@3/int8`.
        error: Why there is no answer; None where there is one.
        code: numen's code for it.
    """

    id: str | None
    outputs: dict[str, np.ndarray[Any, Any]]
    outcome: str = ""
    served_by: str = ""
    error: str | None = None
    code: str = ""


class Stream:
    """A connection that is open. Belongs to one thread.

    Args:
        opening: What opens the WebSocket, and closes it in the end.
        write: Makes a message's JSON and tensors of inputs and other fields.
        read: Reads outputs of a message's JSON and of the bytes behind it.
        timeout: Longest wait for an answer, in seconds.
    """

    def __init__(
        self,
        opening: AbstractContextManager[ClientConnection],
        write: Callable[..., tuple[bytes, int]],
        read: Callable[[dict[str, Any], bytes], dict[str, np.ndarray[Any, Any]]],
        timeout: float,
    ):
        self._open = ExitStack()
        self._socket = self._open.enter_context(opening)
        self._write = write
        self._read = read
        self._timeout = timeout
        self._ids = count()

    def send(self, inputs: dict[str, Any], *, deadline_ms: float | None = None) -> str:
        """Asks, and does not wait.

        Args:
            inputs: Arrays by input name.
            deadline_ms: How long an answer is of use.

        Returns:
            The id that its answer will have.
        """
        id_ = str(next(self._ids))
        parameters = {} if deadline_ms is None else {"deadline_ms": deadline_ms}
        message, length = self._write(inputs, {"id": id_}, parameters)
        self._socket.send(length.to_bytes(4, "little") + message)
        return id_

    def receive(self) -> StreamAnswer:
        """The next answer, to whichever request.

        Raises:
            TimeoutError: None came in time.
        """
        frame = self._socket.recv(self._timeout)
        if isinstance(frame, str):
            said = json.loads(frame)
            return StreamAnswer(said["id"], {}, error=said["error"], code=said["code"])
        end = 4 + int.from_bytes(frame[:4], "little")
        head = json.loads(frame[4:end])
        how = head["parameters"]
        outputs = self._read(head, frame[end:])
        return StreamAnswer(head.get("id"), outputs, how["outcome"], how["served_by"])

    def close(self) -> None:
        """Closes the connection; what is under way is dropped."""
        self._open.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
