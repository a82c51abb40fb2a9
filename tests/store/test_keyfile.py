"""Keys in a file: made, taken back, followed, and never repeated in an error."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from numen.core.errors import Conflict, InvalidInput, NotFound
from numen.core.key import digest
from numen.core.settings import Settings
from numen.registry import Registry
from numen.store.keyfile import KeyFile
from numen.store.keys import follow


def test_a_key_is_a_line_and_its_secret_is_nowhere(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys")
    assert keys.all() == []
    game, secret = keys.create("game", models=["digits"], actions=["predict"], expires="30d")
    ops, _ = keys.create("ops", max_concurrency=4)
    text = (tmp_path / "keys").read_text()
    assert keys.all() == [game, ops]
    assert secret not in text
    assert json.loads(text.splitlines()[0])["sha256"] == digest(secret.encode()).hex()
    taken = keys.revoke(game.id)
    assert taken.revoked is not None
    assert keys.revoke(game.id) == taken
    assert keys.all() == [taken, ops]
    with pytest.raises(NotFound, match="numen keys ls --file"):
        keys.revoke("nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_the_settings_put_a_file_in_the_catalogs_place(settings: Settings, tmp_path: Path) -> None:
    key, _ = KeyFile(tmp_path / "keys").create("game")
    there = Registry.of(Settings(home=settings.home, keys_file=str(tmp_path / "keys")))
    assert there.keys.all() == [key]
    assert Registry.of(settings).keys.all() == []


@pytest.mark.parametrize(
    "line",
    ["nm_abcdefghijklmnopqrstuvwxyz", "{}", '{"id":"a","name":"b","sha256":"nm_abcdefghijklmnopqrstu",'
     '"models":[],"actions":[]}', '{"secret":"nm_abcdefghijklmnopqrstuvwxyz"}'],
)  # fmt: skip
def test_what_is_no_key_is_named_by_its_line_and_not_repeated(tmp_path: Path, line: str) -> None:
    keys = KeyFile(tmp_path / "keys")
    keys.create("good")
    before = (tmp_path / "keys").read_text()
    (tmp_path / "keys").write_text(f"{before}\n{line}\n")
    for act in (keys.all, lambda: keys.create("other")):
        with pytest.raises(InvalidInput, match="line 3: expected a key as JSON") as caught:
            act()
        assert "nm_" not in str(caught.value)
    assert (tmp_path / "keys").read_text() == f"{before}\n{line}\n"


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="cannot be written"):
        KeyFile(tmp_path / "absent" / "keys").create("game")


async def _until(found: list[list[str]], wanted: list[str]) -> None:
    while not found or found[-1] != wanted:
        await asyncio.sleep(0.005)


def test_a_file_is_followed_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys"

    async def scene() -> list[list[str]]:
        seen: list[list[str]] = []
        keys = KeyFile(path)
        task = asyncio.create_task(
            follow(keys, lambda found: seen.append([key.name for key in found]), 0.005)
        )
        await _until(seen, [])
        keys.create("game")
        await _until(seen, ["game"])
        good = path.read_bytes()
        path.write_bytes(b"nonsense")
        await asyncio.sleep(0.05)
        path.with_name("next").write_bytes(good * 2)
        path.with_name("next").replace(path)
        await _until(seen, ["game", "game"])
        task.cancel()
        return seen

    assert asyncio.run(asyncio.wait_for(scene(), 30)) == [[], ["game"], ["game", "game"]]
