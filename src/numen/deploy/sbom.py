"""What an image is made of, as CycloneDX 1.6 writes it: packages, models, and the base image.

Each package is named with the digests of its release's files, one of which is installed, as they
stand in the lock; licences are what the packages say of themselves on this machine.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any, Final

import numen
from numen.deploy.base import Shipped

_PIN: Final = re.compile(r"([a-z0-9][a-z0-9._-]*)==(\S+)(?: ; (.+?))?(?: \\)?$", re.MULTILINE)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_SPACE: Final = uuid.UUID("5f2a6d58-0c3b-5b0f-9a43-6d1f0b6a7c11")
# What OSI and PyPI call them, and SPDX.
_SPDX: Final = {
    "MIT License": "MIT", "MIT": "MIT", "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0", "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-3.0-only",
}  # fmt: skip
# Who bring a licence in words and do not name it.
_SILENT: Final = {"pysimdjson": "MIT"}


@dataclass(frozen=True, slots=True)
class Pin:
    """A package that a lock pins."""

    name: str
    version: str
    hashes: tuple[str, ...]


def pins(lock: str, python: str) -> list[Pin]:
    """The packages of a lock that a Python on Linux gets.

    Args:
        lock: The text of a hashed requirements file.
        python: Such as `3.13`.
    """
    from packaging.markers import Marker, default_environment

    there: dict[str, Any] = {
        **default_environment(),
        "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
        "python_version": python, "python_full_version": f"{python}.0",
        "implementation_name": "cpython", "platform_python_implementation": "CPython",
    }  # fmt: skip
    found: list[Pin] = []
    entries = re.split(r"\n(?=[a-z0-9])", f"\n{lock}")
    for entry in entries:
        match = _PIN.match(entry)
        if match is None or (match[3] and not Marker(match[3]).evaluate(there)):
            continue
        found.append(Pin(match[1], match[2], tuple(_HASH.findall(entry))))
    return found


def sbom(
    tag: str, base: str, wheel: bytes, packages: Sequence[Pin], models: Sequence[Shipped]
) -> bytes:
    """The bill of materials as JSON; the same parts give the same bytes."""
    components = [
        {"type": "container", "bom-ref": f"base:{base}", "name": base},
        _numen(wheel),
        *map(_package, packages),
        *map(_model, models),
    ]
    whole: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": "image", "name": tag}},
        "components": components,
        "dependencies": [{"ref": "image", "dependsOn": [part["bom-ref"] for part in components]}],
    }
    name = json.dumps(whole, sort_keys=True)
    whole["serialNumber"] = f"urn:uuid:{uuid.uuid5(_SPACE, name)}"
    return (json.dumps(whole, indent=1) + "\n").encode()


def _numen(wheel: bytes) -> dict[str, Any]:
    purl = f"pkg:pypi/numen@{numen.__version__}"
    return {
        "type": "application", "bom-ref": purl, "name": "numen", "version": numen.__version__,
        "purl": purl, "hashes": [_hash(sha256(wheel).hexdigest())],
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }  # fmt: skip


def _package(pin: Pin) -> dict[str, Any]:
    purl = f"pkg:pypi/{pin.name}@{pin.version}"
    return {
        "type": "library", "bom-ref": purl, "name": pin.name, "version": pin.version,
        "purl": purl, "hashes": [_hash(digest) for digest in pin.hashes],
        "licenses": list(_licences(pin.name)),
    }  # fmt: skip


def _licences(name: str) -> Iterator[dict[str, Any]]:
    try:
        about: Any = metadata(name)
    except PackageNotFoundError:  # of another platform, or of an extra that is not here
        return
    if expression := about.get("License-Expression"):
        yield {"expression": expression}
        return
    said = [text.rpartition(" :: ")[2] for text in about.get_all("Classifier", [])
            if text.startswith("License ::")]  # fmt: skip
    said = said or [(about.get("License") or _SILENT.get(name, "")).strip().partition("\n")[0][:80]]
    for text in said:
        if text:
            known = _SPDX.get(text)
            yield {"license": {"id": known} if known else {"name": text}}


def _model(model: Shipped) -> dict[str, Any]:
    manifest = model.bundle.manifest
    name = f"{model.version.name}@{model.version.version}"
    card: dict[str, Any] = {"modelParameters": {"architectureFamily": manifest.family}}
    if manifest.metrics:
        card["quantitativeAnalysis"] = {
            "performanceMetrics": [
                {"type": key, "value": str(value)} for key, value in manifest.metrics.items()
            ]
        }
    return {
        "type": "machine-learning-model", "bom-ref": f"model:{name}",
        "name": model.version.name, "version": str(model.version.version),
        "hashes": [_hash(model.version.digest.rpartition(":")[2])],
        "licenses": [{"license": {"name": manifest.licence}}] if manifest.licence else [],
        "modelCard": card,
        "components": [
            {"type": "file", "bom-ref": f"model:{name}/{file.path}", "name": file.path,
             "hashes": [_hash(file.sha256.rpartition(":")[2])]}
            for file in manifest.files
        ],
    }  # fmt: skip


def _hash(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}
