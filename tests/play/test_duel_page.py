"""Digit Duel in a real browser, against a real server: played, taught, cut off, left alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as TooLate

from data.data_files import idx
from numen.core.settings import Settings
from numen.data.dataset import Dataset
from numen.data.library import Library
from numen.data.reading import PLAIN
from numen.play import GAMES
from numen.registry import Registry
from parts import Live, start_server, stop
from play.drawing import FLAGS, draw_all, drawn

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).with_name("axe")
GAME = GAMES["digit-duel"]
SIGNS = {"+": int.__add__, "−": int.__sub__, "×": int.__mul__}


@pytest.fixture(scope="module")
def axe() -> str:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    subprocess.run(["npm", "ci"], cwd=AXE, check=True, stdout=subprocess.DEVNULL)
    return (AXE / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose model has learnt from a part of MNIST, in seconds."""
    from numen.api.train import train

    home = tmp_path_factory.mktemp("duel")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(home))
        registry = Registry.of(Settings(home=str(home)))
        mnist = Dataset.open(GAME.source)
        folder = home / "part"
        folder.mkdir()
        for name, split, rows in (("train", mnist.train, 12_000), ("t10k", mnist.test, 1_000)):
            batch = split.take(np.arange(rows)).arrays()
            (pictures,) = batch.inputs.values()
            (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(pictures))
            (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(batch.target))
        reading = msgspec.structs.replace(PLAIN, centre=True)
        Library(registry.catalog, registry.blobs, home).add(GAME.data, [folder], reading)
        train(GAME.data, "mlp", name=GAME.model, epochs=6, units=192)
        registry.catalog.close()
    return home


@dataclass
class Table:
    """A page of the game, and what must never happen on it."""

    page: Page
    live: Live
    axe: str

    def __post_init__(self) -> None:
        self.foreign: list[str] = []
        self.errors: list[str] = []
        here = self.live.url.removeprefix("http")
        self.page.on(
            "request", lambda r: None if here in r.url[:40] else self.foreign.append(r.url)
        )
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.digits = {
            d["label"]: d for d in drawn() if d["by"] == "hand" and d["style"] in EASY[d["label"]]
        }

    def open(self) -> None:
        self.page.goto(f"{self.live.url}/play/digit-duel/?seed=7")
        self.page.locator("[data-testid=wire][data-state=server]").wait_for()

    def see(self, id_: str) -> Any:
        return self.page.get_by_test_id(id_)

    def draw(self, digit: int) -> None:
        """Draws with the mouse."""
        box = self.see("canvas").bounding_box()
        assert box is not None
        for stroke in self.digits[str(digit)]["strokes"]:
            places = [
                (box["x"] + box["width"] * x, box["y"] + box["height"] * y)
                for x, y in stroke["points"]
            ]
            self.page.mouse.move(*places[0])
            self.page.mouse.down()
            for place in places[1::2]:
                self.page.mouse.move(*place)
            self.page.mouse.move(*places[-1])
            self.page.mouse.up()

    def asked(self) -> int:
        """The digit that is missing."""
        text = self.see("task").inner_text()
        first, sign, second, third = re.search(r"([\d?]+) (\S) ([\d?]+) = ([\d?]+)", text).groups()  # type: ignore[union-attr]
        for digit in range(10):
            a, b, c = (digit if part == "?" else int(part) for part in (first, second, third))
            if SIGNS[sign](a, b) == c:
                return digit
        raise AssertionError(text)

    def scores(self) -> None:
        """Draws what is asked until one is read rightly; this small network misreads some."""
        before = self.score()
        for _ in range(5):
            self.draw(self.asked())
            try:
                self.scored(before)
            except TooLate:
                self.page.keyboard.press("Escape")
                self.page.keyboard.press("s")
            else:
                return
        raise AssertionError(f"read as {self.see('headline').inner_text()}")

    def scored(self, before: int) -> None:
        self.page.wait_for_function(
            "b => +document.querySelector('[data-testid=score]').innerText > b",
            arg=before, timeout=3_000,
        )  # fmt: skip

    def score(self) -> int:
        return int(self.see("score").inner_text())

    def clean(self) -> None:
        """Nothing is wrong for anybody, nothing is cut off, nothing came from elsewhere."""
        self.page.evaluate(self.axe)
        found = self.page.evaluate("axe.run({ resultTypes: ['violations'] })")
        said = [(v["id"], [n["target"] for n in v["nodes"]]) for v in found["violations"]]
        assert said == []
        width = self.page.viewport_size["width"]  # type: ignore[index]
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width
        assert self.foreign == []
        assert self.errors == []


