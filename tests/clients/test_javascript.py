"""The JavaScript client in Node and in Chromium, against live servers and without them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from javascript_models import make
from playwright.sync_api import Page, Route, expect, sync_playwright

from numen.api.export import CERTIFICATE, export
from parts import start_server, stop

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
CASES = Path(__file__).parent / "javascript"
NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
NAMES = {"imports": {"numen": "/client/numen.js", "numen/local": "/client/local.js"}}
NAMED = """(names) => document.head.append(Object.assign(
  document.createElement("script"), { type: "importmap", textContent: JSON.stringify(names) }))"""


@dataclass(frozen=True)
class House:
    home: Path
    url: str
    asks: list[dict[str, Any]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server with a model of every kind."""
    home = tmp_path_factory.mktemp("javascript")
    with pytest.MonkeyPatch.context() as patch:
        asks = make(home, patch)
        url, process = start_server(home)
        yield House(home, url, asks)
        stop(process)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder where the client is installed, as `npm install` would."""
    package = tmp_path / "node_modules" / "numen"
    package.mkdir(parents=True)
    shutil.copy(ROOT / "clients" / "js" / "package.json", package)
    (package / "dist").symlink_to(ROOT / "src" / "numen" / "client")
    return tmp_path


def told(page: str, language: str, house: House) -> list[str]:
    """The blocks of a page of the docs, for this server and its model of drawings."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found
    return [
        block.replace("http://127.0.0.1:8000", house.url).replace('"digits"', '"drawn"')
        for block in found
    ]


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_in_node(house: House, project: Path) -> None:
    tmp_path = project
    for script in CASES.glob("*.mjs"):
        shutil.copy(script, tmp_path)
    mortal, process = start_server(house.home, "drawn")
    said = {"url": house.url, "mortal": mortal, "pid": process.pid, "asks": house.asks}
    (tmp_path / "said.json").write_text(json.dumps(said))
    node = [str(NODE), "--test", "node.test.mjs"]
    if b"--experimental-websocket" in subprocess.check_output([str(NODE), "--help"]):
        node.insert(1, "--experimental-websocket")
    try:
        run = subprocess.run(
            node, cwd=tmp_path, capture_output=True, text=True, timeout=240,
            env={**os.environ, "NUMEN_TEST": str(tmp_path / "said.json")},
        )  # fmt: skip
    finally:
        stop(process)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "# fail 0" in run.stdout or "ℹ fail 0" in run.stdout


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_what_the_docs_say_runs(house: House, project: Path) -> None:
    blocks = told("javascript.md", "js", house) + told("device.md", "js", house)
    for number, block in enumerate(blocks):
        (project / f"block{number}.mjs").write_text(block)
    (project / "all.mjs").write_text(
        "".join(f'await import("./block{n}.mjs");\n' for n in range(len(blocks)))
    )
    run = subprocess.run(
        [str(NODE), "all.mjs"], cwd=project, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(" server ") == 3, run.stdout


@pytest.fixture
def page(house: House) -> Iterator[Page]:
    """A page of the server's own, that knows the client by its name."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")

    def cases(route: Route) -> None:
        route.fulfill(body=(CASES / "cases.mjs").read_text("utf-8"), content_type="text/javascript")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page()
        opened.route("**/cases.mjs", cases)
        # A page that came over the network: others may not call this machine.
        opened.goto(f"{house.url}/docs")
        opened.evaluate(NAMED, NAMES)
        yield opened
        browser.close()


def test_in_chromium(house: House, page: Page) -> None:
    found = page.evaluate(
        "async ([url, asks]) => (await import('/cases.mjs')).parity(url, asks)",
        [house.url, house.asks],
    )
    assert found["wrong"] == []
    assert len(found["certified"]) == len(house.asks)
    assert max(found["certified"].values()) <= 1e-5
    # A game's page, of another origin, whose server goes away.
    mortal, process = start_server(house.home, "drawn", "--origins", house.url)
    page.expose_function("kill", lambda: stop(process))
    sources = page.evaluate(
        """async ([url, input]) => {
          const { falling, given } = await import('/cases.mjs');
          return falling(url, 'drawn', given(input), () => window.kill());
        }""",
        [mortal, house.asks[0]["inputs"][4]],
    )
    stop(process)
    assert sources == [
        "server", "stream server", *["stream local"] * 3,
        "local", "unreachable", "fallback", "unreachable", "NumenError unreachable",
    ]  # fmt: skip


def test_the_page_of_the_docs_answers_while_one_draws(house: House, page: Page) -> None:
    (block,) = told("javascript.md", "html", house)
    page.route("**/game", lambda route: route.fulfill(body=block, content_type="text/html"))
    page.goto(f"{house.url}/game")
    page.mouse.move(60, 60)
    page.mouse.down()
    said = re.compile(r"^(dark|light) \((server|local)\)$")
    for turn in range(60):  # the first answers may come too late for their deadline
        page.mouse.move(150 - turn, 160, steps=8)
        with contextlib.suppress(AssertionError):
            expect(page.locator("#said")).to_have_text(said, timeout=1000)
            break
    expect(page.locator("#said")).to_have_text(said)


@pytest.mark.skipif(NODE is None or CHROMIUM is None, reason="node or chromium is not installed")
def test_an_export_is_certified_in_node_and_in_chromium(house: House, tmp_path: Path) -> None:
    made = export("drawn@champion", "web", tmp_path / "web")
    assert made.model == "drawn@1"
    assert [trial.engine for trial in made.trials] == ["server", "node", "chromium"]
    assert all(trial.reason == "" for trial in made.trials), made.trials
    assert all((trial.difference or 0) <= 1e-5 for trial in made.trials)
    assert made.holds
    certificate = json.loads((made.folder / CERTIFICATE).read_text())
    assert certificate["holds"]
    assert certificate["opset"] == {"": 15}
    assert {"index.html", "page.js", "model.json", "ort.wasm"} <= made.files.keys()


def test_an_exports_page_says_that_it_needs_a_server(page: Page) -> None:
    page.goto((ROOT / "src" / "numen" / "deploy" / "page" / "index.html").as_uri())
    expect(page.locator("#about")).to_contain_text("python -m http.server")


def test_a_bundle_is_kept_for_good_and_asked_about_in_304s(house: House) -> None:
    with httpx.Client(base_url=house.url) as http:
        named = http.get("/api/models/people/bundle")
        assert named.headers["cache-control"] == "no-cache"
        said = named.json()
        assert said["model"]["opset"] == {"": 15, "ai.onnx.ml": 3}
        tag = {"if-none-match": named.headers["etag"]}
        assert http.get("/api/models/people/bundle", headers=tag).status_code == 304
        url = httpx.URL(f"{house.url}/api/models/people/bundle").join(said["model"]["url"])
        assert "people@1" in url.path
        file = http.get(url)
        assert len(file.content) == said["model"]["size"]
        assert "immutable" in file.headers["cache-control"]
        tag = {"if-none-match": file.headers["etag"]}
        assert http.get(url, headers=tag).status_code == 304
        for other in ("manifest.json", "card.md", "golden.npz", "reference.json"):
            assert http.get(f"/api/models/people/bundle/{other}").status_code == 404


def test_golden_samples_survive_as_json(house: House) -> None:
    from numen.api.workspace import load
    from numen.core import device

    bundle = load("people").bundle
    inputs, outputs = device.read_samples(device.samples(bundle) or b"")
    golden = bundle.golden()
    for found, wanted in ((inputs, golden.inputs), (outputs, golden.outputs)):
        for name, array in wanted.items():
            assert found[name].dtype == array.dtype
            assert np.array_equal(found[name], array[: device.MAX_ROWS], equal_nan=True)
