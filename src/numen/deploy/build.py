"""Images, built by docker, podman or buildah, whichever is there."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from numen.core.errors import MissingExtra, NotReady
from numen.deploy.base import Note
from numen.deploy.image import ABOUT

# By tool: how to learn whether it works here (docker alone is only a client), and how it builds.
# An image in Docker's format keeps its health check, which OCI's does not know.
TOOLS: Final[dict[str, tuple[Sequence[str], Sequence[str]]]] = {
    "docker": (("version",), ("build",)),
    "podman": (("version",), ("build", "--format", "docker")),
    "buildah": (("version",), ("build", "--format", "docker")),
}
_SHOWN: Final = 1500


def build(folder: Path, tool: str, push: bool, note: Note) -> dict[str, Any]:
    """Builds the image of a folder that `image.context` gave.

    Args:
        folder: What was rendered, written down.
        tool: One of `TOOLS`; empty takes the first that works.
        push: Whether the image is sent to where its name says.
        note: Told of each step.

    Raises:
        MissingExtra: None of them works here.
        NotReady: It failed; its last words are in the message.
    """
    chosen = tool or first()
    tag = json.loads((folder / ABOUT).read_bytes())["tag"]
    note(f"{chosen} builds {tag}")
    run(chosen, *TOOLS[chosen][1], "-t", tag, "-f", str(folder / "Dockerfile"), str(folder))
    if push:
        note(f"{chosen} pushes {tag}")
        run(chosen, "push", tag)
    return {"image": tag, "tool": chosen, "pushed": push}


def first() -> str:
    """The first tool that works here.

    Raises:
        MissingExtra: None does.
    """
    for name, (probe, _) in TOOLS.items():
        if works(name, probe):
            return name
    raise MissingExtra(
        f"no tool that builds images works here; looked for {', '.join(TOOLS)}",
        hint="install one, or say --no-apply and build the folder elsewhere",
    )


def works(tool: str, probe: Sequence[str]) -> bool:
    """Whether a tool is there, and does this."""
    if shutil.which(tool) is None:
        return False
    done = subprocess.run([tool, *probe], capture_output=True, check=False)  # noqa: S603
    return done.returncode == 0


def run(*command: str) -> str:
    """Runs a tool and returns what it printed.

    Raises:
        MissingExtra: It is not there.
        NotReady: It failed; its last words are in the message.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise MissingExtra(
            f"{command[0]} cannot be run: {error.strerror}", hint=f"install {command[0]}"
        ) from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip())[-_SHOWN:]
        raise NotReady(f"{' '.join(command[:2])} ended with {done.returncode}: {words}")
    return done.stdout
