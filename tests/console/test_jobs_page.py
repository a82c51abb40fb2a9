"""The console's page of trainings: started from its form, watched live, stopped, taken up again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from console.test_browser import SIZES
from console.test_browser import browser as browser  # noqa: PLC0414 - a fixture
from control.job_parts import serving_table
from parts import Live

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving_table(tmp_path_factory.mktemp("console-jobs")) as live:
        yield live


def open_jobs(browser: Browser, url: str, size: str = "desktop", scheme: str = "light") -> Page:
    width, height = SIZES[size]
    page = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme
    ).new_page()
    page.goto(f"{url}/#/jobs")
    page.get_by_test_id("new-job").wait_for()
    return page


@pytest.mark.timeout(900)  # importing and compiling may take minutes on a busy machine
def test_started_watched_stopped_and_taken_up_again(browser: Browser, own: Live) -> None:
    page = open_jobs(browser, own.url)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.get_by_label("Data set").fill("/etc/passwd")
    page.get_by_label("Name of the model").fill("net")
    page.get_by_role("button", name="Train").click()
    expect(page.get_by_test_id("refusal")).to_contain_text("a name in the library")
    page.get_by_label("Data set").fill("table")
    page.get_by_label("Epochs").fill("20000")  # the most, so that none is over too soon
    page.get_by_label("Family").select_option("mlp")
    page.get_by_role("button", name="Train").click()
    panel = page.get_by_test_id("job")
    expect(panel.get_by_test_id("job-state")).to_have_text("running", timeout=120_000)
    line = panel.get_by_test_id("curve-loss").locator(".line")
    line.wait_for(timeout=240_000)
    before = line.get_attribute("d") or ""
    page.wait_for_function(
        "before => document.querySelector('[data-testid=curve-loss] .line').getAttribute('d')"
        ".length > before",
        arg=len(before),
    )
    expect(panel.get_by_test_id("told")).to_contain_text(re.compile(r"epoch \d+ of 20000"))
    panel.get_by_test_id("cancel").click()
    expect(panel.get_by_test_id("job-state")).to_have_text("stopped", timeout=240_000)
    expect(panel.get_by_test_id("job-result")).to_contain_text("kept")
    panel.get_by_test_id("resume").click()
    # Stopped again at once, before it has read what it needs, it ends all the same.
    expect(panel.get_by_test_id("job-state")).to_have_text("running", timeout=120_000)
    panel.get_by_test_id("cancel").click()
    expect(panel.get_by_test_id("job-state")).to_have_text("stopped", timeout=240_000)
    expect(panel.get_by_test_id("told")).to_contain_text("told to stop")
    assert wrong == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_fits(browser: Browser, own: Live, size: str, scheme: str, tmp_path: Path) -> None:
    page = open_jobs(browser, own.url, size, scheme)
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    page.context.close()
