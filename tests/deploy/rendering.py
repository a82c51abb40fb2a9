"""What `numen deploy kubernetes` writes in a few cases, kept in `golden/`.

`python tests/deploy/rendering.py` writes `golden/` anew; look at what git says has changed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from numen.api.deploy import target
from numen.core.reference import Reference
from numen.core.settings import Settings
from numen.deploy.base import Shipped
from numen.registry import Registry

GOLDEN = Path(__file__).with_name("golden")
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "public": {
        "namespace": "games", "image": "registry.example/digits@sha256:0f", "pull_secret": "pull",
        "host": "digits.example.com", "tls_secret": "digits-tls", "ingress_class": "nginx",
        "callers": "edge", "keys_secret": "who", "metrics_secret": "numen-metrics", "workers": 2,
        "cpu": "1500m", "memory": "2Gi", "waiting": 16, "cpu_percent": 60, "max_replicas": 40,
        "grpc": True, "storage": "s3://models/digits",
    },
    "store": {
        "name": "arcade", "image": "numen:0.1.0", "replicas": 1, "max_replicas": 1,
        "host": "10-0-0-7.example", "store_secret": "numen-store", "drain": 0,
    },
    "open": {"insecure": True, "replicas": 3, "drain": 12, "max_replicas": 1000000},
}  # fmt: skip


def shipped(folder: Path) -> list[Shipped]:
    """The model `digits`, published in a folder."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from parts import make_bundle

    registry = Registry.of(Settings(home=str(folder / "home")))
    try:
        version = registry.publish("digits", make_bundle(folder / "make"))
        return [Shipped(Reference.parse("digits@1"), version, registry.open(version))]
    finally:
        registry.catalog.close()


def rendered(models: list[Shipped], case: str) -> dict[str, bytes]:
    """The files of a case."""
    files = target("kubernetes", CASES[case]).render(models)
    stored = "kserve/models/"  # a store's own bytes are its own tests' matter
    assert any(path.startswith(stored) for path in files) == ("storage" in CASES[case])
    return {
        path: content
        for path, content in files.items()
        if isinstance(content, bytes) and not path.startswith(stored)
    }


def golden(files: dict[str, bytes], case: str) -> dict[str, str]:
    """What is kept of a case: every file of the first; of the others, all but the chart in one."""
    texts = {path: content.decode() for path, content in files.items()}
    if case == next(iter(CASES)):
        return {f"{case}/{path}": text for path, text in texts.items()}
    kept = {path: text for path, text in texts.items() if path.partition("/")[0] != "chart"}
    return {f"{case}/all.yaml": "".join(f"--- # {path}\n{text}" for path, text in kept.items())}


def main() -> None:
    shutil.rmtree(GOLDEN, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        models = shipped(Path(folder))
    for case in CASES:
        for path, text in golden(rendered(models, case), case).items():
            (GOLDEN / path).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / path).write_text(text)


if __name__ == "__main__":
    main()
