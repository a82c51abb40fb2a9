"""Models of all kinds of data on the page: record, give a file, write, fill in, be answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from console.page_models import (
    RATE,
    colour_bundle,
    mood_bundle,
    pitch_bundle,
    season_bundle,
    tone,
    trend_bundle,
    write_tone,
)
from console.test_browser import CHROMIUM, FLAGS, SIZES
from numen.core.settings import Settings
from numen.registry import Registry
from parts import Live, start_server, stop

pytestmark = pytest.mark.slow
BARS = "() => Object.fromEntries([...document.querySelectorAll('[data-testid^=\"bar-\"]')]"
SHARES = (
    BARS
    + ".map((bar) => [bar.dataset.testid.slice(4), parseFloat(bar.querySelector('.share').innerText)]))"
)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with models of sounds, of texts, of pictures and of rows."""
    home = tmp_path_factory.mktemp("sounds")
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("pitch", pitch_bundle(home / "pitch"))
    registry.publish("mood", mood_bundle(home / "mood"))
    registry.publish("colour", colour_bundle(home / "colour"))
    registry.publish("trend", trend_bundle(home / "trend"))
    registry.publish("season", season_bundle(home / "season"))
    url, process = start_server(home)
    yield Live(url, home, registry, process)
    stop(process)
    registry.catalog.close()


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose microphone hears a low tone."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    spoken = write_tone(tmp_path_factory.mktemp("spoken") / "low.wav", 400, 2, 48_000)
    flags = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={spoken}",
    ]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        yield started
        started.close()


def open_model(browser: Browser, url: str, size: str = "desktop") -> tuple[Page, list[str]]:
    """A page of its own, and what goes wrong on it."""
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    return page, wrong


@pytest.mark.parametrize("size", ["desktop", "narrow"])
def test_what_is_spoken_is_answered_meanwhile_and_afterwards(
    hearing: Browser, sounds: Live, size: str
) -> None:
    page, wrong = open_model(hearing, f"{sounds.url}/#pitch", size)
    page.get_by_test_id("record").click()
    expect(page.get_by_test_id("best")).to_have_text(re.compile("^low"))  # while it listens
    expect(page.get_by_test_id("told")).to_have_text(re.compile(r"Recording, [1-9]"))
    page.get_by_test_id("stop").click()
    expect(page.get_by_test_id("told")).to_have_text(re.compile(r"the model hears 0\.25 s"))
    expect(page.get_by_test_id("best")).to_have_text(re.compile("^low"))
    page.wait_for_function(f"({SHARES})().low > 90")  # of all of it
    page.get_by_test_id("play").click()
    expect(page.get_by_test_id("play")).to_have_text("Pause")
    expect(page.get_by_test_id("play")).to_have_text("Play")  # when it has ended
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("waveform")).to_have_count(0)
    expect(page.get_by_test_id("best")).to_have_text(re.compile("^–"))
    page.close()
    assert wrong == []


def test_a_file_is_answered_as_by_every_other_door(
    hearing: Browser, sounds: Live, tmp_path: Path
) -> None:
    page, wrong = open_model(hearing, f"{sounds.url}/#pitch")
    file = write_tone(tmp_path / "high.wav", 1_500, rate=44_100)
    with page.expect_request(re.compile("/predict/pitch")) as asked:
        page.get_by_test_id("file").set_input_files(file)
    assert asked.value.all_headers()["content-length"] == str(file.stat().st_size)  # as it is
    expect(page.get_by_test_id("best")).to_have_text(re.compile("^high"))
    said = httpx.post(
        f"{sounds.url}/predict/pitch",
        content=file.read_bytes(),
        headers={"Content-Type": "audio/wav"},
    ).json()
    for each in said["top"]:
        assert page.evaluate(SHARES)[each["label"]] == round(each["probability"] * 100, 1)
    expect(page.get_by_test_id("waveform")).to_have_attribute(
        "aria-label", "Waveform of 0.25 seconds"
    )
    page.get_by_test_id("file").set_input_files(
        {"name": "notes.wav", "mimeType": "audio/wav", "buffer": b"no sound"}
    )
    expect(page.get_by_test_id("refusal")).to_contain_text("notes.wav is not a sound")
    expect(page.get_by_test_id("best")).to_have_text(re.compile("^–"))
    page.close()
    assert wrong == []


def test_the_part_that_is_heard_can_be_moved(
    hearing: Browser, sounds: Live, tmp_path: Path
) -> None:
    page, wrong = open_model(hearing, f"{sounds.url}/#pitch")
    both = np.concatenate([tone(1_500, 1), tone(400, 1)])
    soundfile.write(tmp_path / "both.flac", both, RATE)
    data = page.evaluate_handle(
        """(bytes) => {
             const data = new DataTransfer();
             data.items.add(new File([new Uint8Array(bytes)], "both.flac", { type: "audio/flac" }));
             return data;
           }""",
        list((tmp_path / "both.flac").read_bytes()),
    )
    page.get_by_test_id("record").wait_for()
    page.dispatch_event("section.try", "drop", {"dataTransfer": data})
    expect(page.get_by_test_id("best")).to_have_text(re.compile("^high"))
    heard = page.get_by_role("slider", name="Drag to choose what the model hears")
    heard.focus()
    page.keyboard.press("End")
    expect(page.get_by_test_id("best")).to_have_text(re.compile("^low"))
    expect(heard).to_have_attribute("aria-valuetext", "from 1.75 to 2.00 seconds")
    page.close()
    assert wrong == []


