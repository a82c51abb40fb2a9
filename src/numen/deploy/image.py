"""An image that serves models: its Dockerfile, and all that lies beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

import numen
from numen.core.errors import InvalidInput
from numen.deploy import own
from numen.deploy.baked import CATALOG, home
from numen.deploy.base import Files, Shipped
from numen.deploy.sbom import pins, sbom

# Who it runs as: a number, so that Kubernetes can see that it is not root.
USER: Final = 10001
HOME: Final = "/models"
KEYS: Final = "/run/secrets/numen/keys"
ABOUT: Final = "image.json"
_VENV: Final = "/opt/numen"
# What packages bring that no server ever opens: tests, sources, maps, tools of training, and a
# second copy of onnxruntime for C programs.
_UNUSED: Final = (
    r"-type d -name tests", r"-type f -name '*.map'", r"-type f -name '*.pyi'",
    r"-type f -name '*.pyx'", r"-type f -name '*.pxd'", r"-type f -name '*.h'",
    r"-type f -name '*.c'", r"-type f -name '*.cpp'", r"-type f -name 'libonnxruntime.so*'",
    r"-type d -path '*/onnxruntime/transformers'", r"-type d -path '*/onnxruntime/quantization'",
    r"-type d -path '*/onnxruntime/tools'",
)  # fmt: skip
# Whether it is ready, asked with what is in the image.
ASK: Final = (
    "import os, urllib.request as r; "
    "r.urlopen('http://127.0.0.1:' + os.environ['NUMEN_PORT'] + '/v2/health/ready', timeout=4)"
)


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an image shall be."""

    tag: Annotated[str, Meta(description="Its name; numen-MODEL:VERSION by default.")] = ""
    base: Annotated[
        str, Meta(description="The image it builds on; python:PYTHON-slim by default.")
    ] = ""
    python: Annotated[
        str, Meta(description="The base's Python.", pattern=r"^3\.(1[1-9]|[2-9][0-9])$")
    ] = "3.13"
    port: Annotated[int, Meta(description="Port it serves at.", ge=1, le=65_535)] = 8000
    workers: Annotated[int, Meta(description="Processes that serve.", ge=1, le=1024)] = 1
    fetch: Annotated[
        bool, Meta(description="Fetch models at the start from NUMEN_CATALOG and NUMEN_BLOBS.")
    ] = False
    full: Annotated[
        bool, Meta(description="With gRPC, OpenTelemetry, Postgres and S3; so with --fetch.")
    ] = False


def context(models: Sequence[Shipped], image: Image) -> Files:
    """What an image is built of, by path.

    Raises:
        InvalidInput: A name would end up as a line of its own in the Dockerfile.
    """
    for field, value in (("tag", image.tag), ("base", image.base)):
        if not value.isprintable() or " " in value:
            raise InvalidInput(f"{field}: expected a name, received {value!r}", field=field)
    tag, base = image.tag or tag_of(models), image.base or f"python:{image.python}-slim"
    lock = own.requirements("full" if image.full or image.fetch else "serve")
    wheel = own.wheel()
    digests = {_name(model): model.version.digest for model in models}
    about = {"tag": tag, "base": base, "numen": numen.__version__, "models": digests}
    files: dict[str, bytes | Path] = {
        "Dockerfile": _dockerfile(models, image, tag, base, digests).encode(),
        ".dockerignore": b"Dockerfile\n.dockerignore\n.numen-deploy.json\nimage.json\n",
        ABOUT: (json.dumps(about, indent=1) + "\n").encode(),
        "requirements.txt": lock.encode(),
        own.NAME: wheel,
        "sbom.cdx.json": sbom(tag, base, wheel, pins(lock, image.python), models),
    }
    return files if image.fetch else {**files, **home(models, HOME.strip("/"))}


def _name(model: Shipped) -> str:
    return f"{model.version.name}@{model.version.version}"


def tag_of(models: Sequence[Shipped]) -> str:
    """What an image that serves models is called unless it is called otherwise."""
    if len(models) == 1:
        return f"numen-{models[0].version.name}:{models[0].version.version}"
    return "numen-models:latest"


