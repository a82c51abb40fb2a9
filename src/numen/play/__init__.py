"""What games need on top of a model, and the pages of those that come with numen.

Each folder in `pages` is one game as it was built (its source is in `examples/`); a server serves
it at `/play/NAME/`.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

PAGES: Final = Path(str(files("numen"))) / "play" / "pages"
