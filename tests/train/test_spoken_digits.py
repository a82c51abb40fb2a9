"""Digits spoken by somebody who was not trained on, where the recordings are at hand.

They are not numen's to give away: `NUMEN_SPOKEN_DIGITS` names the archive, or it lies in
`shared/data/` beside the checkout.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = [parent / "shared/data/fsdd.tar.gz" for parent in ROOT.parents]
ARCHIVE = next(
    (
        place
        for place in (Path(os.environ.get("NUMEN_SPOKEN_DIGITS", "")), *PLACES)
        if place.is_file()
    ),
    None,
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.speech,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(ARCHIVE is None, reason="no spoken digits beside the checkout"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def test_a_voice_that_was_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from spoken_digits import measure, recordings

    assert ARCHIVE is not None
    accuracy, _ = measure(recordings(ARCHIVE, tmp_path / "unpacked"), "lucas", epochs=6)
    assert accuracy > 0.85
    sys.modules.pop("spoken_digits")
