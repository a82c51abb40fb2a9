"""The page in a real browser, against a real server: draw, watch, change the theme."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from numen.core.settings import Settings
from numen.registry import Registry
from parts import Live, make_bundle, start_server, stop

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
SIZES = {"desktop": (1280, 800), "phone": (390, 844), "narrow": (360, 640)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    expect.set_options(timeout=30_000)  # its own 5 s are too few on a busy machine
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


def open_page(browser: Browser, url: str, size: str = "desktop", scheme: str = "light") -> Page:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=size == "phone"
    )
    page = context.new_page()
    page.goto(url)
    page.get_by_test_id("canvas").wait_for()
    return page


def draw(page: Page, points: list[tuple[float, float]]) -> None:
    """Draws a stroke through points given as parts of the canvas."""
    box = page.get_by_test_id("canvas").bounding_box()
    assert box is not None
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=12)
    page.mouse.up()


ALL_SHARES = """() => {
  const bars = [...document.querySelectorAll('[data-testid^="bar-"]')];
  const share = (bar) => parseFloat(bar.innerText.match(/([\\d.]+)\\s*%/)[1]);
  const sum = bars.reduce((all, bar) => all + share(bar), 0);
  return bars.length === 10 && Math.abs(sum - 100) < 1;
}"""
SEVEN = [(0.3, 0.25), (0.7, 0.25), (0.5, 0.8)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_draws_and_answers(
    browser: Browser, live: Live, size: str, scheme: str, tmp_path: Path
) -> None:
    page = open_page(browser, live.url, size, scheme)
    foreign: list[str] = []
    page.on("request", lambda r: None if r.url.startswith(live.url) else foreign.append(r.url))
    draw(page, SEVEN)
    expect(page.get_by_test_id("best")).to_have_text(re.compile(r"\d"))
    expect(page.get_by_test_id("rtt")).to_have_text(re.compile(r"\d"))
    page.wait_for_function(ALL_SHARES)  # the bars are redrawn while answers come in
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert (tmp_path / "page.png").stat().st_size > 10_000
    assert foreign == []
    page.context.close()


def test_the_best_is_what_the_server_says(browser: Browser, live: Live) -> None:
    page = open_page(browser, live.url)
    answers: list[list[float]] = []
    page.on(
        "response",
        lambda r: answers.append(r.json()["outputs"][0]["data"]) if "/infer" in r.url else None,
    )
    draw(page, SEVEN)
    known = -1
    while known < len(answers) or not answers:  # until no more come
        known = len(answers)
        page.wait_for_timeout(800)
    said = answers[-1]
    expect(page.get_by_test_id("best")).to_have_text(re.compile(f"^{said.index(max(said))}"))
    page.context.close()


def test_clear_and_theme(browser: Browser, live: Live) -> None:
    page = open_page(browser, live.url)
    before = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.get_by_test_id("theme-toggle").click()
    page.wait_for_function(
        "(before) => getComputedStyle(document.documentElement).backgroundColor !== before",
        arg=before,
    )
    draw(page, SEVEN)
    expect(page.get_by_test_id("best")).to_have_text(re.compile(r"\d"))
    page.get_by_test_id("clear").click()
    expect(page.get_by_test_id("best")).not_to_have_text(re.compile(r"\d %"))
    page.context.close()


def test_it_asks_for_a_key_where_one_is_needed(browser: Browser, tmp_path: Path) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    registry.publish("linear", make_bundle(tmp_path / "make"))
    _, secret = registry.keys.create("page")
    url, process = start_server(tmp_path)
    page = browser.new_page()
    try:
        page.goto(url)
        page.get_by_test_id("key").wait_for()
        page.get_by_label("Key").fill("nm_wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_test_id("refusal")).to_contain_text("not known")
        page.get_by_label("Key").fill(secret)
        page.get_by_role("button", name="Use it").click()
        page.get_by_test_id("canvas").wait_for()
        draw(page, SEVEN)
        expect(page.get_by_test_id("best")).to_have_text(re.compile(r"\d"))
        page.reload()  # it is kept as long as the tab is open
        page.get_by_test_id("canvas").wait_for()
        assert secret not in page.content()
        assert secret not in page.url
    finally:
        page.close()
        stop(process)
        registry.catalog.close()
