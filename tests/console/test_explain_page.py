"""Why a model answers so, on the page: of a drawing, a table, a text, a sound, rows and a picture."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

import numen
from console.test_browser import SEVEN, SIZES, draw
from console.test_browser import browser as browser  # noqa: PLC0414 - a fixture
from numen.core.settings import Settings
from numen.data.dataset import Dataset
from numen.registry import Registry
from parts import Live, make_bundle, start_server, stop
from train.kinds import columns, quantity, sound, text, windows

pytestmark = pytest.mark.slow
SEEN = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let [orange, blue] = [0, 0];
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] > 40) data[at] > data[at + 2] ? orange++ : blue++;
  }
  return [orange, blue];
}"""
COLOUR = "(part) => getComputedStyle(part).backgroundColor.match(/\\d+/g).map(Number)"


def colours(folder: Path) -> Dataset:
    source = np.random.default_rng(3)
    for i in range(60):
        place = i % 3
        pixels = source.integers(0, 90, (12, 12, 3))
        pixels[3:9, 3:9, place] += 150
        kind = folder / ("red", "green", "blue")[place]
        kind.mkdir(exist_ok=True, parents=True)
        Image.fromarray(pixels.astype(np.uint8)).save(kind / f"{i}.png")
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("explained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        numen.train("sample:mnist", "mlp", name="digits", epochs=1)
        for name, kind, family, more in (
            ("grown", columns, "boosting", {}),
            ("price", quantity, "mlp", {"epochs": 2}),
            ("mixed", columns, "mlp", {"epochs": 1}),
            ("said", text, "text-cnn", {"epochs": 4}),
            ("tone", sound, "audio-cnn", {"epochs": 2}),
            ("days", windows, "sequence", {"epochs": 2}),
            ("paint", colours, "cnn", {"epochs": 3}),
        ):
            (folder / name).mkdir()
            numen.train(kind(folder / name), family, name=name, **more)
    registry = Registry.of(Settings(home=str(folder / "home")))
    registry.publish("plain", make_bundle(folder / "make"))
    url, process = start_server(folder / "home")
    yield Live(url, folder, registry, process)
    stop(process)
    registry.catalog.close()


def open_why(browser: Browser, url: str, size: str = "desktop") -> tuple[Page, list[str]]:
    """A model's page on which it is asked why, and what goes wrong on it."""
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    page.get_by_role("switch", name="Why?").click()
    return page, wrong


def fits(page: Page, size: str) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0])


def orange(part: Locator) -> bool:
    red, _, blue = part.evaluate(COLOUR)[:3]
    return bool(red > blue + 20)


@pytest.mark.parametrize("size", SIZES)
def test_a_drawing_is_covered_by_what_spoke_for_the_answer(
    browser: Browser, explained: Live, size: str
) -> None:
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{explained.url}/#digits")
    why, heat = page.get_by_role("switch", name="Why?"), page.get_by_test_id("heat")
    title, best = page.get_by_test_id("why-title"), page.get_by_test_id("best")
    expect(why).to_have_attribute("aria-checked", "false")
    draw(page, SEVEN)
    expect(best).to_have_text(re.compile(r"\d"))
    expect(heat).to_have_count(0)
    why.focus()
    page.keyboard.press("Space")
    expect(why).to_have_attribute("aria-checked", "true")
    expect(heat).to_be_visible()
    label = best.locator("strong").inner_text()
    expect(title).to_have_text(f"Which pixels spoke for “{label}”")
    expect(page.get_by_test_id("why-legend")).to_have_text("againstfor it")
    before = heat.evaluate(SEEN)
    assert before[0] > 500
    assert before[1] > 0
    draw(page, [(0.2, 0.8), (0.8, 0.8)])
    page.wait_for_function(f"(before) => `${{({SEEN})(document.querySelector('.heat'))}}` !== before",
                           arg=",".join(map(str, before)))  # fmt: skip
    other = "3" if label != "3" else "4"
    page.get_by_test_id(f"ask-{other}").click()
    expect(title).to_have_text(f"Which pixels spoke for “{other}”")
    expect(page.get_by_test_id(f"ask-{other}")).to_have_attribute("aria-pressed", "true")
    page.get_by_test_id(f"ask-{other}").click()
    expect(title).to_have_text(f"Which pixels spoke for “{best.locator('strong').inner_text()}”")
    page.get_by_test_id("why-method").select_option("saliency")
    expect(title).to_have_text(re.compile("^On which pixels “.” hangs"))
    expect(page.get_by_test_id("why-legend")).to_have_text("littlemuch")
    page.wait_for_function(f"() => ({SEEN})(document.querySelector('.heat'))[1] === 0")
    assert fits(page, size)
    page.keyboard.press("Escape")
    expect(heat).to_have_count(0)
    page.reload()
    expect(why).to_have_attribute("aria-checked", "true")  # as long as the tab is open
    page.close()
    assert wrong == []


