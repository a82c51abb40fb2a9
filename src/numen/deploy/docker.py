"""The target `docker`: an image that serves models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from numen.deploy.base import Files, Note, Shipped
from numen.deploy.build import build
from numen.deploy.image import Image, context


class Options(Image, frozen=True, forbid_unknown_fields=True):
    """What can be said of it."""

    tool: Annotated[
        Literal["", "docker", "podman", "buildah"],
        Meta(description="What builds it; the first of these that works by default."),
    ] = ""
    push: Annotated[bool, Meta(description="Send the image to where its name says.")] = False


class DockerTarget:
    """Build a container image that serves models, with docker, podman or buildah."""

    options: ClassVar[type[Options]] = Options
    applies: ClassVar[bool] = True

    def __init__(self, options: Options):
        self._options = options

    def render(self, models: Sequence[Shipped]) -> Files:
        """A Dockerfile and what it needs beside it."""
        return context(models, self._options)

    def apply(self, folder: Path, note: Note) -> dict[str, Any]:
        """Builds the image, and sends it where it shall be sent."""
        return build(folder, self._options.tool, self._options.push, note)
