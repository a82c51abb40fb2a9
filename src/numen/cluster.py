"""A Ray cluster: how its address is said, how it is joined, and how files travel on it.

`numen train --on`, `numen tune --on` and `numen deploy ray` mean the same cluster by the same
address. Ray schedules, retries and carries; nothing here does.
"""

from __future__ import annotations

import functools
import io
import os
import shutil
import tarfile
import tempfile
import uuid
from pathlib import Path
from typing import Any, Final

from numen.core.errors import InvalidInput, MissingExtra, NotReady

_STORE: Final = 200 << 20  # bytes of a local cluster's object store; more goes to disk


@functools.cache
def load(on: str) -> Any:
    """Ray's module, told to phone nobody.

    Args:
        on: `ray` for the cluster that `RAY_ADDRESS` names, else one started on this machine; or
            an address such as `ray://head:10001`.

    Raises:
        InvalidInput: `on` names no cluster.
        MissingExtra: It is not installed.
    """
    if on != "ray" and not on.startswith("ray://"):
        raise InvalidInput(
            f'on: expected "ray" or an address such as ray://head:10001, received "{on}"',
            field="on",
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if on == "ray" and "RAY_ADDRESS" not in os.environ:
        # Ray's own name for: listen on the loopback address alone, as nobody else is to come.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
        import ray.util.scheduling_strategies
    except ModuleNotFoundError as error:
        raise MissingExtra.of(f'"--on {on}"', "ray") from error
    return ray


def connect(ray: Any, on: str, *, own_code: bool = False, local: bool = True) -> bool:
    """Joins a cluster, unless this process is in one.

    Args:
        ray: What `load` gave.
        on: As there.
        own_code: The user's own modules are needed: those of the working directory, and the
            packages in it, are sent along.
        local: Where no cluster is named, one is started on this machine, for as long as this
            process is in it.

    Returns:
        Whether it was joined now, so that who asked leaves it too.

    Raises:
        InvalidInput: No cluster is named, and none may be started.
        NotReady: No cluster answers.
    """
    if ray.is_initialized():
        return False
    how: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    address = on if on != "ray" else os.environ.get("RAY_ADDRESS", "")
    if address:
        how["address"] = address
    elif not local:
        raise InvalidInput(
            "on: no cluster is named",
            hint="set RAY_ADDRESS (auto, or host:6379), or say --on ray://host:10001",
            field="on",
        )
    else:  # one of its own, for this machine alone
        how |= {"address": "local", "include_dashboard": False, "object_store_memory": _STORE}
    with tempfile.TemporaryDirectory(prefix="numen-code-") as folder:
        if own_code:
            _copy_modules(Path.cwd(), Path(folder))
            how["runtime_env"] = {"working_dir": folder}
        try:
            ray.init(**how)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            raise NotReady(
                f"ray: no cluster answers at {address or 'this machine'}: {error}",
                hint="start one (ray start --head), or name another address",
            ) from error
    return True


def pack(path: Path, name: str = ".") -> bytes:
    """A folder or a file as one piece of bytes, to be carried; `name` is what it unpacks to."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        archive.add(path.resolve(), name)
    return whole.getvalue()


def unpack(packed: Any, folder: Path) -> None:
    """Makes a folder of what was packed; it appears whole, once, whoever else does the same."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    with tarfile.open(fileobj=io.BytesIO(memoryview(packed)), mode="r") as archive:
        archive.extractall(work, filter="data")
    try:
        work.rename(folder)
    except OSError:  # another one on this node was faster
        shutil.rmtree(work, ignore_errors=True)


def _copy_modules(source: Path, target: Path) -> None:
    """A folder's modules and packages alone: data and models that lie there too may be large."""
    for path in source.iterdir():
        if path.suffix == ".py":
            shutil.copyfile(path, target / path.name)
        elif (path / "__init__.py").is_file():
            shutil.copytree(path, target / path.name, ignore=shutil.ignore_patterns("__pycache__"))
