"""The committed console is what its sources build to; if not, `npm run build` in console/."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "console"
BUILT = ROOT / "src" / "numen" / "console"
# What lies elsewhere and is part of the page.
SHARED = ("../clients/js/src/centre.ts", "../clients/js/src/picture.ts")
LEFT_OUT = {"node_modules", "__pycache__", "build.json"}


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by its path relative to it."""
    found = {}
    for here, folders, files in os.walk(folder):
        folders[:] = set(folders) - LEFT_OUT
        for path in (Path(here, name) for name in files if name not in LEFT_OUT):
            name = path.relative_to(folder).as_posix()
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return dict(sorted(found.items()))


def test_built_from_these_sources() -> None:
    record = json.loads((BUILT / "build.json").read_text("utf-8"))
    found = digests(SOURCE)
    found |= {path: hashlib.sha256((SOURCE / path).read_bytes()).hexdigest() for path in SHARED}
    listing = "".join(f"{digest}  {path}\n" for path, digest in found.items())
    assert hashlib.sha256(listing.encode()).hexdigest() == record["source"], "console is stale"


def test_output_is_as_built() -> None:
    record = json.loads((BUILT / "build.json").read_text("utf-8"))
    assert digests(BUILT) == record["files"]


def test_page_is_small_and_self_contained() -> None:
    scripts = list((BUILT / "assets").glob("*.js"))
    assert scripts
    assert sum(path.stat().st_size for path in scripts) < 85_000
    page = (BUILT / "index.html").read_text("utf-8")
    assert 'src="./assets/' in page
    assert "//" not in page.replace("http://www.w3.org/2000/svg", "")
