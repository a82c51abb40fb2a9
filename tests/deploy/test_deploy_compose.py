"""The compose file, Prometheus's configuration and Grafana's dashboard, held against their readers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from compose_spec import PyCompose

from numen.api.deploy import deploy, render, target
from numen.core.errors import MissingExtra
from numen.store.keyfile import KeyFile
from parts import Live

# What Grafana itself puts in place of these.
GRAFANA = {"$__rate_interval": "1m", "$model": ".*"}


@pytest.fixture
def files(live: Live, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("NUMEN_HOME", str(live.home))
    found = render(target("compose", {"port": 9000}), ["linear"])
    return {
        path: content.decode("utf-8", "replace")
        for path, content in found.items()
        if isinstance(content, bytes)
    }


def queries(files: dict[str, str]) -> list[str]:
    """All that the dashboard asks, as Grafana would send it."""
    board = json.loads(files["grafana/numen.json"])
    found = [each["expr"] for panel in board["panels"] for each in panel["targets"]]
    for name, value in GRAFANA.items():
        found = [query.replace(name, value) for query in found]
    return found


def test_the_compose_file_is_what_the_specification_says(files: dict[str, str]) -> None:
    read = PyCompose.from_yaml(files["compose.yaml"])
    assert sorted(read.service_names()) == ["grafana", "numen", "prometheus"]
    for check in (
        read.validate,
        read.validate_networks,
        read.validate_secrets,
        read.validate_volumes,
    ):
        check()
    for wrong in (("read_only", "reed_only"), ("service_healthy", "service_fine")):
        with pytest.raises(Exception, match=wrong[1]):
            PyCompose.from_yaml(files["compose.yaml"].replace(*wrong))


def test_every_service_is_held_to_little(files: dict[str, str]) -> None:
    whole = yaml.safe_load(files["compose.yaml"])
    for name, service in whole["services"].items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"]
        assert service["healthcheck"]["test"][0] == "CMD"
        assert re.search(r":v?\d[\d.]*$", service["image"]), f"{name} is not pinned"
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert not any("nm_" in str(value) for value in service.get("environment", {}).values())
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.removeprefix("./") in files or source in whole["volumes"], source
    order = {name: list(s.get("depends_on", {})) for name, s in whole["services"].items()}
    assert order == {"numen": [], "prometheus": ["numen"], "grafana": ["prometheus"]}
    assert whole["services"]["numen"]["ports"] == ["127.0.0.1:9000:9000"]
    assert 'NUMEN_PORT="9000"' in files["image/Dockerfile"]
    assert {Path(s["file"]).name for s in whole["secrets"].values()} == {
        "keys",
        "metrics",
        "grafana",
    }


def test_what_fetches_says_from_where_at_the_start(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(live.home))
    found = render(target("compose", {"fetch": True}), ["linear"])["compose.yaml"]
    assert isinstance(found, bytes)
    told = yaml.safe_load(found)["services"]["numen"]["environment"]
    assert told["NUMEN_CATALOG"].startswith("${NUMEN_CATALOG:?")
    assert told["NUMEN_BLOBS"].startswith("${NUMEN_BLOBS:?")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_prometheus_reads_its_configuration(files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(files["prometheus.yml"])
    rules = {"groups": [{"name": "dashboard", "rules": [
        {"record": f"query:{number}", "expr": query}
        for number, query in enumerate(queries(files))
    ]}]}  # fmt: skip
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    for check in (["config", "--syntax-only", "prometheus.yml"], ["rules", "rules.yml"]):
        done = subprocess.run(
            ["promtool", "check", *check], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_of_the_dashboard_is_one_that_a_server_tells(
    files: dict[str, str], live: Live
) -> None:
    httpx.post(f"{live.url}/predict/linear", json=[[0.0] * 28] * 28)
    told = set(re.findall(r"^([a-z_]+)[{ ]", httpx.get(f"{live.url}/metrics").text, re.MULTILINE))
    asked = queries(files)
    named = {name for q in asked for name in re.findall(r"\b(?:numen|process)_[a-z_]+", q)}
    assert named - told == set()
    assert {f"numen_{each}" for each in ("queue_rows", "rows_total", "workers")} <= named
    outcomes = {name for query in asked for name in re.findall(r'outcome!?[=~]+"([^"]+)', query)}
    assert outcomes == {"met|degraded"}


def test_the_dashboard_is_one_that_grafana_reads(files: dict[str, str]) -> None:
    board: dict[str, Any] = json.loads(files["grafana/numen.json"])
    (source,) = yaml.safe_load(files["grafana/datasources.yaml"])["datasources"]
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 12
    assert len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}  # fmt: skip
        assert not cells & taken, f"{panel['title']} lies over another"
        assert max(x for x, _ in cells) < 24
        taken |= cells
        for each in panel["targets"]:
            assert each["datasource"]["uid"] == source["uid"]
    (variable,) = board["templating"]["list"]
    assert variable["name"] == "model"
    provider = yaml.safe_load(files["grafana/dashboards.yaml"])["providers"][0]
    grafana = yaml.safe_load(files["compose.yaml"])["services"]["grafana"]
    assert f"./grafana/numen.json:{provider['options']['path']}/numen.json:ro" in grafana["volumes"]


def test_keys_are_made_once_and_the_callers_is_told_once(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of our own by docker's name; no engine runs where this is tested."""
    monkeypatch.setenv("NUMEN_HOME", str(live.home))
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "out"
    with pytest.raises(MissingExtra, match="docker compose up --build --wait"):
        deploy("compose", ["linear"], out)
    (out / "secrets/keys").unlink()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "docker").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    (tmp_path / "docker").chmod(0o755)
    first = deploy("compose", ["linear"], out)
    assert first.applied is not None
    secret = first.applied["key"]
    assert (tmp_path / "told").read_text().splitlines()[-1] == (
        f"compose -f {out}/compose.yaml up --build --detach --wait"
    )
    assert [key.name for key in KeyFile(out / "secrets/keys").all()] == ["first", "prometheus"]
    assert (out / "secrets").stat().st_mode & 0o777 == 0o700
    for file in out.rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes()
    again = deploy("compose", ["linear"], out)
    assert "key" not in (again.applied or {})
    assert len(KeyFile(out / "secrets/keys").all()) == 2
