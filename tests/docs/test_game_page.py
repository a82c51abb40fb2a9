"""The tutorial's page in a real browser, from another address: drawn on, and with the wire cut."""

from __future__ import annotations

import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from doc_pages import ROOT, Block, blocks
from playwright.sync_api import Page, expect, sync_playwright

from numen.core.settings import Settings
from numen.registry import Registry
from parts import make_bundle, start_server, stop

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip


@pytest.fixture
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(viewport={"width": 390, "height": 844})
        browser.close()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that another server than numen shows."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    folder = tmp_path / "game"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def draw(page: Page) -> None:
    """A one, from top to bottom."""
    box = page.locator("#pad").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"]
    page.mouse.move(x, y + 50)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(x, y + 50 + step * box["height"] / 13)
    page.mouse.up()


def says(page: Page, source: str) -> None:
    """Draws until an answer comes from there: on a busy machine some come too late."""
    for _ in range(20):
        draw(page)
        try:
            expect(page.locator("#said")).to_have_text(
                re.compile(rf"^\d \(\d+ %, {source}\)$"), timeout=1500
            )
        except AssertionError:
            continue
        return
    raise AssertionError(page.locator("#said").text_content())


def test_the_page_plays_and_plays_on_without_the_server(
    page: Page, files: tuple[Path, str], tmp_path: Path
) -> None:
    folder, address = files
    home = tmp_path / "home"
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("digits", make_bundle(tmp_path))  # which knows no digits, but answers
    registry.catalog.close()
    url, process = start_server(home, "--origins", address)
    found = blocks(ROOT / "docs/tutorial.md")
    game = next(block for block in found if block.file == "game.html")
    local = next(block for block in found if block.language == "js")
    text = _with(game, local).replace("http://127.0.0.1:8000", url)
    (folder / "game.html").write_text(text)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(f"{address}/game.html")
        expect(page.locator("#question")).to_have_text(re.compile(r"\d \+ \d = \?"), timeout=30_000)
        says(page, "server")
    finally:
        stop(process)
    says(page, "local")
    assert not errors


def _with(game: Block, lines: Block) -> str:
    """The page with the two lines that the tutorial adds."""
    where, more = lines.text.splitlines()
    made = 'const numen = new Numen("http://127.0.0.1:8000");\n'
    assert made in game.text
    head = "      import { Numen }"
    return game.text.replace(made, made + more + "\n").replace(head, f"      {where}\n{head}")