def _dockerfile(
    models: Sequence[Shipped], image: Image, tag: str, base: str, digests: dict[str, str]
) -> str:
    prune = " -o ".join(_UNUSED)
    references = [str(m.reference) if image.fetch else _name(m) for m in models]
    serve = [f"{_VENV}/bin/numen", "serve", *dict.fromkeys(references)]
    baked = "" if image.fetch else f"COPY --from=build {HOME} {HOME}\n"
    models_ = "" if image.fetch else (
        f"\nCOPY {HOME.strip('/')} {HOME}\nRUN chmod -R u=rwX,go=rX {HOME}\n"
    )  # fmt: skip
    return f"""\
# {tag}, written by numen {numen.__version__}: change the models or the options, and write it again.
FROM {base} AS build
WORKDIR /build
COPY requirements.txt ./
# Installed from outside, so that what is copied on holds no pip.
RUN python3 -c "import sys; assert sys.version_info[:2] == {_tuple(image.python)}, sys.version" \\
 && python3 -m venv /build/tool && python3 -m venv --without-pip {_VENV} \\
 && /build/tool/bin/pip --python {_VENV}/bin/python3 install --no-cache-dir --no-compile \\
      --only-binary :all: --require-hashes -r requirements.txt
COPY {own.NAME} ./
RUN /build/tool/bin/pip --python {_VENV}/bin/python3 install --no-cache-dir --no-compile \\
      --no-index --no-deps {own.NAME} \\
 && find {_VENV}/lib \\( {prune} \\) -prune -exec rm -rf {{}} + \\
 && {_VENV}/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash {_VENV}/lib
COPY sbom.cdx.json {_VENV}/
{models_}
FROM {base}
RUN rm -rf /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip \\
      /usr/local/bin/pip*
COPY --from=build {_VENV} {_VENV}
{baked}{_environment(image)}
{_labels(tag, base, digests, models)}
USER {USER}:{USER}
WORKDIR /
EXPOSE {image.port}{" 8001" if image.full or image.fetch else ""}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \\
  CMD {json.dumps([f"{_VENV}/bin/python3", "-c", ASK])}
ENTRYPOINT {json.dumps(serve)}
"""


def _tuple(python: str) -> str:
    return f"({python.replace('.', ', ')})"


def _environment(image: Image) -> str:
    said: dict[str, Any] = {
        "NUMEN_HOST": "0.0.0.0",  # noqa: S104 - a container's own network
        "NUMEN_PORT": image.port,
        "NUMEN_WORKERS": image.workers,
        "NUMEN_LOG_FORMAT": "json",
        "NUMEN_KEYS_FILE": KEYS,
        "NUMEN_HOME": HOME,
        "NUMEN_CATALOG": CATALOG.format(home=HOME),
        "PYTHONUNBUFFERED": 1,
        "PYTHONDONTWRITEBYTECODE": 1,
        "OPENBLAS_NUM_THREADS": 1,  # numen's own arithmetic is small; models have `threads`
    }
    if image.fetch:
        # Its keys are the catalog's own, and what it fetches is kept in /tmp.
        del said["NUMEN_CATALOG"], said["NUMEN_KEYS_FILE"]
        said["NUMEN_HOME"] = "/tmp/numen"  # noqa: S108 - in a container
        said["NUMEN_JOBS"] = -1  # trainings are for hosts that have something to train with
    return "ENV " + " \\\n    ".join(f'{name}="{value}"' for name, value in said.items())


def _labels(tag: str, base: str, digests: dict[str, str], models: Sequence[Shipped]) -> str:
    licences = sorted({m.bundle.manifest.licence for m in models if m.bundle.manifest.licence})
    said = {
        "org.opencontainers.image.title": tag.rpartition("/")[2].partition(":")[0],
        "org.opencontainers.image.version": tag.rpartition("/")[2].partition(":")[2] or "latest",
        "org.opencontainers.image.description": f"{', '.join(digests)}, served by numen",
        "org.opencontainers.image.base.name": base,
        "org.opencontainers.image.licenses": "Apache-2.0",
        "numen.version": numen.__version__,
        "numen.models": json.dumps(digests, separators=(",", ":")),
        "numen.models.licences": ", ".join(licences),
    }
    return "LABEL " + " \\\n      ".join(
        f"{name}={json.dumps(value).replace('$', chr(92) + '$')}"
        for name, value in said.items()
        if value
    )
