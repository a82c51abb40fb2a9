"""The target `compose`: numen with Prometheus beside it, and Grafana with a dashboard."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import Meta

from numen.core.errors import MissingExtra
from numen.deploy.base import Files, Note, Shipped
from numen.deploy.build import run, works
from numen.deploy.dashboard import SOURCE, dashboard
from numen.deploy.image import ABOUT, ASK, KEYS, Image, context
from numen.deploy.yaml import dump
from numen.store.keyfile import KeyFile

# By tool: how to learn whether it works here, and how it brings all up.
_TOOLS: Final = {
    "docker": (("compose", "version"), ("compose",)),
    "podman": (("compose", "version"), ("compose",)),
}
_METRICS_KEY: Final = "/run/secrets/numen/metrics"
_PASSWORD: Final = "/run/secrets/grafana"  # noqa: S105 - where it lies
# What holds for every service.
_HELD: Final[dict[str, Any]] = {
    "restart": "unless-stopped", "read_only": True, "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"], "tmpfs": ["/tmp:mode=1777"],  # noqa: S108
}  # fmt: skip


class Options(Image, frozen=True, forbid_unknown_fields=True):
    """What can be said of it."""

    prometheus: Annotated[str, Meta(description="The image of Prometheus.")] = (
        "prom/prometheus:v3.5.0"
    )
    grafana: Annotated[str, Meta(description="The image of Grafana.")] = "grafana/grafana:12.2.0"
    tool: Annotated[
        Literal["", "docker", "podman"],
        Meta(description="What brings it up; the first of these that works by default."),
    ] = ""


class ComposeTarget:
    """Run models on one machine beside Prometheus and Grafana, with docker or podman compose."""

    options: ClassVar[type[Options]] = Options
    applies: ClassVar[bool] = True

    def __init__(self, options: Options):
        self._options = options

    def render(self, models: Sequence[Shipped]) -> Files:
        """A compose file, the image's context, and what Prometheus and Grafana are told."""
        image = context(models, self._options)
        about = image[ABOUT]
        assert isinstance(about, bytes)
        tag = json.loads(about)["tag"]
        return {
            **{f"image/{path}": content for path, content in image.items()},
            "compose.yaml": dump(_compose(self._options, tag)).encode(),
            "prometheus.yml": dump(_scrape(self._options)).encode(),
            "grafana/datasources.yaml": dump(_source()).encode(),
            "grafana/dashboards.yaml": dump(_provider()).encode(),
            "grafana/numen.json": dashboard(),
            ".gitignore": b"secrets/\n",
        }

    def apply(self, folder: Path, note: Note) -> dict[str, Any]:
        """Makes the keys that are missing, and brings all up.

        Raises:
            MissingExtra: Neither tool works here; the keys are made nevertheless.
            NotReady: The tool failed.
        """
        note("making keys")
        made = make_secrets(folder / "secrets")
        tool: str = self._options.tool or next(
            (name for name, (probe, _) in _TOOLS.items() if works(name, probe)), ""
        )
        if not tool:
            raise MissingExtra(
                f"no tool that runs compose files works here; looked for {', '.join(_TOOLS)}",
                hint=f"run docker compose up --build --wait in {folder} where one does",
            )
        note(f"{tool} compose builds and starts all")
        file = str(folder / "compose.yaml")
        run(tool, *_TOOLS[tool][1], "-f", file, "up", "--build", "--detach", "--wait")
        port = self._options.port
        return {
            "numen": f"http://127.0.0.1:{port}/", "grafana": "http://127.0.0.1:3000/d/numen",
            "password": str(folder / "secrets" / "grafana"), **made,
        }  # fmt: skip


