"""`numen explain` and `Model.explain`: why, with no server, for every kind of input."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

import numen
from cli.test_commands import Shell
from numen.cli import EXIT
from numen.core.errors import InvalidInput, NotFound
from numen.core.settings import Settings
from numen.registry import Registry
from parts import make_bundle
from train.kinds import columns, pictures, sound, text, windows


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    folder = tmp_path_factory.mktemp("why")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        patch.setenv("COLUMNS", "200")
        for name, kind, family in (
            ("shades", pictures, "cnn"), ("said", text, "text-cnn"), ("mixed", columns, "boosting"),
            ("heard", sound, "audio-cnn"), ("moved", windows, "sequence"),
        ):  # fmt: skip
            (folder / name).mkdir()
            few = {} if family == "boosting" else {"epochs": 2}
            numen.train(kind(folder / name), family, name=name, **few)
        Image.fromarray(np.full((12, 12), 200, np.uint8)).save(folder / "light.png")
        yield Shell(folder / "home"), folder


def test_columns_and_words_with_what_they_added(shell) -> None:
    numen_, _ = shell
    found = numen_.json("explain", "said", "it was great")
    assert [part["token"] for part in found["parts"]] == ["it", "was", "great"]
    assert found["method"] == "integrated-gradients"
    row = numen.load("mixed").manifest.preprocess.columns
    found = numen_.json("explain", "mixed", json.dumps({row[0].name: None}))
    assert [part["column"] for part in found["parts"]] == [column.name for column in row]
    assert found["parts"][0]["value"] is None
    model = numen.load("mixed")
    why = model.explain({row[0].name: None})
    total = sum(part["attribution"] for part in why.parts()) + why.outputs["expected"][0]
    assert total == pytest.approx(why.values.sum() + why.outputs["expected"][0], abs=1e-5)


def test_every_kind_is_drawn_in_the_terminal_and_in_a_file(shell) -> None:
    numen_, folder = shell
    (folder / "heard.npy").write_bytes(_npy(np.sin(np.arange(2000) / 5)))
    steps = numen.load("moved").manifest.preprocess
    window = [{column.name: 1 for column in steps.columns}] * steps.steps
    for name, given, drawn in (
        ("shades", folder / "light.png", "#"), ("said", "it was great", "great"),
        ("mixed", "{}", "missing"), ("heard", folder / "heard.npy", "integrated-gradients"),
        ("moved", json.dumps(window), steps.columns[0].name),
    ):  # fmt: skip
        out = folder / f"{name}.png"
        assert drawn in numen_("explain", name, str(given), "--out", str(out)), name
        with Image.open(io.BytesIO(out.read_bytes())) as picture:
            shown = np.asarray(picture.convert("RGB")).astype(int)
        assert (shown.max(-1) - shown.min(-1)).max() > 60, name  # some of it is coloured


def test_another_label_and_another_method_can_be_asked_for(shell) -> None:
    numen_, folder = shell
    labels = numen.load("shades").manifest.postprocess.labels
    for label in labels:
        found = numen_.json("explain", "shades", str(folder / "light.png"), "--target", label)
        assert found["answer"].startswith(f"{label} (")
    found = numen_.json("explain", "shades", str(folder / "light.png"), "--method", "saliency")
    assert np.min(found["values"]) >= 0
    for wrong in (("--target", "none"), ("--method", "none")):
        picture = str(folder / "light.png")
        refused = numen_("explain", "shades", picture, *wrong, status=EXIT["invalid_input"])
        assert "expected one of" in refused


def test_it_is_a_picture_in_hand(shell) -> None:
    _, folder = shell
    why = numen.load("shades").explain(folder / "light.png")
    assert len(why) == 1
    assert why.plot().size[0] > 300
    assert why._repr_png_()[:4] == b"\x89PNG"
    with pytest.raises(InvalidInput, match="cannot write"):
        why.save(folder / "none" / "why.png")


def test_what_nothing_explains_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    version = Registry.of(Settings(home=str(tmp_path / "home"))).publish(
        "plain", make_bundle(tmp_path)
    )
    with pytest.raises(NotFound, match="nothing explains"):
        numen.load(version.name).explain(np.zeros((28, 28)))


def _npy(values) -> bytes:
    target = io.BytesIO()
    np.save(target, values.astype(np.float32))
    return target.getvalue()
