"""All that can be set, in one typed object, and where each value came from.

Later wins: defaults, then `numen.toml` in the working directory, then `NUMEN_*` in the
environment, then flags.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from numen.core.errors import InvalidInput
from numen.core.given import convert

Positive = Annotated[int, msgspec.Meta(ge=1)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
# What a URL says behind the user's name, and parameters that are secrets by their name.
_SECRET: Final = re.compile(
    r"(://[^:/@]*:).*(?=@)|([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&]*", re.IGNORECASE
)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """numen's settings.

    Attributes:
        home: Where state lives.
        catalog: SQLAlchemy URL of the catalog; empty is SQLite under `home`.
        blobs: URL or folder of bundles and data; empty is `home`/blobs.
        keys_file: File of keys to go by, instead of those in the catalog; see `numen keys`.
        host: Address the server binds.
        port: Its port; 0 takes a free one.
        insecure: Serve other machines although there is no key.
        grpc_port: The port for gRPC, where that is installed; 0 takes a free one.
        grpc_carrier: Who speaks HTTP/2 there: numen itself, or grpcio.
        log_level: Least severe message that is logged.
        log_format: `text` for people, `json` for machines.
        traces: URL of the OpenTelemetry collector that is sent traces, such as
            `http://localhost:4318`; empty sends none.
        trace_share: How many of the requests are traced, from 0 to 1, where the caller's
            `traceparent` does not decide it.
        max_body: Largest request body, in bytes.
        max_batch: Most rows that run together.
        max_queue: Most rows that may wait for one model.
        threads: Threads one model run may use.
        poll: Seconds between looks at the catalog for moved aliases.
        workers: Processes that serve, on one port.
        hang: Seconds without a sign of life after which a worker is replaced.
        drain: Seconds in which a server that was told to end still takes requests, though it is
            not ready any more; so who sends them to it has the time to send them elsewhere.
        preload: Most versions that are opened at the start where none are named; the others are
            opened by their first request.
        idle_unload: Seconds after which a model that nobody asks is closed, to be opened again
            by its next request; 0 closes none.
        memory_budget: Bytes that open models may take in all; over it those not asked for the
            longest are closed. 0 is half of the machine's memory.
        cache_budget: Bytes that copies of bundles and data which lie elsewhere may take; over it
            the longest unused go, none that was used within a day.
        jobs: Most trainings in the background at once; 0 is half of the cores, -1 leaves them to
            other hosts of the same catalog.
        job_silence: Seconds without a sign of life of a training after which another host of the
            same catalog takes it over.
        origins: Where pages of others may call from: origins with commas between them, such as
            `https://game.example`, or `*` for all; empty lets only this server's own pages.
        any_recipe: Trainings asked for over the network may name files and the user's own code.
    """

    home: str = "~/.numen"
    catalog: str = ""
    blobs: str = ""
    keys_file: str = ""
    host: str = "127.0.0.1"
    port: Port = 8000
    insecure: bool = False
    grpc_port: Port = 8001
    grpc_carrier: Literal["numen", "grpcio"] = "numen"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    traces: str = ""
    trace_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.01
    max_body: Positive = 64 << 20
    max_batch: Positive = 64
    max_queue: Positive = 8192
    threads: Positive = 1
    poll: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 0.25
    workers: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    hang: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 10
    drain: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0
    preload: Annotated[int, msgspec.Meta(ge=0)] = 32
    idle_unload: Annotated[float, msgspec.Meta(ge=0)] = 900
    memory_budget: Annotated[int, msgspec.Meta(ge=0)] = 0
    cache_budget: Positive = 20 << 30
    jobs: Annotated[int, msgspec.Meta(ge=-1, le=1024)] = 0
    job_silence: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 20
    origins: str = ""
    any_recipe: bool = False

    @property
    def home_path(self) -> Path:
        """The folder that holds state."""
        return Path(self.home).expanduser().absolute()

    @property
    def catalog_url(self) -> str:
        """The catalog's SQLAlchemy URL."""
        # The two characters that a URL would read otherwise in a path.
        path = str(self.home_path / "catalog.db").replace("%", "%25").replace("?", "%3F")
        return self.catalog or f"sqlite:///{path}"

    @property
    def allowed_origins(self) -> frozenset[str]:
        """The origins whose pages may call; `*` among them is all."""
        return frozenset(
            each.strip().rstrip("/") for each in self.origins.split(",") if each.strip()
        )

    @property
    def blobs_url(self) -> str:
        """The blobs' fsspec URL or folder."""
        return self.blobs or str(self.home_path / "blobs")


def hide_passwords(url: str) -> str:
    """A URL as it may be shown."""
    return _SECRET.sub(r"\1\2***", url)


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> tuple[Settings, dict[str, str]]:
    """Reads the settings.

    Args:
        flags: Values given on the command line; None values are not given.
        environ: The environment; the process's own by default.
        file: The TOML file; `numen.toml` in the working directory by default, if there.

    Returns:
        The settings, and for each name where its value came from.

    Raises:
        InvalidInput: A value has the wrong type, or a name is unknown.
    """
    environ = os.environ if environ is None else environ
    file = file or Path("numen.toml")
    names = [field.name for field in msgspec.structs.fields(Settings)]
    values: dict[str, Any] = {}
    origin = dict.fromkeys(names, "default")

    def take(source: str, name: str, value: Any) -> None:
        if name not in origin:
            raise InvalidInput(
                f'settings: "{name}" in {source} is unknown', hint=f"known: {', '.join(names)}"
            )
        values[name] = value
        origin[name] = source

    if file.is_file():
        try:
            table = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"settings: {file}: {error}") from error
        for name, value in table.items():
            take(str(file), name, value)
    for name in names:
        variable = f"NUMEN_{name.upper()}"
        if variable in environ:
            take(variable, name, environ[variable])
    for name, value in (flags or {}).items():
        if value is not None:
            take(f"--{name.replace('_', '-')}", name, value)
    try:
        return convert(values, Settings, "settings"), origin
    except InvalidInput as error:
        name = error.field or ""
        raise InvalidInput(
            f"{error.message} (from {origin.get(name, 'the settings')})", field=name
        ) from error
