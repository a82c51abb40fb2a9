"""What games need on top of a model, and the games that come with numen.

A game is a page as it was built (its source is in `examples/`) and the model that the page asks. A
server serves every page at `/play/NAME/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

PAGES: Final = Path(str(files("numen"))) / "play" / "pages"


@dataclass(frozen=True, slots=True)
class Game:
    """A game that comes with numen.

    Attributes:
        title: What it is called.
        model: The published model that its page asks.
        data: The data set that the model learns from, and what the page adds to.
        source: What that data set begins with.
        recipe: How the model is trained where there is none yet.
    """

    title: str
    model: str
    data: str
    source: str
    recipe: Mapping[str, Any]


GAMES: Final[Mapping[str, Game]] = {
    "digit-duel": Game(
        "Digit Duel",
        model="duel-digits",
        data="duel",
        source="sample:mnist",
        recipe={"family": "cnn", "epochs": 6, "batch_size": 128},
    ),
}
