"""The committed game is what its sources build to; if not, `npm run build` in its folder."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from console.test_fresh import digests
from numen.play import GAMES, PAGES

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "examples" / "digit-duel"
BUILT = PAGES / "digit-duel"


def test_built_from_these_sources() -> None:
    record = json.loads((BUILT / "build.json").read_text("utf-8"))
    listing = "".join(f"{digest}  {path}\n" for path, digest in digests(SOURCE).items())
    assert hashlib.sha256(listing.encode()).hexdigest() == record["source"], "the game is stale"
    assert digests(BUILT) == record["files"]


def test_every_game_has_its_page_and_model() -> None:
    assert {path.name for path in PAGES.iterdir()} == set(GAMES)
    assert f'"{GAMES["digit-duel"].model}"' in (SOURCE / "src/page/useDuel.ts").read_text("utf-8")


def test_it_names_no_other_host_and_uses_the_client_that_is_served() -> None:
    (script,) = (BUILT / "assets").glob("*.js")
    said = script.read_text("utf-8")
    assert len(said) < 75_000
    hosts = set(re.findall(r"https?://[\w.-]+", said))
    assert hosts <= {"http://www.w3.org"}, hosts  # what names SVG
    assert re.search(r'from ?["`\']\.\./\.\./\.\./client/numen\.js', said)
    assert "../../../client/local.js" in said
