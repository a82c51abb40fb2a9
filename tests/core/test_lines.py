"""Lines of JSON in a file: what a crash cuts costs that line alone."""

from __future__ import annotations

import threading
from pathlib import Path

from numen.core.lines import append, decode


def test_a_cut_line_is_ended_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lines.jsonl"
    append(path, {"a": 1})
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"b": ')
    assert [said for _, said in decode(path.read_bytes())] == [{"a": 1}]
    append(path, {"c": "x\ny"}, sync=True)
    text = path.read_bytes()
    assert list(decode(text)) == [(len(whole), {"a": 1}), (len(text), {"c": "x\ny"})]
    assert list(decode(b"[1]\n\xff\n{}\n")) == [(9, {})]


def test_many_write_at_once_and_no_line_is_mixed_with_another(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"

    def write(number: int) -> None:
        for i in range(50):
            append(path, {"number": number, "i": i, "text": "x" * 2000})

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [said for _, said in decode(path.read_bytes())]
    assert len(found) == 200
    for number in range(4):
        assert [said["i"] for said in found if said["number"] == number] == list(range(50))
