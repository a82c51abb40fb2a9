"""`/ws/{model}` from pages in a real browser: its own host's may, others may not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from wire import image

from parts import LABELS, Live, linear_graph

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium")
ASK = """([url, protocols, frames]) => new Promise((done) => {
  const socket = new WebSocket(url, protocols), answers = [];
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    for (const { text, header, values } of frames) {
      if (text) { socket.send(text); continue; }
      const head = new TextEncoder().encode(header), tail = new Float32Array(values);
      const frame = new Uint8Array(4 + head.length + tail.byteLength);
      new DataView(frame.buffer).setUint32(0, head.length, true);
      frame.set(head, 4);
      frame.set(new Uint8Array(tail.buffer), 4 + head.length);
      socket.send(frame);
    }
  };
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") {
      const size = new DataView(data).getUint32(0, true);
      const head = new TextDecoder().decode(new Uint8Array(data, 4, size));
      data = { ...JSON.parse(head), values: [...new Float32Array(data.slice(4 + size))] };
    } else data = JSON.parse(data);
    answers.push(data);
    if (answers.length === frames.length) socket.close(1000);
  };
  socket.onclose = ({ code }) => done({ code, answers, protocol: socket.protocol });
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        yield started
        started.close()


def ask(browser: Browser, live: Live, page_url: str, frames: list[Any], *protocols: str) -> Any:
    page = browser.new_page()
    page.goto(page_url)
    url = live.url.replace("http", "ws", 1) + "/ws/linear"
    said = page.evaluate(ASK, [url, list(protocols), frames])
    page.close()
    return said


def test_a_page_of_its_own_host_draws_answers(browser: Browser, live: Live, tmp_path: Any) -> None:
    x = image(1)
    (expected,) = linear_graph(tmp_path / "linear.onnx")(x)
    header = (
        '{"id":"binary","inputs":[{"name":"image","shape":[1,28,28],"datatype":"FP32",'
        '"parameters":{"binary_data_size":3136}}]}'
    )
    frames = [
        {"header": header, "values": x.reshape(-1).tolist()},
        {"text": json.dumps({"id": "text", "value": x[0].tolist()})},
        {"text": "nonsense"},
    ]
    said = ask(browser, live, f"{live.url}/healthz", frames, "numen.v1", "numen.key.none")
    assert (said["code"], said["protocol"]) == (1000, "numen.v1")
    answers = {answer["id"]: answer for answer in said["answers"]}
    assert answers["binary"]["values"] == pytest.approx(expected.tolist(), abs=1e-5)
    assert answers["text"]["label"] == LABELS[expected.argmax()]
    assert answers[None]["code"] == "invalid_input"


@pytest.mark.parametrize("page", ["about:blank", "data:text/html,elsewhere"])
def test_a_page_from_elsewhere_is_refused(browser: Browser, live: Live, page: str) -> None:
    said = ask(browser, live, page, [{"text": "{}"}])
    assert (said["code"], said["answers"]) == (1006, [])