EASY = {
    "0": ["wide, big"], "1": ["bare, leaning"], "2": ["sharp"], "3": ["round"], "4": ["open"],
    "5": ["two strokes"], "6": ["curve"], "7": ["bare"], "8": ["one stroke"], "9": ["curved"],
}  # fmt: skip


@pytest.fixture
def live(home: Path) -> Iterator[Live]:
    url, process = start_server(home, GAME.model, "--grpc-port", "0")
    registry = Registry.of(Settings(home=str(home)))
    yield Live(url, home, registry, process)
    stop(process)
    registry.catalog.close()


def seated(browser: Browser, live: Live, axe: str, **how: Any) -> Table:
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce", **how)
    table = Table(context.new_page(), live, axe)
    table.open()
    return table


def test_a_round_cut_off_then_taught_then_alone(browser: Browser, live: Live, axe: str) -> None:
    table = seated(browser, live, axe, viewport={"width": 1280, "height": 800})
    page, see = table.page, table.see
    page.clock.install()
    table.open()
    table.clean()
    page.keyboard.press("Enter")
    expect(see("submit")).to_be_visible()
    for _ in range(2):  # right answers score, and the next is asked
        table.scores()
    expect(see("source")).to_have_attribute("data-source", "server")
    table.clean()
    # A digit that is read as another: said what it was, it waits to be learnt from.
    wrong = next(d for d in (7, 0) if d != table.asked())
    table.draw(wrong)
    see("it-was").click()
    expect(see("learn")).to_be_visible()
    # The wire is cut: the model on this device reads, and it is played on.
    page.keyboard.press("x")
    expect(see("wire")).to_have_attribute("data-state", "local")
    table.scores()
    expect(see("source")).to_have_attribute("data-source", "local")
    before = table.score()
    page.keyboard.press(str(table.asked()))  # without drawing at all
    table.scored(before)
    table.clean()
    see("cut").click()
    expect(see("wire")).to_have_attribute("data-state", "server")

    page.clock.fast_forward(20_000)
    expect(see("over")).to_be_visible()
    table.clean()
    see("attempt").first.click()
    see("meant-8").click()
    see("teach").click()
    see("take").wait_for(timeout=120_000)
    assert (
        Library(live.registry.catalog, live.registry.blobs, live.home)
        .versions(GAME.data)[-1]
        .version
        == 2
    )
    expect(see("own-new")).to_have_text(re.compile(r"\d / 2"))
    expect(see("test-new")).to_have_text(re.compile(r"9\d\.\d\d %"))
    table.clean()
    see("take").click()
    expect(see("learn")).to_have_attribute("data-step", "taken")
    assert live.registry.resolve(GAME.model).version == 2

    # The server dies in the middle of a round, which goes on.
    page.keyboard.press("Enter")
    table.scores()
    stop(live.process)
    expect(see("wire")).to_have_attribute("data-state", "lost")
    table.scores()
    expect(see("source")).to_have_attribute("data-source", "local")
    table.clean()
    page.context.close()


def test_on_a_phone_in_chinese_and_dark(browser: Browser, live: Live, axe: str) -> None:
    table = seated(
        browser, live, axe, viewport={"width": 390, "height": 844}, locale="zh-CN",
        color_scheme="dark", has_touch=True,
    )  # fmt: skip
    page, see = table.page, table.see
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    table.clean()
    unsure = {
        **table.digits["8"],
        "strokes": [{"pen": "thin", "points": [[0.2, 0.5], [0.3, 0.45]]}],
    }
    answers = draw_all(page, [table.digits["7"], unsure])
    assert int(np.argmax(answers[0]["shares"])) == 7
    see("start").click()
    see("canvas").scroll_into_view_if_needed()
    for each in ("canvas", "bar-9"):  # what is drawn on and what is read: on one screen
        expect(see(each)).to_be_in_viewport(ratio=1)
    table.clean()
    see("language").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    see("theme").click()
    table.clean()
    page.context.close()


def test_without_its_model_it_says_how_to_begin(browser: Browser, live: Live, axe: str) -> None:
    page = browser.new_page()
    page.goto(f"{live.url}/play/digit-duel/?model=nobody")
    expect(page.get_by_test_id("missing")).to_contain_text("numen play digit-duel")
    page.close()


def test_a_key_is_asked_for_where_one_is_needed(browser: Browser, live: Live, axe: str) -> None:
    _, secret = live.registry.keys.create("player", actions=("predict", "explain"))
    page = browser.new_page()
    time.sleep(1.5)  # the server looks for new keys once a second
    page.goto(f"{live.url}/play/digit-duel/")
    page.get_by_test_id("key").fill(secret)
    page.keyboard.press("Enter")
    page.locator("[data-testid=wire][data-state=server]").wait_for()
    page.close()
