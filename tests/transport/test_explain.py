"""Why a model answers so: asked of a real server, for models of pictures, texts and columns."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.http
from PIL import Image

import numen
from parts import start_server, stop
from train.kinds import columns, labels, pictures, quantity, text


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("why")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        for name, kind, family in (
            ("shades", pictures, "cnn"), ("said", text, "text-cnn"), ("price", quantity, "mlp"),
            ("tags", labels, "forest"), ("grown", quantity, "boosting"), ("wood", pictures, "forest"),
            ("edge", columns, "svm"), ("line", quantity, "linear"), ("bag", text, "words"),
            ("read", columns, "mlp"), ("seen", pictures, "linear"),
        ):  # fmt: skip
            (folder / name).mkdir()
            epochs = {"epochs": 3} if family in ("cnn", "text-cnn", "mlp") else {}
            numen.train(kind(folder / name), family, name=name, **epochs)
        address, process = start_server(folder / "home")
        yield address
        stop(process)


def asked(name, x, datatype="FP32", **parameters):
    data = x.reshape(-1).tolist()
    tensor = {"name": name, "shape": list(x.shape), "datatype": datatype, "data": data}
    return {"inputs": [tensor], "parameters": parameters}


def outputs(reply):
    assert reply.status_code == 200, reply.text
    return {
        each["name"]: np.array(each["data"]).reshape(each["shape"])
        for each in reply.json()["outputs"]
    }


def test_attributions_add_up_to_how_far_the_answer_is_from_the_baselines(url) -> None:
    x = np.random.default_rng(0).integers(0, 255, (5, 12, 12)).astype(float)
    said = outputs(httpx.post(f"{url}/v2/models/shades/explain", json=asked("image", x)))
    assert said.keys() == {"probabilities", "attribution:image"}
    black = httpx.post(f"{url}/v2/models/shades/infer", json=asked("image", np.zeros((1, 12, 12))))
    best = said["probabilities"].argmax(1)
    gap = said["probabilities"].max(1) - outputs(black)["probabilities"][0][best]
    np.testing.assert_allclose(said["attribution:image"].sum((1, 2)), gap, atol=5e-3)
    assert np.abs(gap).max() > 0.01


def test_saliency_is_the_slope_of_the_score(url) -> None:
    x = np.array([[0.5, -1.0]])
    said = outputs(
        httpx.post(f"{url}/v2/models/price/explain", json=asked("features", x, method="saliency"))
    )
    for place in range(2):
        moved = np.repeat(x, 2, 0)
        moved[0, place] += 0.01
        moved[1, place] -= 0.01
        values = outputs(httpx.post(f"{url}/v2/models/price/infer", json=asked("features", moved)))[
            "value"
        ][:, 0]
        steep = abs(values[0] - values[1]) / 0.02
        assert said["attribution:features"][0, place] == pytest.approx(steep, rel=0.05, abs=0.02)


def test_of_a_text_each_piece_has_its_share(url) -> None:
    x = np.array([["it was great"]], object)
    said = outputs(httpx.post(f"{url}/v2/models/said/explain", json=asked("text", x, "BYTES")))
    assert [token for token in said["tokens"][0] if token] == ["it", "was", "great"]
    assert np.abs(said["attribution:text"][0, :3]).min() > 0


def test_any_label_can_be_asked_about_by_place_or_name(url) -> None:
    x = np.random.default_rng(1).integers(0, 255, (2, 12, 12)).astype(float)
    for model in ("shades", "wood", "seen"):
        by_place = [
            outputs(
                httpx.post(f"{url}/v2/models/{model}/explain", json=asked("image", x, target=n))
            )
            for n in range(2)
        ]
        usual = outputs(httpx.post(f"{url}/v2/models/{model}/explain", json=asked("image", x)))
        best = usual["probabilities"].argmax(1)
        values = np.stack([each["attribution:image"] for each in by_place])
        assert np.abs(values[0] - values[1]).max() > 0
        np.testing.assert_allclose(
            usual["attribution:image"], values[best, np.arange(2)], atol=1e-6
        )
        named = asked("image", x, target="light")
        reply = outputs(httpx.post(f"{url}/v2/models/{model}/explain", json=named))
        np.testing.assert_allclose(reply["attribution:image"], values[1], atol=1e-6)


def test_of_trees_it_is_exact(url) -> None:
    x = np.array([[0.5, -1.0], [2.0, 0.0], [0.0, 1.0]])
    said = outputs(httpx.post(f"{url}/v2/models/grown/explain", json=asked("features", x)))
    total = said["attribution:features"].sum(1) + said["expected"]
    np.testing.assert_allclose(total, said["value"][:, 0], atol=1e-5)
    assert np.abs(said["attribution:features"]).max() > 0.1


@pytest.mark.parametrize("model", ["edge", "read"])  # neither has a gradient: it reads categories
def test_columns_that_are_switched_off_and_on_add_up(url, model) -> None:
    x = np.array([[0.5, -1.0, 0], [2.0, 0.0, 2], [0.0, 1.0, 1]])
    said = outputs(httpx.post(f"{url}/v2/models/{model}/explain", json=asked("features", x)))
    total = said["attribution:features"].sum(1) + said["expected"]
    np.testing.assert_allclose(total, said["probabilities"].max(1), atol=1e-5)
    assert (said["uncertainty:features"] == 0).all()  # all sets of three columns were asked
    assert np.abs(said["attribution:features"]).max() > 0.01
    infer = outputs(httpx.post(f"{url}/v2/models/{model}/infer", json=asked("features", x)))
    np.testing.assert_allclose(said["probabilities"], infer["probabilities"], atol=1e-6)


def test_of_a_line_a_column_is_worth_how_far_it_is_from_usual(url) -> None:
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    said = outputs(httpx.post(f"{url}/v2/models/line/explain", json=asked("features", x)))
    values = said["attribution:features"]
    np.testing.assert_allclose(values.sum(1) + said["expected"], said["value"][:, 0], atol=1e-4)
    np.testing.assert_allclose(values[1] - values[0], [3, 0], atol=0.1)
    np.testing.assert_allclose(values[2] - values[0], [0, -1], atol=0.1)


def test_of_a_text_as_numbers_of_words_each_word_has_its_share(url) -> None:
    x = np.array([["it was GREAT,  lovely"], ["sad"], [" "]], object)
    said = outputs(httpx.post(f"{url}/v2/models/bag/explain", json=asked("text", x, "BYTES")))
    assert said["tokens"].tolist() == [
        ["it", "was", "GREAT,", "lovely"],
        ["sad", *[""] * 3],
        [""] * 4,
    ]
    values = said["attribution:text"]
    np.testing.assert_allclose(
        values.sum(1) + said["expected"], said["probabilities"].max(1), atol=1e-5
    )
    assert values[0, 2:].min() > np.abs(values[0, :2]).max()
    assert (values[1, 1:] == 0).all()


def test_patches_of_a_picture_add_up_and_say_how_sure_they_are(url) -> None:
    x = np.random.default_rng(2).integers(0, 255, (2, 12, 12)).astype(float)
    said = outputs(httpx.post(f"{url}/v2/models/seen/explain", json=asked("image", x)))
    total = said["attribution:image"].sum((1, 2)) + said["expected"]
    np.testing.assert_allclose(total, said["probabilities"].max(1), atol=1e-5)
    assert said["uncertainty:image"].shape == x.shape
    assert 0 < said["uncertainty:image"].max() < np.abs(said["attribution:image"]).max()
    again = outputs(httpx.post(f"{url}/v2/models/seen/explain", json=asked("image", x[1:])))
    np.testing.assert_allclose(
        again["attribution:image"][0], said["attribution:image"][1], atol=1e-6
    )


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("shades", asked("image", np.full((1, 12, 12), 40.0))),
        ("said", asked("text", np.array([["so cold"]], object), "BYTES")),
        ("price", asked("features", np.array([[1.0, 2.0]]))),
        ("grown", asked("features", np.array([[1.0, 2.0]]))),
        ("edge", asked("features", np.array([[1.0, 2.0, 1]]))),
        ("bag", asked("text", np.array([["so cold"]], object), "BYTES")),
        ("seen", asked("image", np.full((1, 12, 12), 40.0))),
    ],
)
def test_a_picture_is_drawn_for_those_who_ask(url, model, body) -> None:
    reply = httpx.post(
        f"{url}/v2/models/{model}/explain", json=body, headers={"accept": "image/png"}
    )
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/png")
    picture = np.asarray(Image.open(io.BytesIO(reply.content)).convert("RGB"), int)
    assert picture.shape[1] > 300
    assert (picture.max(-1) - picture.min(-1)).max() > 60  # some of it is coloured


def test_any_client_of_the_protocol_can_call_it_as_a_model(url) -> None:
    client = tritonclient.http.InferenceServerClient(url.removeprefix("http://"))
    tensor = tritonclient.http.InferInput("features", [1, 2], "FP32")
    tensor.set_data_from_numpy(np.array([[1.0, 2.0]], np.float32))
    answer = client.infer("price.explain", [tensor])
    assert answer.as_numpy("attribution:features").shape == (1, 2)
    assert client.get_model_metadata("price.explain")["versions"] == ["1"]
    rows = httpx.post(f"{url}/v1/models/price:explain", json={"instances": [[1, 2]]}).json()
    assert rows["predictions"][0]["attribution:features"] == pytest.approx(
        answer.as_numpy("attribution:features")[0].tolist()
    )


def test_it_is_not_listed_among_the_models(url) -> None:
    listed = httpx.post(f"{url}/v2/repository/index").json()
    assert sorted(each["name"] for each in listed) == [
        "bag", "edge", "grown", "line", "price", "read", "said", "seen", "shades", "tags", "wood",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "parameters", "status", "code"),
    [
        ("shades", {"method": "magic"}, 400, "invalid_input"),
        ("wood", {"method": "saliency"}, 400, "invalid_input"),
        ("seen", {"method": "uncertainty"}, 400, "invalid_input"),
        ("seen", {"target": 2}, 400, "invalid_input"),
        ("shades", {"steps": 8}, 400, "invalid_input"),
        ("shades", {"target": 2}, 400, "invalid_input"),
        ("shades", {"target": "nobody"}, 400, "invalid_input"),
        ("tags", {}, 404, "not_found"),
        ("nobody", {}, 404, "not_found"),
    ],
)
def test_what_cannot_be_explained_is_said(url, model, parameters, status, code) -> None:
    body = asked("image", np.zeros((1, 12, 12)), **parameters)
    reply = httpx.post(f"{url}/v2/models/{model}/explain", json=body)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert ".explain" not in reply.json()["error"]