def test_without_a_microphone_it_says_what_to_do(hearing: Browser, sounds: Live) -> None:
    page, wrong = open_model(hearing, f"{sounds.url}/#pitch")
    # The browser's own answer where a person says no.
    page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = async () => {"
        " throw new DOMException('no', 'NotAllowedError'); }; }"
    )
    page.get_by_test_id("record").click()
    expect(page.get_by_test_id("refusal")).to_contain_text(
        "does not let this page use the microphone"
    )
    expect(page.get_by_test_id("record")).to_be_enabled()
    page.close()
    assert wrong == []


def test_a_picture_in_colour_is_answered(hearing: Browser, sounds: Live, tmp_path: Path) -> None:
    page, wrong = open_model(hearing, f"{sounds.url}/#colour", "narrow")
    for colour in ("green", "blue"):
        Image.new("RGB", (40, 20), colour).save(tmp_path / f"{colour}.png")
        page.get_by_test_id("file").set_input_files(tmp_path / f"{colour}.png")
        expect(page.get_by_test_id("best")).to_have_text(re.compile(f"^{colour}"))
        expect(page.get_by_test_id("picture")).to_have_attribute("alt", f"{colour}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES["narrow"][0]
    page.get_by_test_id("file").set_input_files(
        {"name": "broken.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    expect(page.get_by_test_id("refusal")).to_contain_text("expected a PNG or JPEG")
    page.close()
    assert wrong == []


@pytest.mark.parametrize("size", ["desktop", "narrow"])
def test_a_text_is_answered_while_it_is_written(hearing: Browser, sounds: Live, size: str) -> None:
    page, wrong = open_model(hearing, f"{sounds.url}/#mood", size)
    box = page.get_by_test_id("text")
    box.press_sequentially("a film\nnot so")
    expect(page.get_by_test_id("best")).to_have_text(re.compile("^bad"))
    box.press_sequentially(" good")
    expect(page.get_by_test_id("best")).to_have_text(re.compile("^good"))
    expect(page.get_by_test_id("text-count")).to_have_text("5 words, 18 characters")
    size_of = box.bounding_box()
    assert size_of is not None
    assert size_of["width"] > 250  # a sheet, not a slit
    page.get_by_test_id("clear").click()
    expect(page.get_by_test_id("best")).to_have_text(re.compile("^–"))
    expect(box).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    page.close()
    assert wrong == []


def test_fields_are_filled_in_as_people_write_them(hearing: Browser, sounds: Live) -> None:
    page, wrong = open_model(hearing, f"{sounds.url}/#season", "narrow")
    since, best = page.get_by_test_id("field-since"), page.get_by_test_id("best")
    with page.expect_request(re.compile("/predict/season")):
        since.fill("2024-11-05")  # what is left empty is missing
    expect(best).to_have_text(re.compile("^late"))
    since.fill("2024-02-05 12:30")
    expect(best).to_have_text(re.compile("^early"))
    page.get_by_test_id("field-age").fill("31.5")
    page.get_by_test_id("field-platform").select_option("phone")
    page.get_by_test_id("field-note").fill("liked the last level,\nnot the first")
    asked: list[object] = []
    page.on("request", lambda request: asked.append(request.post_data_json))
    since.fill("2024-0")  # not yet a date
    since.fill("2024-08-01")
    expect(best).to_have_text(re.compile("^late"))
    page.get_by_test_id("predict").click()
    expect(best).to_have_text(re.compile("^late"))
    assert {
        "age": "31.5", "platform": "phone", "since": "2024-08-01",
        "note": "liked the last level,\nnot the first",
    } in asked  # fmt: skip
    assert not any(isinstance(each, dict) and each.get("since") == "2024-0" for each in asked)
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES["narrow"][0]
    page.close()
    assert wrong == []


def test_rows_are_pasted_for_a_model_of_windows(hearing: Browser, sounds: Live) -> None:
    page, wrong = open_model(hearing, f"{sounds.url}/#trend", "narrow")
    box, best = page.get_by_test_id("rows"), page.get_by_test_id("best")
    expect(box).to_have_value("price\n")
    box.fill("price\n3\n4.5\n")
    expect(best).to_have_text(re.compile("^up"))
    expect(page.get_by_test_id("row-count")).to_have_text("2 rows, the latest last")
    box.fill("price\n1\n2\n3\n9\n8")
    expect(best).to_have_text(re.compile("^down"))
    expect(page.get_by_test_id("row-count")).to_have_text("5 rows, of which the last 4 count")
    box.fill("prize\n1\n2")
    expect(page.get_by_test_id("refusal")).to_contain_text(
        'field "prize" is unknown: expected price'
    )
    page.get_by_test_id("clear").click()
    expect(best).to_have_text(re.compile("^–"))
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES["narrow"][0]
    page.close()
    assert wrong == []
