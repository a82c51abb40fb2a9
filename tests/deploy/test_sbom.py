"""The bill of materials is CycloneDX, and names what a Python gets of a lock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from numen.api.deploy import render, target
from numen.deploy import own
from numen.deploy.sbom import pins
from parts import Live

LOCK = """\
anyio==4.16.0 \\
    --hash=sha256:{0} \\
    --hash=sha256:{1}
    # via httpx
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{0}
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:{0}
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:{1}
""".format("a" * 64, "b" * 64)


@pytest.mark.parametrize(("python", "numpy"), [("3.11", "2.4.6"), ("3.13", "2.5.5")])
def test_a_python_gets_its_part_of_the_lock(python: str, numpy: str) -> None:
    found = {pin.name: pin for pin in pins(LOCK, python)}
    assert {name: pin.version for name, pin in found.items()} == {
        "anyio": "4.16.0", "numpy": numpy,
    }  # fmt: skip
    assert found["anyio"].hashes == ("a" * 64, "b" * 64)


@pytest.mark.parametrize("options", [{}, {"full": True, "python": "3.11"}])
def test_it_is_cyclonedx_with_hashes_and_licences(
    live: Live, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], tmp_path: Path
) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(live.home))
    text = render(target("docker", options), ["linear"])["sbom.cdx.json"]
    assert isinstance(text, bytes)
    errors = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.decode())
    assert errors is None, errors
    whole = json.loads(text)
    parts = {part["bom-ref"]: part for part in whole["components"]}
    (model,) = [part for part in parts.values() if part["type"] == "machine-learning-model"]
    version = live.registry.resolve("linear")
    assert f"sha256:{model['hashes'][0]['content']}" == version.digest
    assert {file["name"] for file in model["components"]} == {"predict.onnx", "golden.npz"}
    libraries = [part for part in parts.values() if part["type"] == "library"]
    assert all(part["hashes"] for part in libraries)
    unnamed = [part["name"] for part in libraries if not part["licenses"]]
    assert unnamed == [] or options, unnamed


def test_the_locks_that_are_shipped_hold_what_they_must() -> None:
    serve = {pin.name: pin for pin in pins(own.requirements("serve"), "3.13")}
    full = {pin.name: pin for pin in pins(own.requirements("full"), "3.13")}
    assert {"numpy", "onnxruntime", "fastapi", "uvloop"} <= set(serve)
    assert {"psycopg", "s3fs", "protobuf", "grpcio", "opentelemetry-sdk"} <= set(full)
    assert set(serve) - set(full) <= {"tzdata"}  # which an older python-dateutil does without
    assert not {"onnx", "jax", "keras", "pyarrow"} & set(full)
    assert all(pin.hashes for pin in [*serve.values(), *full.values()])
