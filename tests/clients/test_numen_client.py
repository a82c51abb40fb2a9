"""numen's own Python client, both ways, against a live server."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numen_client import AsyncClient, Client, Prediction, ServerError
from PIL import Image
from websockets.exceptions import InvalidStatus

from numen.core.settings import Settings
from numen.core.signature import DATATYPES
from numen.registry import Registry
from parts import LABELS, Live, linear_graph, make_bundle, start_server, stop


@pytest.fixture
def client(live: Live) -> Iterator[Client]:
    with Client(live.url) as found:
        yield found


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Callable[[np.ndarray], np.ndarray]:
    return linear_graph(tmp_path_factory.mktemp("graph") / "linear.onnx")


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)


def encoded(array: np.ndarray, kind: str = "PNG") -> bytes:
    target = io.BytesIO()
    Image.fromarray(array).save(target, kind)
    return target.getvalue()


def check(found: Prediction, expected: np.ndarray, *, closely: bool = True) -> None:
    assert (found.model, found.version) == ("linear", "1")
    assert len(found.top) == 5
    assert found.top[0] == (found.label, found.probability)
    if closely:
        assert found.label == LABELS[expected.argmax()]
        assert found.probability == pytest.approx(expected.max(), abs=1e-5)
        assert [label for label, _ in found.top] == [LABELS[i] for i in np.argsort(-expected)[:5]]


def test_it_predicts(
    client: Client, reference: Callable[[np.ndarray], np.ndarray], tmp_path: Path
) -> None:
    x = pixels(1)
    (expected,) = reference(x[None])
    file = tmp_path / "x.png"
    file.write_bytes(encoded(x))
    for value in (x, x.astype(np.float32), x[None], x.tolist(), encoded(x), bytearray(encoded(x)),
                  memoryview(encoded(x)), file):  # fmt: skip
        check(client.predict("linear", value), expected)
    check(client.predict("linear@1", x), expected)
    check(client.predict("linear@champion", x), expected)
    check(client.predict("linear", encoded(x, "JPEG")), expected, closely=False)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "WEBP"])
def test_it_says_what_kind_of_picture_it_sends(
    client: Client, reference: Callable[[np.ndarray], np.ndarray], kind: str
) -> None:
    found = client.predict("linear", encoded(pixels(2), kind))
    check(found, reference(pixels(2)[None])[0], closely=kind != "WEBP")


def test_a_batch_is_answered_row_by_row(
    client: Client, reference: Callable[[np.ndarray], np.ndarray]
) -> None:
    x = np.stack([pixels(1), pixels(2)])
    rows = client.predict("linear", x).value["rows"]
    assert [row["label"] for row in rows] == [LABELS[i] for i in reference(x).argmax(axis=1)]


def test_it_infers(client: Client, reference: Callable[[np.ndarray], np.ndarray]) -> None:
    x = np.random.default_rng(3).random((5, 28, 28), np.float32)
    expected = reference(x)
    for array in (x, np.asfortranarray(x), x.astype(">f4")):
        found = client.infer("linear", image=array)
        assert found.keys() == {"probabilities"}
        np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)


def test_it_lists_models(client: Client) -> None:
    cards = {card["name"]: card for card in client.models()}
    assert cards["linear"]["ready"] is True
    assert cards["linear"]["version"] == "1"


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        (lambda c: c.predict("none", [[1]]), 404, "not_found"),
        (lambda c: c.predict("linear", [[1, 2]]), 400, "invalid_input"),
        (lambda c: c.predict("linear", b"no picture"), 400, "invalid_input"),
        (lambda c: c.predict("linear", {"age": 1}), 400, "invalid_input"),
        (lambda c: c.infer("linear", image=np.zeros((1, 28, 28))), 400, "invalid_input"),
        (
            lambda c: c.infer("linear", other=np.zeros((1, 28, 28), np.float32)),
            400,
            "invalid_input",
        ),
        (lambda c: c.infer("linear@7", image=np.zeros((1, 28, 28), np.float32)), 404, "not_found"),
        (lambda c: c.predict("../v2", [[1]]), 404, "not_found"),
        (lambda c: c.infer("none", image=np.zeros(1, np.float32)), 404, "not_found"),
    ],
)
def test_errors_are_raised(
    client: Client, call: Callable[[Client], object], status: int, code: str
) -> None:
    with pytest.raises(ServerError) as caught:
        call(client)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert str(caught.value)


def test_texts_are_sent_and_come_back(client: Client) -> None:
    with pytest.raises(ServerError, match=r"expected float32\[\?, 28, 28\], received string"):
        client.infer("linear", image=np.array([["a", "grün"]]))
    with pytest.raises(ServerError, match=r"received string\[2\]"):
        client.infer("linear", image=np.array(["a", "日本"], object))


def test_what_cannot_be_sent_is_said(client: Client) -> None:
    with pytest.raises(TypeError, match=r'input "image": complex128 cannot be sent'):
        client.infer("linear", image=np.zeros(1, complex))


def test_a_version_may_be_named(client: Client) -> None:
    x = np.random.default_rng(3).random((1, 28, 28), np.float32)
    expected = client.infer("linear", image=x)["probabilities"]
    for model in ("linear@1", "linear@champion"):
        np.testing.assert_array_equal(client.infer(model, image=x)["probabilities"], expected)


def test_every_type_there_and_back(echo: Live) -> None:
    given = {}
    for datatype, name in DATATYPES.items():
        if datatype != "BYTES":
            one = np.arange(12).reshape(2, 2, 3).astype(name)
            given[f"x_{datatype.lower()}"] = one.astype(one.dtype.newbyteorder(">"))
    with Client(echo.url) as client:
        found = client.infer("echo", **given)
        assert len(found) == 12
        for name, array in given.items():
            got = found[name.replace("x_", "y_")]
            assert got.dtype.name == array.dtype.name
            np.testing.assert_array_equal(got, array)
        texts = client.infer("words", text=np.array([["a", "grün"], ["日本", ""]]))
        np.testing.assert_array_equal(texts["length"], [[1, 4], [2, -1]])


def test_both_ways_at_once(live: Live, reference: Callable[[np.ndarray], np.ndarray]) -> None:
    async def run() -> None:
        async with AsyncClient(live.url) as client:
            x = [
                np.random.default_rng(n).random((1 + n % 4, 28, 28), np.float32) for n in range(30)
            ]
            found = await asyncio.gather(*(client.infer("linear", image=array) for array in x))
            for array, outputs in zip(x, found, strict=True):
                np.testing.assert_allclose(outputs["probabilities"], reference(array), atol=1e-5)
            check(await client.predict("linear", pixels(4)), reference(pixels(4)[None])[0])
            cards = await client.models()
            assert "linear" in [card["name"] for card in cards]
            with pytest.raises(ServerError) as caught:
                await client.predict("none", [[1]])
            assert caught.value.status == 404

    asyncio.run(run())


def test_a_server_that_is_no_numen_is_said(live: Live) -> None:
    with Client(f"{live.url}/docs") as client, pytest.raises(ServerError) as caught:
        client.models()
    assert caught.value.status == 404


def test_it_sends_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    registry.publish("linear", make_bundle(tmp_path / "make"))
    _, secret = registry.keys.create("client")
    url, process = start_server(tmp_path)

    async def models(key: str | None) -> list[dict[str, object]]:
        client = AsyncClient(url, key=key)
        try:
            return await client.models()
        finally:
            await client.aclose()

    try:
        monkeypatch.delenv("NUMEN_KEY", raising=False)
        for key in (None, "", "nm_wrong"):
            with Client(url, key=key) as client, pytest.raises(ServerError) as caught:
                client.predict("linear", pixels(1))
            assert (caught.value.status, caught.value.code) == (401, "unauthenticated")
        with Client(url, key=secret) as client:
            assert client.predict("linear", pixels(1)).model == "linear"
            assert client.infer("linear", image=pixels(1)[None].astype(np.float32))
        assert len(asyncio.run(models(secret))) == 1
        monkeypatch.setenv("NUMEN_KEY", f"{secret}\n")
        with Client(url) as client:
            assert len(client.models()) == 1
        assert len(asyncio.run(models(None))) == 1
    finally:
        stop(process)
        registry.catalog.close()


def test_a_stream_carries_many_at_once(
    client: Client, reference: Callable[[np.ndarray], np.ndarray]
) -> None:
    x = {n: pixels(n)[None].astype(np.float32) for n in range(30)}
    with client.stream("linear@1") as stream:
        asked = {stream.send({"image": value}): value for value in x.values()}
        for _ in x:
            answer = stream.receive()
            assert (answer.outcome, answer.served_by) == ("met", "linear@1/fp32")
            expected = reference(asked.pop(answer.id or ""))
            np.testing.assert_allclose(answer.outputs["probabilities"], expected, atol=1e-5)
        assert not asked
        late = stream.send({"image": x[0]}, deadline_ms=0)
        answer = stream.receive()
        assert (answer.id, answer.code, answer.outputs) == (late, "deadline_exceeded", {})
        stream.send({"odd": x[0]})
        assert stream.receive().code == "invalid_input"
    with client.stream("linear", latest=True) as stream:
        stream.send({"image": x[0]})
        assert stream.receive().error is None
    with pytest.raises(InvalidStatus):
        client.stream("none")