def test_a_tables_columns_are_bars_with_the_largest_first(
    browser: Browser, explained: Live
) -> None:
    page, wrong = open_why(browser, f"{explained.url}/#grown", "narrow")
    page.get_by_test_id("field-a").fill("1.25")
    page.get_by_test_id("field-b").fill("-2.5")
    page.get_by_test_id("field-kind").select_option("y")
    bars = page.get_by_test_id("why").get_by_test_id("why-bars").get_by_role("listitem")
    expect(bars).to_have_count(3)
    expect(page.get_by_test_id("why-title")).to_have_text("Which columns spoke for “no”")
    expect(page.get_by_test_id("why-method")).to_have_text("by Shapley values")
    ready = httpx.post(
        f"{explained.url}/predict/grown/input", json={"a": 1.25, "b": -2.5, "kind": "y"}
    )
    length = "inference-header-content-length"
    known = httpx.post(
        f"{explained.url}/v2/models/grown/explain",
        content=ready.content,
        headers={length: ready.headers[length]},
    ).json()
    (amounts,) = [e["data"] for e in known["outputs"] if e["name"] == "attribution:features"]
    names = ["a = 1.25", "b = -2.5", "kind = y"]
    order = sorted(range(3), key=lambda n: -abs(amounts[n]))
    expect(bars.locator(".name")).to_have_text([names[place] for place in order])
    for bar, place in zip(bars.all(), order, strict=True):
        shown = float(bar.locator(".amount").inner_text().replace(",", ""))
        assert shown == pytest.approx(amounts[place], rel=0.01, abs=1e-3)
        if shown:
            assert orange(bar.locator(".axis span")) == (shown > 0)
    page.get_by_test_id("ask-yes").click()
    expect(page.get_by_test_id("why-title")).to_have_text("Which columns spoke for “yes”")
    assert fits(page, "narrow")
    page.close()
    assert wrong == []


def test_how_uncertain_it_is_stands_beside_a_bar(browser: Browser, explained: Live) -> None:
    page, wrong = open_why(browser, f"{explained.url}/#grown")
    whole = [("probabilities", [0.9, 0.1]), ("attribution:features", [3, -2, 1])]
    outputs = [{"name": name, "data": data} for name, data in whole]
    outputs.append({"name": "uncertainty:features", "data": [0.25, 0.5, 0]})
    said = json.dumps({"outputs": outputs})
    page.route("**/explain", lambda route: route.fulfill(body=said))
    for name, value in (("a", "1.25"), ("b", "-2.5")):
        page.get_by_test_id(f"field-{name}").fill(value)
    expect(page.get_by_test_id("why").get_by_test_id("why-bar-a")).to_contain_text("+3 ± 0.25")
    expect(page.get_by_test_id("why").get_by_test_id("why-bar-b")).to_contain_text("-2 ± 0.5")
    page.close()
    assert wrong == []


def test_a_quantity_is_raised_or_lowered(browser: Browser, explained: Live) -> None:
    page, wrong = open_why(browser, f"{explained.url}/#price")
    page.get_by_test_id("field-a").fill("1.5")
    page.get_by_test_id("field-b").fill("1")
    expect(page.get_by_test_id("why-title")).to_have_text(
        "Which columns raised “goal” or lowered it"
    )
    expect(page.get_by_test_id("why").get_by_test_id("why-bar-a")).to_contain_text("a = 1.5")
    page.close()
    assert wrong == []


