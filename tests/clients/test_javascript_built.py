"""The committed client is what its sources build to; if not, `make client`."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "clients" / "js"
BUILT = ROOT / "src" / "numen" / "client"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_built_from_these_sources() -> None:
    record = json.loads((BUILT / "build.json").read_text("utf-8"))
    alone = ("package.json", "package-lock.json", "vite.config.ts", "tsconfig.json", "engine.mjs")
    paths = [*sorted(f"src/{path.name}" for path in (SOURCE / "src").iterdir()), *alone]
    listing = "".join(f"{digest(SOURCE / path)}  {path}\n" for path in paths)
    assert hashlib.sha256(listing.encode()).hexdigest() == record["source"], "the client is stale"
    built = {path.name for path in BUILT.iterdir()} - {"build.json", "__pycache__"}
    assert {name: digest(BUILT / name) for name in built} == record["files"]


def test_its_types_are_those_of_the_control_api() -> None:
    spec = importlib.util.spec_from_file_location("client_openapi", SOURCE / "openapi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.WRITTEN.read_text("utf-8") == module.control_api(), "run `make client`"


def test_the_engine_is_the_one_that_is_named() -> None:
    lock = json.loads((SOURCE / "package-lock.json").read_text("utf-8"))
    version = lock["packages"]["node_modules/onnxruntime-web"]["version"]
    assert f'"{version}"' in (BUILT / "ort.mjs").read_text("utf-8")
    assert version in (ROOT / "docs" / "licences.md").read_text("utf-8")
