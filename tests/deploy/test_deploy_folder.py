"""A rendering written down by somebody who is killed at any moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from numen.deploy.folder import write

KILLED = """
import json, os, random, signal, sys, time
from pathlib import Path
from numen.deploy.folder import write
folder = Path(sys.argv[1])
dice = random.Random(0)
def rendering(number):
    size = 200_000
    return {f"part-{number % 3}/{i}": b"%d" % number * size for i in range(5)} | {
        "number": b"%d" % number
    }
write(folder, rendering(0))
(folder / "notes").write_text("mine")
for turn in range(30):
    child = os.fork()
    if child == 0:
        try:
            for number in range(turn, 10_000):
                write(folder, rendering(number))
        finally:
            os._exit(1)
    time.sleep(dice.uniform(0.02, 0.1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    before = folder.with_name(".out.before")
    whole = folder if folder.is_dir() else before
    number = int((whole / "number").read_bytes())
    found = {str(p.relative_to(whole)): p.read_bytes() for p in whole.rglob("*") if p.is_file()}
    found.pop("notes", None)
    assert json.loads(found.pop(".numen-deploy.json")) == ["number", f"part-{number % 3}"]
    assert found == rendering(number), turn
    assert (folder / "notes").exists() or (before / "notes").exists()
    print(number)
"""


def test_who_is_killed_leaves_the_old_rendering_or_the_new(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert len(set(run.stdout.split())) > 10  # it was written again and again
    write(folder, {"number": b"last"})
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "number": "last", "notes": "mine", ".numen-deploy.json": '["number"]',
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
