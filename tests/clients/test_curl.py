"""Requests as the tools' own documents write them, sent by curl."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from parts import Live

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def curl(*arguments: str) -> Any:
    """Runs curl and returns the answer's JSON."""
    command = ["curl", "--silent", "--show-error", "--max-time", "20", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def rows() -> list[Any]:
    return (np.random.default_rng(1).random((2, 28, 28)) * 255).tolist()


def test_tensorflow_servings_example(live: Live) -> None:
    # https://www.tensorflow.org/tfx/serving/api_rest: no content type, so curl says it is a form.
    answer = curl("-d", json.dumps({"instances": rows()}), "-X", "POST",
                  f"{live.url}/v1/models/linear:predict")  # fmt: skip
    assert np.shape(answer["predictions"]) == (2, 10)
    answer = curl("-d", json.dumps({"inputs": rows()}), "-X", "POST",
                  f"{live.url}/v1/models/linear/versions/1:predict")  # fmt: skip
    assert np.shape(answer["outputs"]) == (2, 10)
    status = curl(f"{live.url}/v1/models/linear")
    assert status["model_version_status"][0]["state"] == "AVAILABLE"
    meta = curl(f"{live.url}/v1/models/linear/metadata")
    assert "signature_def" in meta["metadata"]


@pytest.mark.parametrize("more", [[], ["--http2"], ["--http1.0"], ["-H", "Expect: 100-continue"],
                                  ["-H", "Transfer-Encoding: chunked"]])  # fmt: skip
@pytest.mark.parametrize("kind", ["form", "json"])
def test_the_open_inference_protocols_example(
    live: Live, tmp_path: Path, more: list[str], kind: str
) -> None:
    body = tmp_path / "body.json"
    tensor = {"name": "image", "shape": [2, 28, 28], "datatype": "FP32", "data": rows()}
    body.write_text(json.dumps({"inputs": [tensor]}))
    said = ["-H", "Content-Type: application/json"] if kind == "json" else []
    url = f"{live.url}/v2/models/linear/infer"
    answer = curl(*more, *said, "--data", f"@{body}", url)
    assert answer["outputs"][0]["shape"] == [2, 10]


def test_a_foreign_type_is_refused(live: Live) -> None:
    for path in ("/v2/models/linear/infer", "/v1/models/linear:predict", "/predict/linear"):
        answer = curl("-H", "Content-Type: text/xml", "-d", "{}", f"{live.url}{path}")
        assert answer["code"] == "unsupported_media"


def test_a_picture(live: Live, tmp_path: Path) -> None:
    picture = tmp_path / "seven.png"
    Image.fromarray(np.array(rows()[0], np.uint8)).save(picture)
    answer = curl("-H", "Content-Type: image/png", "--data-binary", f"@{picture}",
                  f"{live.url}/predict/linear")  # fmt: skip
    assert answer["label"] in "0123456789"
    assert answer["label"] == curl("-d", json.dumps(np.asarray(Image.open(picture)).tolist()),
                                   f"{live.url}/predict/linear")["label"]  # fmt: skip
