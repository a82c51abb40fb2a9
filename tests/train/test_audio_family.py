"""The family audio-cnn: it learns tones, its export agrees, and it refuses what is no sound."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile
from quiet import Quiet

from numen.core.errors import InvalidInput, TooLarge
from numen.core.manifest import AudioInput, ColumnsInput, ImageInput
from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.find import usual_family
from numen.train.keras.trainer import KerasTrainer
from numen.train.recipe import make

SMALL = {"filters": 4, "units": 8, "bands": 16}


@pytest.fixture(scope="module")
def tones(tmp_path_factory) -> Dataset:
    folder: Path = tmp_path_factory.mktemp("sounds") / "tones"
    random = np.random.default_rng(0)
    for name, hertz in (("high", 1_500), ("low", 400)):
        (folder / name).mkdir(parents=True)
        for number in range(24):
            at = np.arange(2_000) / 8_000
            tone = np.sin(2 * np.pi * hertz * random.uniform(0.9, 1.1) * at) * random.uniform(
                0.1, 0.9
            )
            noise = 0.01 * random.standard_normal(len(at))
            soundfile.write(folder / name / f"{number}.wav", tone + noise, 8_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder.parent / "home"))
        return Dataset.open(folder)


def fit(data, folder, **table):
    table = {"family": "audio-cnn", "epochs": 12, "batch_size": 8, "params": SMALL, **table}
    return KerasTrainer().fit(data, make(table), Run(folder, Quiet()))


def test_it_learns_and_its_export_agrees(tones, tmp_path) -> None:
    trained = fit(tones, tmp_path)
    test = tones.test.arrays()
    x = test.inputs["audio"]
    expected = trained.predict({"audio": x})["probabilities"]
    assert (expected.argmax(axis=1) == test.target).mean() > 0.85
    trained.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    assert session.get_inputs()[0].shape[1:] == [2_000]
    (received,) = session.run(["probabilities"], {"audio": x})
    np.testing.assert_allclose(received, expected, atol=1e-4)
    (silence,) = session.run(None, {"audio": np.zeros((1, 2_000), np.float32)})
    assert np.isfinite(silence).all()


class Beyond:
    """Rows that are too many to hold at once."""

    def __init__(self, rows):
        self.rows = rows

    def __getattr__(self, name):
        return getattr(self.rows, name)

    def __len__(self):
        return len(self.rows)

    def arrays(self, limit=0):
        raise TooLarge("too many rows")


def test_rows_beyond_memory_are_varied_and_read_in_batches(tones, tmp_path) -> None:
    splits = {**tones.splits, "train": Beyond(tones.train)}
    trained = fit(dataclasses.replace(tones, splits=splits), tmp_path)
    test = tones.test.arrays()
    losses = [epoch["loss"] for epoch in trained.history]
    assert losses[-1] < losses[0] / 1.3
    assert np.isfinite(trained.predict(dict(test.inputs))["probabilities"]).all()


def test_what_is_no_sound_is_refused(tmp_path) -> None:
    (tmp_path / "t.csv").write_text("a,b,label\n" + "1,2,x\n3,4,y\n" * 10)
    with pytest.raises(InvalidInput, match='family "audio-cnn": expected sounds'):
        fit(Dataset.open(tmp_path / "t.csv"), tmp_path)


def test_each_kind_of_data_has_a_usual_family() -> None:
    assert usual_family(ImageInput("image", 8, 8)) == "cnn"
    assert usual_family(ColumnsInput("row", ())) == "boosting"
    assert usual_family(AudioInput("audio", 8_000, 800)) == "audio-cnn"
