"""`/openapi.json` tells the truth, as schemathesis sees it; `/docs` works with no other host."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numen.control.openapi import PATTERNS
from numen.core.errors import InvalidInput
from numen.core.reference import Reference, check_alias, check_name
from numen.core.settings import Settings
from numen.registry import Registry
from numen.transport.status import STATUS
from parts import Live, make_bundle, start_server, stop


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server whose models may be moved and unloaded."""
    home = tmp_path_factory.mktemp("own")
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("linear", make_bundle(home / "make"))
    url, process = start_server(home)
    yield Live(url, home, registry, process)
    stop(process)
    registry.catalog.close()


@pytest.fixture(scope="module")
def document(live: Live) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{live.url}/openapi.json").json()
    return found


def schemathesis(url: str, folder: Path, config: str, *arguments: str) -> str:
    (folder / "st.toml").write_text(config)
    program = Path(sys.executable).with_name("schemathesis")
    run = subprocess.run(
        [program, "--config-file", "st.toml", "run", f"{url}/openapi.json", "--checks", "all",
         "--no-color", "--continue-on-failure", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    return run.stdout


@pytest.mark.slow
def test_any_names_are_answered_as_documented(own: Live, tmp_path: Path) -> None:
    said = schemathesis(own.url, tmp_path, "", "--max-time", "15")
    assert re.search(r"Tested: (\d+)", said)


@pytest.mark.slow
def test_a_live_model_answers_as_documented(own: Live, tmp_path: Path) -> None:
    # What fits a signature no schema says, so not all that is valid is accepted.
    names = {"name": "linear", "version": "1", "label": "champion", "model": "linear"}
    config = "[parameters]\n" + "\n".join(f'"path.{k}" = "{v}"' for k, v in names.items())
    schemathesis(
        own.url, tmp_path, config, "--max-time", "20",
        "--exclude-checks", "positive_data_acceptance",
        "--exclude-path-regex", "repository/models",
    )  # fmt: skip
    assert own.process.poll() is None
    log = (own.home / "server.log").read_text()
    assert "Traceback" not in log


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_door_is_documented(document: dict[str, Any]) -> None:
    assert document["info"]["title"] == "numen"
    paths = set(document["paths"])
    assert paths >= {
        "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/{name}/infer",
        "/v2/models/{name}/versions/{version}/infer", "/v2/repository/index",
        "/v1/models/{name}", "/v1/models/{name}:predict", "/predict/{model}", "/api/models",
        "/api/models/{name}/aliases/{alias}", "/healthz",
    }  # fmt: skip


def test_no_status_is_documented_that_is_not_sent(document: dict[str, Any]) -> None:
    known = {str(status) for status in (200, 204, *STATUS.values())} - {"422"}
    for method, path, operation in operations(document):
        assert operation["responses"].keys() <= known, (method, path)
        assert operation["summary"]
        for status, response in operation["responses"].items():
            if status not in ("200", "204") and path != "/v2/health/ready":
                schema = response["content"]["application/json"]["schema"]
                assert schema["required"] == ["error", "code"], (method, path, status)
    assert "HTTPValidationError" not in str(document)


def test_a_name_that_none_can_have_is_answered_as_documented(
    live: Live, document: dict[str, Any]
) -> None:
    for method, path, operation in operations(document):
        if "{" in path:
            reply = httpx.request(method, live.url + re.sub(r"{\w+}", "%C2%84", path))
            assert str(reply.status_code) in operation["responses"], (method, path, reply.text)


def test_every_path_parameter_has_its_pattern(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        inside = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert inside == set(re.findall(r"{(\w+)}", path))
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                pattern = PATTERNS[parameter["name"]]
                assert parameter["schema"] == {"type": "string", "pattern": f"^{pattern}$"}


@settings(deadline=None)
@given(st.text(alphabet="aZ09._-@ é", max_size=6) | st.text("ab1-", min_size=62, max_size=66))
def test_the_patterns_are_the_rules(text: str) -> None:
    for key, check in {"name": check_name, "alias": check_alias, "model": Reference.parse}.items():
        matches = re.fullmatch(PATTERNS[key], text) is not None
        try:
            check(text)
        except InvalidInput:
            assert not matches, (key, text)
        else:
            # A version with zeros before it is understood, but not what one should send.
            assert matches or "@0" in text, (key, text)


def test_the_page_needs_no_other_host(live: Live) -> None:
    page = httpx.get(f"{live.url}/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    named = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
    named += re.findall(r"""url: ["']([^"']+)""", page.text)
    assert len(named) >= 3
    assert re.findall(r"https?://[^\s\"'<]+", page.text) == []
    for where in named:
        assert urljoin(live.url, where).startswith(f"{live.url}/"), where
        reply = httpx.get(urljoin(live.url, where))
        assert reply.status_code == 200, where
        assert len(reply.content) > 100
    script = httpx.get(f"{live.url}/docs/assets/swagger-ui-bundle.js")
    assert "javascript" in script.headers["content-type"]
