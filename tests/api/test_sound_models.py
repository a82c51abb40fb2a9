"""From a folder of recordings to a model that is served, with nothing said."""

from __future__ import annotations

import io
import json
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import numen
from numen.cli.app import app
from numen.core.errors import InvalidInput, UnsupportedMedia
from numen.core.manifest import AudioInput
from parts import start_server, stop

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
SMALL = {"filters": 4, "units": 8, "bands": 16}


def tone(hertz: float, rate: int = 8_000, seconds: float = 0.25) -> np.ndarray:
    at = np.arange(round(rate * seconds)) / rate
    noise = np.random.default_rng(1).standard_normal(len(at))
    return 0.4 * np.sin(2 * np.pi * hertz * at) + 0.01 * noise


def wav(samples: np.ndarray, rate: int = 8_000, form: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form)
    return file.getvalue()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("sounds")
    random = np.random.default_rng(0)
    for name, hertz in (("high", 1_500), ("low", 400)):
        (folder / "tones" / name).mkdir(parents=True)
        for number in range(20):
            samples = tone(hertz * random.uniform(0.9, 1.1))
            soundfile.write(folder / "tones" / name / f"{number}.wav", samples, 8_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        model = numen.train(folder / "tones", name="tones", epochs=15, batch_size=8, params=SMALL)
        yield folder, model


@pytest.fixture(autouse=True)
def at_home(home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(home[0] / "home"))


def test_the_data_chooses_the_family(home) -> None:
    _, model = home
    assert model.manifest.family == "audio-cnn"
    assert model.manifest.recipe["family"] == "audio-cnn"
    assert model.manifest.preprocess == AudioInput("audio", 8_000, 2_000)
    assert model.manifest.parity < 1e-4
    assert model.manifest.batched
    assert model.metrics["accuracy"] > 0.85


def test_files_bytes_and_samples_are_predicted_alike(home, tmp_path: Path) -> None:
    _, model = home
    soundfile.write(tmp_path / "a.wav", tone(400), 8_000)
    by_path = model.predict(str(tmp_path / "a.wav"))
    np.testing.assert_array_equal(by_path, model.predict((tmp_path / "a.wav").read_bytes()))
    np.testing.assert_allclose(by_path, model.predict(tone(400)), atol=1e-2)
    stereo = wav(np.stack([tone(400, 44_100)] * 2, axis=1), 44_100)
    assert model.classify(stereo)[0]["label"] == "low"
    with pytest.raises(UnsupportedMedia, match="received FLAC"):
        model.predict(wav(tone(400), form="FLAC"))
    with pytest.raises(InvalidInput, match="cannot read"):
        model.predict(tmp_path / "none.wav")


def test_the_command_line(home, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1_500), 8_000)
    run = CliRunner().invoke(app, ["predict", "tones", str(tmp_path / "a.wav"), "--json"])
    assert run.exit_code == 0, run.output
    assert '"label": "high"' in run.output
    added = CliRunner().invoke(app, ["data", "add", "set", str(home[0] / "tones")])
    assert "sound of 0.25 s at 8,000 Hz" in added.output
    assert "loudness" in added.output
    shown = CliRunner().invoke(app, ["data", "sample", "set", "--rows", "2"])
    assert (shown.exit_code, "high" in shown.output) == (0, True)


@pytest.mark.slow
def test_it_is_served(home) -> None:
    folder, _ = home
    url, process = start_server(folder / "home", "tones")
    try:
        for body, label in ((wav(tone(400)), "low"), (wav(tone(1_500, 22_050), 22_050), "high")):
            for kind in ("audio/wav", "audio/x-wav"):
                said = httpx.post(
                    f"{url}/predict/tones", content=body, headers={"content-type": kind}
                )
                assert (said.status_code, said.json()["label"]) == (200, label), said.text
        with numen.Client(url) as client:
            assert client.predict("tones", wav(tone(400))).label == "low"
        flac = wav(tone(400), form="FLAC")
        said = httpx.post(
            f"{url}/predict/tones", content=flac, headers={"content-type": "audio/wav"}
        )
        assert (said.status_code, said.json()["code"]) == (415, "unsupported_media")
        said = httpx.post(
            f"{url}/predict/tones", content=flac, headers={"content-type": "audio/flac"}
        )
        assert said.status_code == 415
        said = httpx.post(
            f"{url}/predict/tones", content=b"x", headers={"content-type": "audio/wav"}
        )
        assert (said.status_code, said.json()["code"]) == (400, "invalid_input")
        query = 'mutation($f: Upload!) { predict(model: "tones", upload: $f) { label } }'
        said = httpx.post(
            f"{url}/graphql",
            data={
                "operations": json.dumps({"query": query, "variables": {"f": None}}),
                "map": json.dumps({"0": ["variables.f"]}),
            },
            files={"0": ("a.wav", wav(tone(1_500)), "audio/wav")},
            headers={"x-requested-with": "test"},
        )
        assert said.json()["data"]["predict"]["label"] == "high", said.text
    finally:
        stop(process)
