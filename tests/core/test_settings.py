"""Settings: later wins, every value knows where it came from, and nothing is guessed."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from numen.core.errors import InvalidInput
from numen.core.settings import Settings, hide_passwords, load

FIELDS = [field.name for field in msgspec.structs.fields(Settings)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "numen.toml"
    path.write_text('home = "/from-file"\nport = 1\nmax_batch = 7\npoll = 1\n')
    return path


def test_later_wins_and_each_value_knows_its_origin(file: Path) -> None:
    environ = {"NUMEN_PORT": "2", "NUMEN_HOST": "0.0.0.0", "NUMEN_POLL": "0.5", "PATH": "/bin"}
    settings, origin = load({"port": 3, "log_level": None}, environ=environ, file=file)
    assert settings == Settings(home="/from-file", port=3, host="0.0.0.0", max_batch=7, poll=0.5)
    assert list(origin) == FIELDS
    assert {name: where for name, where in origin.items() if where != "default"} == {
        "home": str(file),
        "max_batch": str(file),
        "host": "NUMEN_HOST",
        "poll": "NUMEN_POLL",
        "port": "--port",
    }


def test_without_anything_all_is_default(tmp_path: Path) -> None:
    settings, origin = load(environ={}, file=tmp_path / "none.toml")
    assert settings == Settings()
    assert set(origin.values()) == {"default"}


def test_the_file_of_the_working_directory_is_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    assert load(environ={})[0].max_batch == 7


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"NUMEN_PORT": "many"}, r"\(from NUMEN_PORT\)"),
        ({"NUMEN_PORT": "65536"}, r"\(from NUMEN_PORT\)"),
        ({"NUMEN_PORT": "-1"}, r"\(from NUMEN_PORT\)"),
        ({"NUMEN_MAX_BATCH": "0"}, r">= 1.*\(from NUMEN_MAX_BATCH\)"),
        ({"NUMEN_MAX_QUEUE": "1.5"}, r"\(from NUMEN_MAX_QUEUE\)"),
        ({"NUMEN_POLL": "0"}, r"\(from NUMEN_POLL\)"),
        ({"NUMEN_POLL": "nan"}, r"\(from NUMEN_POLL\)"),
        ({"NUMEN_POLL": "inf"}, r"\(from NUMEN_POLL\)"),
        ({"NUMEN_LOG_FORMAT": "xml"}, r'"xml" \(from NUMEN_LOG_FORMAT\)'),
        ({"NUMEN_LOG_LEVEL": "INFO"}, r"\(from NUMEN_LOG_LEVEL\)"),
    ],
)
def test_a_bad_value_is_refused_with_its_origin(
    environ: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        load(environ=environ, file=tmp_path / "none.toml")
    assert f"NUMEN_{str(caught.value.field).upper()}" in environ


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 8000", 'settings: "prot" in .*numen.toml is unknown'),
        ("[server]\nport = 8000", '"server" in .* is unknown'),
        ("port = [1]", "from .*numen.toml"),
        ("port = ", "numen.toml"),
        ('host = "\\ud800"', "numen.toml"),
    ],
)
def test_a_bad_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "numen.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        load(environ={}, file=path)


def test_bytes_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "numen.toml"
    path.write_bytes(b'host = "\xff"')
    with pytest.raises(InvalidInput, match=r"numen\.toml"):
        load(environ={}, file=path)


def test_an_unknown_flag_is_refused_and_the_known_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r'"prot" in --prot is unknown') as caught:
        load({"prot": 1}, environ={}, file=tmp_path / "none.toml")
    assert "port" in str(caught.value.hint)


def test_places_follow_home() -> None:
    settings = Settings(home="/srv/numen")
    assert settings.catalog_url == "sqlite:////srv/numen/catalog.db"
    assert settings.blobs_url == "/srv/numen/blobs"
    elsewhere = Settings(catalog="postgresql://db/numen", blobs="s3://bucket/numen")
    assert elsewhere.catalog_url == "postgresql://db/numen"
    assert elsewhere.blobs_url == "s3://bucket/numen"
    assert Settings(home="~/x").home_path == Path.home() / "x"


def test_every_setting_is_documented() -> None:
    documented = re.findall(r"^ {8}(\w+): ", Settings.__doc__ or "", re.MULTILINE)
    assert documented == FIELDS
    page = Path(__file__).parents[2] / "docs" / "interfaces.md"
    section = page.read_text(encoding="utf-8").partition("\n## Settings\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(FIELDS)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:se@cr/et@h:1/x", "postgresql://u:***@h:1/x"),
        ("postgresql://u@h/x?password=s&sslmode=require", "postgresql://u@h/x?password=***&sslmode=require"),
        ("sftp://u:s@h/models", "sftp://u:***@h/models"),
        ("s3://bucket/prefix", "s3://bucket/prefix"),
        ("/data/a:b@c", "/data/a:b@c"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert hide_passwords(url) == shown
