"""Real stores that tests share: a Postgres and a server of S3's protocol, each started once."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from parts import free_port

PASSWORD = "pa:ss/w@rd"
_QUOTED = "pa%3Ass%2Fw%40rd"
_FAST = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=16MB")


class Postgres:
    """A Postgres of the tests' own on a free port, in a folder that goes with it."""

    def __init__(self, programs: Path):
        self.port = free_port()
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="numen-postgres-"))
        # It refuses to be run by root.
        self._as = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        if os.geteuid() != 0:
            self._as = []
        self._process: subprocess.Popen[bytes] | None = None
        word = self._folder / "word"
        word.write_text(PASSWORD)
        if self._as:
            for path in (self._folder, word):
                shutil.chown(path, "nobody", "nogroup")
        subprocess.run(
            [*self._as, programs / "initdb", "-D", self._folder / "data", "-U", "numen",
             "--pwfile", word, "-A", "scram-sha-256", "-E", "UTF8", "--no-sync", "--no-locale"],
            check=True, capture_output=True, cwd=self._folder,
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        """Starts it, after a stop as well."""
        options = [part for said in _FAST for part in ("-c", said)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as, self._programs / "postgres", "-D", self._folder / "data",
                 "-h", "127.0.0.1", "-p", str(self.port), "-k", "", *options],
                stdout=log, stderr=log, cwd=self._folder,
            )  # fmt: skip
        _until(lambda: self._ask("SELECT 1") is not None)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Ends it at once, as a crash would."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(30)

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """It takes connections and answers nobody."""
        assert self._process is not None
        pids = [self._process.pid, *_children(self._process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def new(self) -> str:
        """The URL of a new, empty schema, which is made in no time, unlike a database."""
        name = f"numen_{uuid.uuid4().hex[:12]}"
        assert self._ask(f"CREATE SCHEMA {name}") is not None
        return f"{self.url()}?options=-csearch_path%3D{name}"

    def url(self, name: str = "postgres") -> str:
        """The URL of a database."""
        return f"postgresql://numen:{_QUOTED}@127.0.0.1:{self.port}/{name}"

    def close(self) -> None:
        """Ends it and takes its folder away."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ask(self, statement: str) -> str | None:
        import psycopg

        try:
            with psycopg.connect(self.url(), autocommit=True, connect_timeout=5) as connection:
                return connection.execute(statement).statusmessage
        except psycopg.OperationalError:
            return None


class Bucket:
    """A server of S3's protocol, with one bucket."""

    NAME = "numen"
    ENVIRONMENT: ClassVar = {
        "AWS_ACCESS_KEY_ID": "numen", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip

    def __init__(self) -> None:
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _until(lambda: not _refuses(self.port))
        self.client().create_bucket(Bucket=self.NAME)

    def client(self):
        """A client of somebody else's make."""
        import boto3

        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1",
            aws_access_key_id="numen", aws_secret_access_key="secret",
        )  # fmt: skip

    def new(self) -> str:
        """The URL of a new place in the bucket."""
        return f"s3://{self.NAME}/{uuid.uuid4().hex[:12]}"

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """It takes connections and answers nobody."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Relay:
    """A way to a port that can be shut: connections end, and new ones are refused."""

    def __init__(self, target: int):
        self.port = free_port()
        self._target = target
        self._open: list[socket.socket] = []
        self._door: socket.socket | None = None
        self.open()

    def open(self) -> None:
        self._door = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._take, args=(self._door,), daemon=True).start()

    def shut(self) -> None:
        assert self._door is not None
        for end in (self._door, *self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def _take(self, door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = door.accept()
                there = socket.create_connection(("127.0.0.1", self._target))
                self._open += [here, there]
                for a, b in ((here, there), (there, here)):
                    threading.Thread(target=_pass, args=(a, b), daemon=True).start()


def _pass(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def programs() -> Path | None:
    """Where Postgres's programs lie, if anywhere."""
    found = shutil.which("initdb")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).parent if found else places[-1].parent if places else None


def _until(what: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "the store did not start"
        time.sleep(0.05)


def _refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _children(pid: int) -> list[int]:
    said = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in said.split()]
