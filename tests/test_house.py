"""The house's own rules: what may be loaded, named and committed, and how large a file may grow."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

import numen

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "numen"
NOT_FOR_HELP = [
    "keras", "jax", "tensorflow", "torch", "sklearn", "lightgbm", "onnx", "onnxruntime", "datasets",
    "pandas", "matplotlib", "fastapi", "starlette", "uvicorn", "strawberry", "sqlalchemy",
]  # fmt: skip
FRAMEWORKS = [
    *NOT_FOR_HELP, "skl2onnx", "xgboost", "optuna", "pyarrow", "scipy", "PIL", "pydantic", "fsspec",
    "httpx", "simdjson",
]  # fmt: skip

LOADED = "; import sys, json; print('\\n' + json.dumps(sorted(sys.modules)))"
IMPORT = "import numen"
HELP = """
import contextlib, io, sys
sys.argv = ["numen", "--help"]
with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
    import numen.cli
    numen.cli.main()
assert "serve" in said.getvalue()
pass"""


def loaded_by(code: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", code + LOADED], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in json.loads(run.stdout.splitlines()[-1])}


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [(IMPORT, FRAMEWORKS), (HELP, NOT_FOR_HELP)],
    ids=["import numen", "numen --help"],
)
def test_nothing_heavy_is_loaded_before_it_is_used(code: str, unwanted: list[str]) -> None:
    loaded = loaded_by(code)
    assert "numen" in loaded
    assert sorted(loaded & set(unwanted)) == []


def test_public_names_are_these() -> None:
    assert numen.__all__ == [
        "AsyncClient", "Client", "Dataset", "Model", "NumenError", "Signature", "TensorSpec",
        "__version__", "compress", "fit", "load", "models", "promote", "publish", "rollback",
        "train", "tune",
    ]  # fmt: skip
    assert dir(numen) == sorted(numen.__all__)
    for name in numen.__all__:
        assert getattr(numen, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        numen.nothing  # noqa: B018


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def test_a_file_that_grows_past_400_lines_holds_a_second_idea() -> None:
    long = {str(p.relative_to(ROOT)): len(p.read_text("utf-8").splitlines()) for p in modules()}
    assert {path: lines for path, lines in long.items() if lines > 400} == {}
    assert len(long) > 50


def test_every_module_says_what_it_is() -> None:
    mute = [
        str(p.relative_to(ROOT)) for p in modules() if not p.read_text("utf-8").startswith('"""')
    ]
    assert mute == []


@pytest.mark.parametrize("word", ["util", "helper", "manager", "factory", "common", "misc"])
def test_no_module_is_named_for_having_no_idea(word: str) -> None:
    found = [str(p.relative_to(ROOT)) for p in modules() if word in p.stem.lower()]
    found += [str(p.parent.relative_to(ROOT)) for p in modules() if word in p.parent.name.lower()]
    assert found == []


def committed() -> list[Path]:
    run = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / name for name in run.stdout.split("\0") if name and (ROOT / name).is_file()]


# Built of parts, so that this file does not hold what it looks for.
UNWANTED = {
    "a registry's host": "|".join(
        [r"pypi\." + "org", r"pythonhosted\." + "org", r"registry\." + "npmjs",
         r"registry\." + "yarnpkg", r"conda\.anaconda\." + "org", r"proxy\." + r"golang\.org"]
    ),
    "a path of one machine": "|".join(
        [r"(?<![\w.-])/" + r"work/", r"(?<![\w.-])/" + r"root/",
         r"(?<![\w.-])/" + r"home/(?!(user|you|numen|app|web_user)\b)\w", r"(?<![\w.-])/" + r"Users/\w"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", UNWANTED)
def test_no_committed_text_names(what: str) -> None:
    pattern = re.compile(UNWANTED[what])
    files = committed()
    assert len(files) > 100
    found = []
    for path in files:
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            if match := pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match.group()}")
    assert found == []


def test_nothing_under_the_gpl_is_needed_at_run_time() -> None:
    pinned = (ROOT / "requirements/train.txt").read_text()
    names = re.findall(r"^([a-z0-9][a-z0-9._-]*)==", pinned, re.MULTILINE)
    assert len(names) > 50
    for name in names:
        try:
            about = metadata(name)
        except PackageNotFoundError:  # for another platform
            continue
        said = [about.get("License-Expression") or "", *about.get_all("Classifier", [])]
        words = " ".join(text for text in said if "License" in text or text == said[0])
        assert not re.search(r"\bA?GPL|General Public License", words.replace("LGPL", "")), name
