"""The site: built without a warning, whole, and at home with no other host in reach."""

from __future__ import annotations

import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from press.build import build
from press.reference import PAGES as REFERENCE
from press.reference.families import PARAMS

import numen
from numen.core.errors import codes
from numen.train.find import families

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    build(folder)
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


def opened(browser: Browser, url: str, size: str = "desktop", scheme: str = "light") -> Page:
    """A page that may ask its own address and nobody else."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=size == "phone"
    )
    page = context.new_page()
    parts = urlsplit(url)
    own = ("file://", "data:", "blob:", "about:", f"{parts.scheme}://{parts.netloc}/")

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(f"error: {error}"))
    page.goto(url)
    page.wait_for_load_state("networkidle")
    assert not [each for each in asked if not each.startswith(own)]
    return page


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_and_ask_nobody_else(
    browser: Browser, address: str, size: str, scheme: str
) -> None:
    for name in ("index", "tutorial", "benchmarks", "reference/http", "zh/index", "zh/tutorial"):
        page = opened(browser, f"{address}/{name}.html", size, scheme)
        assert page.locator("h1").count() == 1
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{name} is wider than a {size}"
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shade = [int(part) for part in re.findall(r"\d+", colour)[:3]]
        assert (sum(shade) < 200) == (scheme == "dark")
        page.context.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "word", "found"),
    [("index", "deadline", "deadlines"), ("zh/index", "画布", "tutorial")],
)
def test_search_finds_with_a_server_and_without(
    browser: Browser, address: str, site: Path, page: str, word: str, found: str
) -> None:
    for where in (address, site.as_uri()):
        shown = opened(browser, f"{where}/{page}.html")
        shown.keyboard.press("Control+k")
        shown.keyboard.type(word)
        expect(shown.locator(f"a[href*='{found}.html']").last).to_be_visible(timeout=20_000)
        shown.context.close()


@pytest.mark.slow
def test_the_other_language_is_the_same_page(browser: Browser, address: str) -> None:
    page = opened(browser, f"{address}/tutorial.html")
    for there in ("zh/tutorial.html", "tutorial.html"):
        link = page.locator(f".md-select__link[hreflang={'zh-CN' if 'zh' in there else 'en'}]")
        page.goto(link.evaluate("link => link.href"))
        assert page.url == f"{address}/{there}"


@pytest.mark.slow
def test_links_of_the_repository_lead_somewhere_on_the_site(site: Path) -> None:
    for page in site.rglob("*.html"):
        if page.name == "404.html":
            continue
        for link in re.findall(r'href="([^"#:?]+\.html)(?:#[^"]*)?"', page.read_text()):
            assert (page.parent / link).exists(), f"{page.relative_to(site)}: {link}"


def test_reference_is_whole() -> None:
    python = REFERENCE["python"]()
    for name in numen.__all__:
        assert name == "__version__" or f"`numen.{name}`" in python or f"`{name}`" in python
    errors = REFERENCE["errors"]()
    assert all(f"`{code}`" in errors for code in codes())
    http = REFERENCE["http"]()
    for path in ("/v2/models/{name}/infer", "/predict/{model}", "/api/jobs", "/healthz"):
        assert path in http
    assert "numen data pseudo-label" in REFERENCE["command-line"]()
    assert "jobProgress" in REFERENCE["graphql"]()
    assert set(families()[0]) == set(PARAMS)