def make_secrets(folder: Path) -> dict[str, str]:
    """Makes what is missing: a caller's key, Prometheus's, and Grafana's password.

    The folder is its owner's alone; the files in it can be read by whoever they are mounted for.

    Returns:
        The caller's key, if it was made now; it is not stored.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = KeyFile(folder / "keys")
    named = {key.name for key in keys.all()}
    said = {}
    if not named:
        said["key"] = keys.create("first")[1]
    if "prometheus" not in named or not (folder / "metrics").is_file():
        (folder / "metrics").write_text(keys.create("prometheus", actions=["read"])[1])
    if not (folder / "grafana").is_file():
        (folder / "grafana").write_text(secrets.token_urlsafe(18))
    for file in folder.iterdir():
        file.chmod(0o644)
    return said


def _compose(options: Options, tag: str) -> dict[str, Any]:
    port = options.port
    environment = {"NUMEN_KEYS_FILE": KEYS}
    if options.fetch:
        for name in ("NUMEN_CATALOG", "NUMEN_BLOBS"):
            environment[name] = f"${{{name}:?where models are fetched from}}"
    return {
        "name": "numen",
        "services": {
            "numen": {
                "image": tag,
                "build": {"context": "./image"},
                "ports": [f"127.0.0.1:{port}:{port}"],
                "environment": environment,
                "secrets": [{"source": "keys", "target": KEYS}],
                "healthcheck": _health("/opt/numen/bin/python3", "-c", ASK),
                "stop_grace_period": "20s",
                **_HELD,
            },
            "prometheus": {
                "image": options.prometheus,
                "command": [
                    "--config.file=/etc/prometheus/prometheus.yml",
                    "--storage.tsdb.path=/prometheus",
                    "--storage.tsdb.retention.time=15d",
                ],
                "ports": ["127.0.0.1:9090:9090"],
                "volumes": [
                    "./prometheus.yml:/etc/prometheus/prometheus.yml:ro",
                    "prometheus:/prometheus",
                ],
                "secrets": [{"source": "metrics", "target": _METRICS_KEY}],
                "healthcheck": _health("wget", "-q", "--spider", "http://127.0.0.1:9090/-/ready"),
                "depends_on": {"numen": {"condition": "service_healthy"}},
                **_HELD,
            },
            "grafana": {
                "image": options.grafana,
                "environment": {
                    "GF_SECURITY_ADMIN_PASSWORD__FILE": _PASSWORD,
                    "GF_ANALYTICS_REPORTING_ENABLED": "false",
                    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
                    "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": f"{_BOARDS}/numen.json",
                },
                "ports": ["127.0.0.1:3000:3000"],
                "volumes": [
                    f"./grafana/datasources.yaml:{_PROVISIONING}/datasources/numen.yaml:ro",
                    f"./grafana/dashboards.yaml:{_PROVISIONING}/dashboards/numen.yaml:ro",
                    f"./grafana/numen.json:{_BOARDS}/numen.json:ro",
                    "grafana:/var/lib/grafana",
                ],
                "secrets": [{"source": "grafana", "target": _PASSWORD}],
                "healthcheck": _health(
                    "wget", "-q", "--spider", "http://127.0.0.1:3000/api/health"
                ),
                "depends_on": {"prometheus": {"condition": "service_healthy"}},
                **_HELD,
            },
        },
        "secrets": {name: {"file": f"./secrets/{name}"} for name in ("keys", "metrics", "grafana")},
        "volumes": {"prometheus": {}, "grafana": {}},
    }


_PROVISIONING: Final = "/etc/grafana/provisioning"
_BOARDS: Final = "/etc/numen"


def _health(*command: str) -> dict[str, Any]:
    return {
        "test": ["CMD", *command], "interval": "5s", "timeout": "5s", "retries": 3,
        "start_period": "30s",
    }  # fmt: skip


def _scrape(options: Options) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "5s"},
        "scrape_configs": [
            {
                "job_name": "numen",
                "authorization": {"credentials_file": _METRICS_KEY},
                "static_configs": [{"targets": [f"numen:{options.port}"]}],
            }
        ],
    }


def _source() -> dict[str, Any]:
    return {
        "apiVersion": 1,
        "datasources": [
            {"name": "Prometheus", **SOURCE, "access": "proxy", "url": "http://prometheus:9090",
             "isDefault": True, "jsonData": {"timeInterval": "5s"}}
        ],
    }  # fmt: skip


def _provider() -> dict[str, Any]:
    return {
        "apiVersion": 1,
        "providers": [{"name": "numen", "type": "file", "options": {"path": _BOARDS}}],
    }
