"""`numen data label` and its page: labelled with the keyboard, added, taken up after a stop."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from cli.test_commands import Shell
from console.page_models import MOODS, PITCHES, RATE, mood_bundle, pitch_bundle, write_tone
from console.test_browser import SIZES
from console.test_browser import browser as browser  # noqa: PLC0414 - a fixture
from control.job_parts import wait_for
from numen.core.settings import Settings
from numen.data.library import Library
from numen.registry import Registry
from parts import LABELS, make_bundle

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def numen(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Data sets of pictures, sounds and texts, a model of each, and rows without labels."""
    home = tmp_path_factory.mktemp("label") / "home"
    registry = Registry.of(Settings(home=str(home)))
    source = np.random.default_rng(0)
    for label in LABELS:
        for i in range(3):
            write(home.parent / "digits" / label / f"{i}.png", source)
    for i in range(5):
        write(home.parent / "new" / f"{i}.png", source)
    library = Library(registry.catalog, registry.blobs, home)
    library.add("digits", [home.parent / "digits"])
    registry.publish("linear", make_bundle(home / "make"))
    for place in range(4):
        for label, hertz in PITCHES.items():
            write_tone(home.parent / "tones" / label / f"{place}.wav", hertz + 20 * place, 2)
    for place, hertz in enumerate((400, 500, 700, 1_400)):
        write_tone(home.parent / "newtones" / f"{place}.wav", hertz, 2)
    library.add("tones", [home.parent / "tones"])
    registry.publish("pitch", pitch_bundle(home / "pitch", samples=2 * RATE))
    known = [
        {"text": f"a {kind} film, number {n}", "label": kind} for n in range(5) for kind in MOODS
    ]
    new = [{"text": "so good " * 5_000}, {"text": "dull"}, {"text": " "}, {"text": "<b>so</b>\nso"}]
    for name, rows in (("moods.jsonl", known), ("newmoods.jsonl", new)):
        (home.parent / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    library.add("moods", [home.parent / "moods.jsonl"])
    registry.publish("mood", mood_bundle(home / "mood"))
    registry.catalog.close()
    return Shell(home)


def write(path: Path, source: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(source.integers(0, 255, (28, 28)).astype(np.uint8)).save(path)


class Labelling:
    """The command as it runs."""

    def __init__(
        self, numen: Shell, name: str = "digits", model: str = "linear", source: str = "new"
    ):
        self.log = numen.home / "label.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "numen", "data", "label", name, "--model", model,
                 "--from", source],
                env={**os.environ, "NUMEN_HOME": str(numen.home), "NO_COLOR": "1"},
                cwd=numen.home.parent, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        found = wait_for(lambda: re.search(r"http://\S+", self.log.read_text()))
        self.url = found[0]
        wait_for(self.answers)

    def answers(self) -> bool:
        try:
            return httpx.get(self.url).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.wait(20)


def test_labelled_by_the_keyboard_and_taken_up_after_a_crash(
    numen: Shell, browser: Browser, request: pytest.FixtureRequest
) -> None:
    first = Labelling(numen)
    request.addfinalizer(first.process.kill)
    page = browser.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(first.url)
    count = page.get_by_test_id("label-count")
    expect(count).to_have_text("0 of 5")
    picture = page.get_by_test_id("label-row").locator("img")
    shown = picture.get_attribute("src")
    page.keyboard.press("7")
    expect(count).to_have_text("1 of 5")
    page.keyboard.press("Backspace")
    expect(count).to_have_text("0 of 5")
    expect(picture).to_have_attribute("src", shown or "")
    page.keyboard.press("4")
    expect(count).to_have_text("1 of 5")
    page.keyboard.press("Space")
    expect(count).to_have_text("2 of 5")
    first.stop(signal.SIGKILL)
    again = Labelling(numen)
    request.addfinalizer(again.process.kill)
    page.goto(again.url)
    page.reload()
    expect(count).to_have_text("2 of 5")
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="9", exact=True).click()
    expect(count).to_have_text("3 of 5")
    page.keyboard.press("0")
    expect(count).to_have_text("4 of 5")
    page.get_by_test_id("label-finish").click()
    expect(page.get_by_test_id("label-added")).to_contain_text("digits@2")
    expect(count).to_have_text("0 of 1")
    other = httpx.post(
        again.url.partition("#")[0] + "api/label/finish", headers={"origin": "http://elsewhere"}
    )
    assert other.status_code == 403
    again.stop(signal.SIGINT)
    page.close()
    assert wrong == []
    profile = numen.json("data", "show", "digits")
    assert isinstance(profile, dict)
    assert sum(profile["rows"].values()) == 33
    assert "3 rows were labelled by hand where linear@1" in json.dumps(profile["notes"])


