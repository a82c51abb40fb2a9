"""`numen keys …` as a person types it, and a server that refuses to be open to all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.test_commands import Shell
from numen.cli import EXIT, complete, keys
from numen.core.key import ACTIONS, digest
from numen.core.settings import Settings
from numen.registry import Registry
from parts import make_bundle


@pytest.fixture
def numen(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


def test_made_listed_revoked(numen: Shell) -> None:
    assert "numen keys create" in numen("keys", "ls")
    made = numen.json(
        "keys", "create", "game", "--model", "digits", "--model", "iris", "--action", "predict",
        "--expires", "30d", "--max-concurrency", "8",
    )  # fmt: skip
    secret = made.pop("key")
    assert re.fullmatch(r"nm_[A-Za-z0-9_-]{43}", secret)
    assert (made["models"], made["actions"]) == (["digits", "iris"], ["predict"])
    assert made["max_concurrency"] == 8
    assert made["state"] == "valid"
    assert numen.json("keys", "ls") == [made]
    table = numen("keys", "ls")
    assert made["id"] in table
    assert "predict of digits, iris" in table
    assert secret[-4:] not in table
    revoked = numen.json("keys", "revoke", made["id"])
    assert revoked["state"] == "revoked"
    assert "revoked" in numen("keys", "ls")


def test_the_secret_is_said_once_on_a_line_of_its_own(numen: Shell) -> None:
    said = numen("keys", "create", "me").splitlines()
    (secret,) = [line for line in said if line.startswith("nm_")]
    registry = Registry.of(Settings(home=str(numen.home)))
    (key,) = registry.keys.all()
    registry.catalog.close()
    assert key.digest == digest(secret.encode())
    assert "manage" not in key.actions
    assert secret not in numen("keys", "ls") + str(numen.json("keys", "ls"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["create", "k", "--expires", "soon"], "invalid_input", "30d"),
        (["create", "k", "--action", "rule"], "invalid_input", "predict, explain, read, manage"),
        (["create", "k", "--model", "No Body"], "invalid_input", "model name"),
        (["create", "k", "--max-concurrency", "0"], "invalid_input", "max_concurrency"),
        (["create", "k", "--model", f"nm_{'A' * 43}"], "invalid_input", "nm_…"),
        (["create", f"nm_{'A' * 43}"], "invalid_input", "name"),
        (["revoke", "00000000"], "not_found", "numen keys ls"),
        (["revoke", f"nm_{'A' * 43}"], "invalid_input", "expected its id"),
    ],
)
def test_errors_say_what_to_do(numen: Shell, arguments: list[str], code: str, said: str) -> None:
    text = numen("keys", *arguments, status=EXIT[code])
    assert said in text
    assert "Traceback" not in text
    assert "AAAA" not in text


def test_the_tab_key_offers_ids_models_and_actions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    registry = Registry.of(Settings(home=str(tmp_path / "home")))
    registry.publish("linear", make_bundle(tmp_path / "make"))
    one, two = (registry.keys.create(name)[0].id for name in "ab")
    registry.keys.revoke(one)
    assert complete.key_ids("") == [two]
    assert complete.key_ids("x") == []
    assert complete.key_models("li") == ["linear"]
    assert keys.offer_actions("") == list(ACTIONS)
    registry.catalog.close()


@pytest.mark.parametrize("ended", [None, "revoked", "expired"])
def test_a_server_is_not_opened_to_others_by_default(numen: Shell, ended: str | None) -> None:
    if ended is not None:
        key = numen.json(
            "keys", "create", "k", *(["--expires", "1s"] if ended == "expired" else [])
        )
        if ended == "expired":
            time.sleep(1.1)
        if ended == "revoked":
            numen("keys", "revoke", key["id"])
    run = subprocess.run(
        [sys.executable, "-m", "numen", "serve", "--host", "0.0.0.0", "--port", "0"],
        env={**os.environ, "NUMEN_HOME": str(numen.home), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == EXIT["invalid_input"], run.stderr
    assert "Traceback" not in run.stderr
    assert "there is no key" in run.stderr
    assert "numen keys create NAME" in run.stderr
    assert "--insecure" in run.stderr
