"""Drift: what is counted, the distances against scipy's, and verdicts that chance does not give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from numen.core.errors import CorruptBundle, InvalidInput
from numen.core.manifest import AudioInput, ImageInput, TextInput
from numen.data import drifted
from numen.data.dataset import Dataset
from numen.data.drift import Change, Reference, compare, decode, encode, reference
from numen.data.features import _OF


def table(
    folder: Path,
    rows: int,
    seed: int,
    *,
    moved: float = 0.0,
    colours: str = "rgb",
    lost: float = 0.0,
) -> Dataset:
    random = np.random.default_rng(seed)
    lines = ["width,height,colour,kind"]
    for _ in range(rows):
        width = "" if random.random() < lost else f"{random.normal() + moved:.4f}"
        kind = random.choice(["big", "small"])
        lines.append(f"{width},{random.normal():.4f},{random.choice(list(colours))},{kind}")
    path = folder / f"t{rows}-{seed}-{moved}-{colours}-{lost}.csv"
    path.write_text("\n".join(lines) + "\n")
    return Dataset.open(path)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))


def changes(before: Dataset, after: Dataset) -> dict[str, Change]:
    then = reference(before)
    return {c.column: c for c in compare(then, reference(after, like=then)).changes}


def test_rows_of_one_source_are_stable(tmp_path: Path) -> None:
    alarms = 0
    for seed in range(10):
        then = reference(table(tmp_path, 500, seed))
        found = compare(then, reference(table(tmp_path, 300, seed + 100), like=then))
        assert {c.column for c in found.changes} == {"width", "height", "colour", "target: kind"}
        alarms += found.verdict != "stable"
    assert alarms <= 2  # in 40 columns at 1 % each


def test_a_number_that_moved_has_drifted_and_its_distance_is_scipys(tmp_path: Path) -> None:
    before, after = table(tmp_path, 1000, 0), table(tmp_path, 800, 1, moved=0.8)
    found = changes(before, after)
    width = found["width"]
    assert width.verdict == "drifted"
    assert "PSI" in width.why
    a, b = (np.sort(d.train.arrays().inputs["features"][:, 0]) for d in (before, after))
    exact = stats.ks_2samp(a, b)
    assert width.ks == pytest.approx(exact.statistic, abs=1 / 50)
    assert width.p < 1e-6
    assert found["height"].verdict == "stable"


def test_the_stability_index_is_the_textbooks(tmp_path: Path) -> None:
    before, after = table(tmp_path, 4000, 0), table(tmp_path, 4000, 1, moved=0.5)
    a, b = (d.train.arrays().inputs["features"][:, 0] for d in (before, after))
    edges = np.quantile(a, np.arange(1, 10) / 10)
    p, q = (np.bincount(np.searchsorted(edges, x), minlength=10) / len(x) for x in (a, b))
    psi = float(((q - p) * np.log(q / p)).sum())
    assert changes(before, after)["width"].psi == pytest.approx(psi, rel=0.02)


def test_the_tail_of_kolmogorovs_law(tmp_path: Path) -> None:
    before, after = table(tmp_path, 1000, 0), table(tmp_path, 1000, 1, moved=0.08)
    width = changes(before, after)["width"]
    n = len(before.train) * len(after.train) / (len(before.train) + len(after.train))
    assert width.p == pytest.approx(stats.kstwobign.sf(width.ks * n**0.5), abs=1e-9)
    assert 1e-4 < width.p < 0.9


def test_categories_that_shift_or_were_never_seen(tmp_path: Path) -> None:
    before = table(tmp_path, 1000, 0, colours="rrg")
    shifted = changes(before, table(tmp_path, 1000, 1, colours="rgggg"))["colour"]
    assert shifted.verdict == "drifted"
    assert shifted.shifted[0] in "rg"
    assert abs(shifted.shifted[1]) == pytest.approx(0.8 - 1 / 3, abs=0.05)
    unseen = changes(before, table(tmp_path, 1000, 1, colours="rrrrrrggggggx"))["colour"]
    assert unseen.unseen == pytest.approx(1 / 13, abs=0.03)
    assert unseen.verdict != "stable"


def test_values_that_went_missing(tmp_path: Path) -> None:
    found = changes(table(tmp_path, 1000, 0), table(tmp_path, 1000, 1, lost=0.3))["width"]
    assert found.missing == pytest.approx(0.3, abs=0.05)
    assert found.verdict == "drifted"
    assert "missing" in found.why
    few = changes(table(tmp_path, 1000, 0, lost=0.1), table(tmp_path, 1000, 1, lost=0.12))
    assert few["width"].verdict == "stable"


def test_outputs_are_counted_too(tmp_path: Path) -> None:
    data = table(tmp_path, 400, 0)
    random = np.random.default_rng(0)
    sure = random.uniform(0.5, 1, 400)
    output = np.stack([sure, 1 - sure], 1)
    then = reference(data, output=output)
    found = compare(then, reference(data, output=output[:, ::-1], like=then))
    assert found.changes[0].column == "said: label"
    assert found.verdict == "drifted"


def test_what_a_network_decides_by_is_counted_along_its_main_directions(tmp_path: Path) -> None:
    data = table(tmp_path, 500, 0)
    random = np.random.default_rng(0)
    spread = np.array([5, 3, 1, 0.5, 0.1, 0.1])
    turn = np.linalg.qr(random.normal(size=(6, 6)))[0]

    def rows() -> np.ndarray:
        return (random.normal(size=(500, 6)) * spread) @ turn.T + 7

    then = reference(data, embeddings=rows())
    assert abs(np.array(then.directions.axes[0]) @ turn[:, 0]) > 0.99
    assert compare(then, reference(data, embeddings=rows(), like=then)).verdict == "stable"
    moved = reference(data, embeddings=rows() + 5 * turn[:, 1], like=then)
    found = compare(then, moved)
    assert [c.column for c in found.changes if c.verdict == "drifted"] == ["seen: direction 2"]
    with pytest.raises(InvalidInput, match=r"\[rows, 6\]"):
        reference(data, embeddings=np.zeros((3, 5)), like=then)
    assert decode(encode(then)) == then


def test_what_travels_is_plain_data(tmp_path: Path) -> None:
    made = reference(table(tmp_path, 200, 0))
    assert decode(encode(made)) == made
    assert encode(made) == encode(reference(table(tmp_path, 200, 0)))
    with pytest.raises(CorruptBundle, match="reference"):
        decode(b'{"columns": 3}')
    for whole, broken in ((b'"rows":160', b'"rows":-1'), (b'"edges":[', b'"edges":[1e9,')):
        assert whole in encode(made)
        with pytest.raises(CorruptBundle, match="no counts"):
            decode(encode(made).replace(whole, broken, 1))
    with pytest.raises(InvalidInput, match="same columns"):
        compare(made, Reference(()))
    with pytest.raises(InvalidInput, match="same bins"):
        compare(made, reference(table(tmp_path, 200, 1)))
    with pytest.raises(InvalidInput, match=r"train, test.*elsewhere"):
        reference(table(tmp_path, 200, 0), "elsewhere")


def test_simple_features_of_pictures_sounds_and_texts() -> None:
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    pixels[1, :, ::2] = 255
    how = ImageInput("image", 8, 8, 3, "hwc")
    found = dict(_OF[ImageInput](pixels, how))
    assert found["brightness"].tolist() == pytest.approx([0, 0.5])
    assert found["sharpness"][1] > found["sharpness"][0] == 0
    assert found["red"].tolist() == pytest.approx([0, 0.5])
    time = np.arange(8000) / 8000
    sounds = np.stack([np.sin(2 * np.pi * 440 * time), np.zeros(8000)]).astype(np.float32)
    found = dict(_OF[AudioInput](sounds, AudioInput("sound", 8000, 8000)))
    assert found["centroid (Hz)"][0] == pytest.approx(440, rel=0.01)
    assert found["loudness (dB)"][0] == pytest.approx(-3.01, abs=0.01)
    assert found["silence"].tolist() == pytest.approx([0, 1], abs=0.02)
    texts = np.array([["Hello world"], [""], ["dé"]], object)
    found = dict(_OF[TextInput](texts, TextInput("text")))
    assert found["words"].tolist() == [2, 0, 1]
    assert found["not ASCII"].tolist() == [0, 0, 0.5]
    assert np.isnan(found["letters a word"][1])


def test_a_picture_of_it(tmp_path: Path) -> None:
    import io

    from PIL import Image

    then = reference(table(tmp_path, 400, 0))
    now = reference(table(tmp_path, 400, 1, moved=1.0), like=then)
    made = drifted.draw(compare(then, now), then, now)
    image = Image.open(io.BytesIO(made))
    assert image.width > 800
    assert len(image.convert("L").getcolors(256)) > 20
    assert made == drifted.draw(compare(then, now), then, now)
