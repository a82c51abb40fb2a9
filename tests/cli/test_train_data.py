"""`numen train DATA`: a file is all that has to be said."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.test_commands import Shell
from control.job_parts import write_table
from numen.cli.train import _named_after


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("reviews.jsonl", "reviews"),
        ("a/My Données (2).tar.gz", "my-donnees-2"),
        ("_", "model"),
        ("声.csv", "model"),
        ("x" * 80, "x" * 64),
    ],
)
def test_a_model_is_named_after_its_data(path: str, name: str) -> None:
    assert _named_after(Path(path)) == name


def test_a_file_is_all_that_has_to_be_said(tmp_path: Path) -> None:
    numen = Shell(tmp_path / "home")
    write_table(tmp_path / "Ups and downs.csv")
    said = numen("train", "Ups and downs.csv", "--set", "epochs=5")
    assert "published ups-and-downs@1" in said
    assert "numen serve ups-and-downs" in said
    assert "Nowhere is no file or folder" in numen("train", "Nowhere", status=2)