def test_sounds_are_heard_and_labelled(
    numen: Shell, browser: Browser, request: pytest.FixtureRequest
) -> None:
    labelling = Labelling(numen, "tones", "pitch", "newtones")
    request.addfinalizer(labelling.process.kill)
    page = browser.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(labelling.url)
    count, play = page.get_by_test_id("label-count"), page.get_by_test_id("play")
    expect(count).to_have_text("0 of 4")
    expect(page.get_by_test_id("waveform")).to_have_attribute(
        "aria-label", "Waveform of 2.00 seconds"
    )
    expect(page.get_by_test_id("label-row")).to_contain_text("2.wav")  # the one in the middle
    expect(play).to_contain_text("Play")
    page.keyboard.press("Space")
    expect(play).to_contain_text("Pause")
    expect(count).to_have_text("0 of 4")
    expect(play).to_contain_text("Play")  # it has ended
    page.keyboard.press("2")
    expect(count).to_have_text("1 of 4")
    expect(play).to_contain_text("Pause")  # the next one begins by itself
    page.keyboard.press("s")
    expect(count).to_have_text("2 of 4")
    page.keyboard.press("1")
    expect(count).to_have_text("3 of 4")
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_test_id("label-finish").click()
    expect(page.get_by_test_id("label-added")).to_contain_text("tones@2")
    labelling.stop(signal.SIGINT)
    page.close()
    assert wrong == []
    profile = numen.json("data", "show", "tones")
    assert isinstance(profile, dict)
    assert sum(profile["rows"].values()) == 10


def test_texts_are_read_and_labelled(
    numen: Shell, browser: Browser, request: pytest.FixtureRequest
) -> None:
    labelling = Labelling(numen, "moods", "mood", "newmoods.jsonl")
    request.addfinalizer(labelling.process.kill)
    page = browser.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(labelling.url)
    count = page.get_by_test_id("label-count")
    expect(count).to_have_text("0 of 3")  # of nothing nobody can say what it is
    text = page.get_by_role("region", name="What is to be labelled")
    expect(text).to_contain_text("so good so good")
    assert text.evaluate("(box) => box.scrollHeight > box.clientHeight")
    text.focus()
    page.keyboard.press("Space")  # scrolls, and passes nothing over
    page.wait_for_function("document.querySelector('.label-scroll').scrollTop > 0")
    expect(count).to_have_text("0 of 3")
    page.keyboard.press("2")
    expect(text).to_have_text("dull")
    expect(count).to_have_text("1 of 3")
    page.keyboard.press("1")
    expect(text).to_have_text("<b>so</b>\nso", use_inner_text=True)
    page.keyboard.press("Space")
    expect(count).to_have_text("3 of 3")
    expect(page.get_by_test_id("label-done")).to_be_visible()
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_test_id("label-finish").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("label-added")).to_contain_text("numen train mood --data moods@2")
    labelling.stop(signal.SIGINT)
    page.close()
    assert wrong == []
    profile = numen.json("data", "show", "moods")
    assert isinstance(profile, dict)
    assert sum(profile["rows"].values()) == 12


def test_without_a_page(numen: Shell) -> None:
    arguments = ("data", "label", "digits", "--model", "linear", "--from", "new", "--finish")
    assert numen.json(*arguments) == {"added": None, "rows": None}
    done = numen.json(
        "data", "pseudo-label", "digits", "--model", "linear", "--from", "new", "--above", "0.999"
    )
    assert isinstance(done, dict)
    assert done["looked"] == 5
    assert "from" in numen("data", "label", "digits", "--model", "linear", status=2)
    assert "margin or entropy" in numen(*arguments, "--by", "chance", status=2)
