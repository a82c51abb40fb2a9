"""Plug-ins come in by entry points, outsiders' as numen's own; each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from numen.core import plugins
from numen.core.errors import InvalidInput

PROBE = """
import json, sys
from numen.core import plugins
from numen.core.errors import NumenError
group, name = sys.argv[1:]
before = set(sys.modules)
known = plugins.names(group)
early = sorted(m for m in set(sys.modules) - before if m.startswith("outside"))
try:
    loaded = plugins.load(group, name)
    said = {"loaded": loaded.__name__}
except NumenError as error:
    said = error.as_dict()
except ModuleNotFoundError as error:
    said = {"raw": error.name}
print(json.dumps({"known": known, "early": early, **said}))
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder on the path that holds another distribution's plug-ins."""
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    points = (
        "good = outside_good:Good\nneedy = outside_needy:Needy\n"
        "broken = outside_broken:Broken\nodd.name = outside_good:Good\n"
    )
    (info / "entry_points.txt").write_text(
        f"[numen.runtimes]\n{points}[numen.trainers]\nneedy = outside_needy:Needy\n"
    )
    (tmp_path / "outside_good.py").write_text("class Good: ...\n")
    (tmp_path / "outside_needy.py").write_text("import nobody_has_this.inside\nclass Needy: ...\n")
    (tmp_path / "outside_broken.py").write_text("import numen.no_such_room\n")
    return tmp_path


def probe(folder: Path, group: str, name: str) -> dict[str, object]:
    run = subprocess.run(
        [sys.executable, "-c", PROBE, group, name],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        check=True,
    )
    found: dict[str, object] = json.loads(run.stdout)
    assert found.pop("early") == []
    return found


def test_an_outsiders_plugin_is_found_and_loaded_only_when_asked_for(outside: Path) -> None:
    said = probe(outside, "numen.runtimes", "good")
    assert said == {
        "known": ["broken", "good", "lookup", "needy", "odd.name", "onnx", "perturb", "trees"],
        "loaded": "Good",
    }
    assert probe(outside, "numen.runtimes", "odd.name")["loaded"] == "Good"


@pytest.mark.parametrize(
    ("group", "extra"), [("numen.runtimes", "needy"), ("numen.trainers", "train")]
)
def test_a_plugin_whose_package_is_absent_says_what_to_install(
    outside: Path, group: str, extra: str
) -> None:
    said = probe(outside, group, "needy")
    assert said["code"] == "missing_extra"
    assert said["hint"] == f'pip install "numen[{extra}]"'
    assert '"needy" (nobody_has_this)' in str(said["error"])


def test_a_defect_of_numens_own_is_not_taken_for_a_missing_extra(outside: Path) -> None:
    assert probe(outside, "numen.runtimes", "broken")["raw"] == "numen.no_such_room"


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"runtimes: expected one of .*'onnx'.*received \"ox\""):
        plugins.load("numen.runtimes", "ox")
    with pytest.raises(InvalidInput, match=r"expected one of \[\]"):
        plugins.load("numen.nothing", "x")


def test_extras_that_errors_name_can_be_installed() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    named = set(plugins._EXTRA_OF_GROUP.values())
    for path in (Path(__file__).parents[2] / "src" / "numen").rglob("*.py"):
        named |= set(re.findall(r'MissingExtra\.of\([^)]*"(\w+)"\)', path.read_text("utf-8")))
    assert named <= set(project["project"]["optional-dependencies"])