def test_a_texts_words_stand_behind_their_colours(browser: Browser, explained: Live) -> None:
    page, wrong = open_why(browser, f"{explained.url}/#said", "narrow")
    page.get_by_test_id("text").fill("it was great and warm")
    words = page.get_by_test_id("why-words").locator("span")
    expect(words).to_have_text(["it", "was", "great", "and", "warm"])
    page.get_by_test_id("ask-good").click()
    expect(page.get_by_test_id("why-title")).to_have_text("Which words spoke for “good”")
    expect(page.get_by_test_id("ask-good")).to_have_attribute("aria-pressed", "true")
    assert orange(words.nth(2)) or orange(words.nth(4))
    assert len({tuple(word.evaluate(COLOUR)) for word in words.all()}) > 2
    assert fits(page, "narrow")
    page.get_by_role("switch", name="Why?").click()
    expect(page.get_by_test_id("why")).to_have_count(0)
    page.close()
    assert wrong == []


def test_of_a_sound_its_moments_are_coloured(browser: Browser, explained: Live) -> None:
    page, wrong = open_why(browser, f"{explained.url}/#tone", "narrow")
    page.get_by_test_id("file").set_input_files(explained.home / "tone" / "high" / "1.wav")
    expect(page.get_by_test_id("why-title")).to_have_text(re.compile("^Which moments spoke for"))
    bars = page.get_by_test_id("waveform").locator("path[style]")
    expect(bars).to_have_count(96)
    assert len({bar.evaluate("(bar) => getComputedStyle(bar).stroke") for bar in bars.all()}) > 10
    page.close()
    assert wrong == []


def test_of_rows_each_value_is_coloured(browser: Browser, explained: Live) -> None:
    page, wrong = open_why(browser, f"{explained.url}/#days", "narrow")
    page.get_by_test_id("rows").fill("day,value\n1,0.5\n2,-0.75\n3,1.25")
    rows = page.get_by_test_id("why-grid").locator("tbody tr")
    expect(rows).to_have_text(["−210.5", "−12-0.75", "latest31.25"])
    assert len({tuple(cell.evaluate(COLOUR)) for cell in rows.locator("td").all()}) > 2
    assert fits(page, "narrow")
    page.close()
    assert wrong == []


def test_a_picture_is_covered(browser: Browser, explained: Live) -> None:
    page, wrong = open_why(browser, f"{explained.url}/#paint", "narrow")
    page.get_by_test_id("file").set_input_files(explained.home / "paint" / "green" / "1.png")
    heat = page.get_by_test_id("heat")
    expect(heat).to_be_visible()
    assert sum(heat.evaluate(SEEN)) > 500
    assert heat.bounding_box() == page.get_by_test_id("picture").bounding_box()
    page.get_by_test_id("clear").click()
    expect(heat).to_have_count(0)
    page.close()
    assert wrong == []


def test_a_refusal_is_shown_and_takes_no_answer_away(browser: Browser, explained: Live) -> None:
    page, wrong = open_why(browser, f"{explained.url}/#said")
    said = json.dumps({"error": "no time for this", "code": "overloaded", "hint": "later"})
    page.route("**/explain", lambda route: route.fulfill(status=429, body=said))
    page.get_by_test_id("text").fill("great")
    expect(page.get_by_test_id("refusal")).to_have_text("no time for this later")
    expect(page.get_by_test_id("best")).to_have_text(re.compile("good|bad"))
    page.close()
    assert wrong == []


def test_what_nothing_explains_has_no_switch(browser: Browser, explained: Live) -> None:
    page = browser.new_page()
    page.goto(f"{explained.url}/#plain")
    page.get_by_test_id("canvas").wait_for()
    expect(page.get_by_role("switch", name="Why?")).to_have_count(0)
    page.close()


def test_what_a_table_goes_by_stands_in_its_card(browser: Browser, explained: Live) -> None:
    page = browser.new_page()
    page.goto(f"{explained.url}/#grown")
    expect(page.get_by_test_id("goes-by").get_by_role("listitem")).to_have_count(3)
    page.goto(f"{explained.url}/#digits")
    page.get_by_test_id("canvas").wait_for()
    expect(page.get_by_test_id("goes-by")).to_have_count(0)
    page.close()
