"""Several serving processes on one port: started, watched, replaced, and drained.

It serves nothing itself and reads no request. Who dies is replaced, at once the first time and
ever later when it dies again and again; who gives no sign of life is killed first.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final

import msgspec

from numen.core import observe
from numen.core.errors import Internal, InvalidInput, NumenError
from numen.core.observe import logger
from numen.core.reference import Reference
from numen.core.settings import Settings
from numen.registry import Registry
from numen.server.board import Folder
from numen.server.process import MakeApp, Place, Server, address_of, hold

_log = logger(__name__)
_TICK: Final = 0.1
# Seconds before a worker that died is replaced, by how often it did so of late.
_PAUSES: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
# Who lived for so many seconds has not died "again".
_LIVED: Final = 30.0
# Longest that a process may take to be imported and give its first sign of life.
_FIRST_SIGN: Final = 60.0
# Longest that ending may take once draining is over; a server gives its connections ten seconds.
_END: Final = 15.0
_spawn = multiprocessing.get_context("spawn")


@dataclass(slots=True, eq=False)
class _Worker:
    """A place among the workers, and who is in it."""

    number: int
    process: SpawnProcess | None = None
    said: connection.Connection | None = None
    started: float = 0.0
    ready: bool = False
    error: NumenError | None = None
    deaths: int = 0
    due: float = field(default=0.0)


class Supervisor:
    """Serves with several processes.

    Args:
        settings: numen's settings; `workers` says how many.
        make_app: Builds the ASGI app in each; a function that can be imported by name.
        references: What to serve; see `Keeper`.
    """

    def __init__(self, settings: Settings, make_app: MakeApp, references: Sequence[Reference] = ()):
        self._settings = settings
        self._make_app = make_app
        self._references = tuple(references)
        self._workers = [_Worker(number) for number in range(1, settings.workers + 1)]
        self._signals: list[int] = []
        self._announced = False

    def run(self, on_ready: Callable[[str], None] | None = None) -> None:
        """Serves until SIGINT or SIGTERM, then lets all drain.

        Args:
            on_ready: Called with the address once all are ready.

        Raises:
            InvalidInput: The port is taken, or cannot be shared on this machine.
            NumenError: What a worker said that could not start.
            KeyboardInterrupt: After a SIGINT, when all have drained.
        """
        if not hasattr(socket, "SO_REUSEPORT"):
            raise InvalidInput(
                f"workers: expected 1 on this system, received {len(self._workers)}",
                field="workers",
            )
        with self._hold() as (address, folder), self._listen_to_signals():
            try:
                while not self._signals:
                    self._look(folder)
                    if not self._announced and all(worker.ready for worker in self._workers):
                        self._announced = True
                        _log.info("%s workers serve at %s", len(self._workers), address)
                        if on_ready is not None:
                            on_ready(address)
            finally:
                self._drain()
        if signal.SIGINT in self._signals:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def _hold(self) -> Iterator[tuple[str, Folder]]:
        settings = self._settings
        with contextlib.ExitStack() as held:
            holder = held.enter_context(hold(settings.host, settings.port))
            ports = {"port": holder.getsockname()[1]}
            if settings.grpc_port == 0:
                free = held.enter_context(hold(settings.host, 0))
                ports["grpc_port"] = free.getsockname()[1]
            self._settings = msgspec.structs.replace(settings, **ports)
            path = Path(tempfile.mkdtemp(prefix="numen-"))
            try:
                yield address_of(holder), Folder(path, len(self._workers))
            finally:
                shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def _listen_to_signals(self) -> Iterator[None]:
        def note(number: int, _frame: object) -> None:
            self._signals.append(number)

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _look(self, folder: Folder) -> None:
        """Waits a moment for something to happen, and does what is to be done."""
        waited: list[connection.Connection | int] = []
        for worker in self._workers:
            if worker.process is not None:
                waited.append(worker.process.sentinel)
            if worker.said is not None:
                waited.append(worker.said)
        connection.wait(waited, _TICK)
        for worker in self._workers:
            self._hear(worker)
            if worker.process is None:
                if time.monotonic() >= worker.due and not self._signals:
                    self._start(worker, folder)
            elif not worker.process.is_alive():
                self._replace(worker, folder)
            elif hung := self._hangs(worker, folder):
                _log.error("worker %s gives no sign of life for %.0f s", worker.number, hung)
                worker.process.kill()

    def _start(self, worker: _Worker, folder: Folder) -> None:
        place = Place(folder.path, worker.number, len(self._workers), first=not self._announced)
        worker.said, tell = _spawn.Pipe(duplex=False)
        worker.process = _spawn.Process(
            target=work,
            args=(self._settings, self._references, self._make_app, place, tell),
            name=f"numen-worker-{worker.number}",
        )
        worker.started = time.monotonic()
        worker.ready = False
        worker.error = None
        worker.process.start()
        tell.close()

    def _hear(self, worker: _Worker) -> None:
        said = worker.said
        if said is None or not said.poll():
            return
        try:
            worker.error = said.recv()
            worker.ready = worker.error is None
        except EOFError:
            pass
        said.close()
        worker.said = None

    def _replace(self, worker: _Worker, folder: Folder) -> None:
        """Takes a dead worker off the board, and says when another one comes."""
        assert worker.process is not None
        self._hear(worker)
        status = worker.process.exitcode
        # Who gave a sign of life answered already, though it may not have said that it is ready.
        served = worker.ready or folder.life(worker.number) is not None
        folder.bury(worker.number, restart=served)
        self._leave(worker)
        said = worker.error or f"status {status}"
        if not self._announced and (worker.error or not served):
            raise worker.error or Internal(
                f"worker {worker.number} ended with {said} before it could serve"
            )
        lived = time.monotonic() - worker.started
        worker.deaths = 1 if lived > _LIVED else worker.deaths + 1
        pause = _PAUSES[min(worker.deaths - 1, len(_PAUSES) - 1)]
        worker.due = time.monotonic() + pause
        _log.error("worker %s ended: %s; another one in %g s", worker.number, said, pause)

    def _leave(self, worker: _Worker) -> None:
        if worker.process is not None:
            worker.process.close()
        if worker.said is not None:
            worker.said.close()
        worker.process = worker.said = None
        worker.ready = False

    def _hangs(self, worker: _Worker, folder: Folder) -> float:
        """For how long a worker has given no sign of life, if that is too long, else 0."""
        now = time.monotonic()
        life = folder.life(worker.number)
        if life is None:
            quiet = now - worker.started
            return quiet if quiet > max(_FIRST_SIGN, self._settings.hang) else 0.0
        return now - life.at if now - life.at > self._settings.hang else 0.0

    def _drain(self) -> None:
        """Lets all finish what they were asked; a second signal ends them at once."""
        before = len(self._signals)
        there = [worker.process for worker in self._workers if worker.process is not None]
        for process in there:
            process.terminate()
        end = time.monotonic() + self._settings.drain + _END
        while (alive := [process for process in there if process.is_alive()]) and (
            time.monotonic() < end and len(self._signals) == before
        ):
            connection.wait([process.sentinel for process in alive], _TICK)
        for process in there:
            if process.is_alive():
                process.kill()
                process.join()
        for worker in self._workers:
            self._leave(worker)


def work(
    settings: Settings,
    references: Sequence[Reference],
    make_app: MakeApp,
    place: Place,
    tell: connection.Connection,
) -> None:
    """A worker's life; runs in a process of its own."""
    observe.setup(settings.log_level, settings.log_format, place.number)
    threading.Thread(target=_end_with_parent, name="numen-parent", daemon=True).start()
    # Who stops the whole group, as Ctrl-C does, stops the supervisor, and that one stops us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        server = Server(settings, Registry.of(settings), make_app, references, place)
        server.run(lambda _address: tell.send(None))
    except NumenError as error:
        tell.send(error)
        sys.exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
