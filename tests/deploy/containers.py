"""Images without an engine: Debian's buildah on a base made by mmdebstrap, its files run by us.

Neither docker nor podman runs everywhere tests do. Here an image is built with buildah in a store
of its own, and its entry point is started in its files, mounted read only, by its own user.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NEEDED = ("buildah", "mmdebstrap", "unshare", "chroot")
PACKAGES = "python3,python3-venv,ca-certificates"
# As an engine's `--read-only --tmpfs /tmp` has it.
ENTER = """
set -e
mount --bind "$1" "$1"
for part in proc dev sys; do mount --rbind /$part "$1/$part"; done
mount -o remount,ro,bind "$1"
mount -t tmpfs -o size=16m tmpfs "$1/tmp"
root=$1; user=$2; shift 2
exec chroot --userspec="$user" "$root" "$@"
"""


def missing() -> list[str]:
    """What must be there and is not."""
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    return lacking if os.geteuid() == 0 else [*lacking, "root"]


class Images:
    """A store of images in a folder.

    Args:
        folder: Where all of it lies.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
        )
        self.env = {
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"), "BUILDAH_ISOLATION": "chroot",
        }  # fmt: skip

    def buildah(self, *arguments: str) -> str:
        done = subprocess.run(
            ["buildah", *arguments], env={**os.environ, **self.env}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def base(self) -> str:
        """A Debian with Python, which trusts whom this machine trusts, so that pip works in it."""
        context = self._folder / "base"
        context.mkdir()
        suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
        # Not what an image has no use for: a third of the files.
        lean = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("man", "locale", "info")]
        subprocess.run(
            ["mmdebstrap", "-q", "--variant=minbase", *lean, f"--include={PACKAGES}", suite,
             str(context / "base.tar")], check=True,
        )  # fmt: skip
        certificates = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
        shutil.copy(certificates, context / "ca.crt")
        (context / "pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
        (context / "Dockerfile").write_text(
            "FROM scratch\nADD base.tar /\nCOPY ca.crt /etc/ssl/certs/ca-certificates.crt\n"
            "COPY pip.conf /etc/pip.conf\n"
        )
        self.buildah("build", "-t", "localhost/base", str(context))
        shutil.rmtree(context)
        return "localhost/base"

    def megabytes(self, image: str) -> float:
        """An image's size, its base's included."""
        (found,) = json.loads(self.buildah("images", "--json", image))
        number, unit = found["size"].split()
        return float(number) * {"KB": 1e-3, "MB": 1, "GB": 1e3}[unit.upper()]

    def config(self, image: str) -> dict[str, Any]:
        """What the image says of how it is run."""
        found = json.loads(self.buildah("inspect", "--type", "image", image))
        return dict(found["Docker"]["config"])

    @contextmanager
    def container(self, image: str) -> Iterator[Container]:
        name = self.buildah("from", image)
        try:
            yield Container(self, name, Path(self.buildah("mount", name)), self.config(image))
        finally:
            self.buildah("rm", name)


class Container:
    """An image's files, and how they are run.

    Args:
        images: Where it lies.
        name: What buildah calls it.
        root: Its files.
        config: What its image says.
    """

    def __init__(self, images: Images, name: str, root: Path, config: dict[str, Any]):
        self._images = images
        self.name = name
        self.root = root
        self.config = config

    @property
    def said(self) -> dict[str, str]:
        """The image's environment."""
        return dict(pair.split("=", 1) for pair in self.config["Env"])

    def start(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        command: list[str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Runs its entry point, or another command: read only, by its user, with its environment."""
        user = self.config["User"]
        return subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", ENTER, "sh", str(self.root), user,
             *(command or self.config["Entrypoint"]), *arguments],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **self.said, **(env or {})},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run_by_buildah(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Runs its entry point the way buildah does, where nothing is read only."""
        said = [f"--env={name}={value}" for name, value in (env or {}).items()]
        return subprocess.Popen(
            ["buildah", "run", *said, "--user", self.config["User"], self.name, "--",
             *self.config["Entrypoint"], *arguments],
            env={**os.environ, **self._images.env},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
