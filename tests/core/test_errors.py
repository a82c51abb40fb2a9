"""The tree of errors: small, closed, and known to every door."""

from __future__ import annotations

import re

import pytest

from numen.cli import EXIT
from numen.core import errors
from numen.core.errors import (
    Forbidden,
    MissingExtra,
    NotFound,
    NotReady,
    NumenError,
    Overloaded,
    Unauthenticated,
)
from numen.transport.status import ERROR_SCHEMA, GRPC, STATUS, headers_of

KINDS = NumenError.__subclasses__()


def test_the_drawn_tree_is_the_code() -> None:
    drawn = re.findall(r"[├└]── (\w+) ", errors.__doc__ or "")
    assert drawn == [kind.__name__ for kind in KINDS if kind.__module__ == errors.__name__]
    assert all(not kind.__subclasses__() for kind in KINDS)


def test_codes_are_unique_and_follow_the_names() -> None:
    for kind in KINDS:
        assert kind.code == re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    assert len(errors.codes()) == len(KINDS)


@pytest.mark.parametrize(
    "table",
    [STATUS, GRPC, EXIT, dict.fromkeys(ERROR_SCHEMA["properties"]["code"]["enum"])],
    ids=["http", "grpc", "exit", "openapi"],
)
def test_every_door_knows_every_code_and_no_other(table: dict[str, object]) -> None:
    assert set(table) == errors.codes()


def test_statuses_tell_whose_fault_it_was() -> None:
    assert all(400 <= status < 600 for status in STATUS.values())
    assert all(0 < status < 256 for status in EXIT.values())
    assert {code for code, status in STATUS.items() if status >= 500} == {
        "missing_extra", "corrupt_bundle", "not_ready", "deadline_exceeded", "internal",
    }  # fmt: skip


def test_an_error_as_text_and_as_data() -> None:
    error = NotFound("model x is not published", hint="numen models ls", field="name")
    assert str(error) == "model x is not published; numen models ls"
    assert error.as_dict() == {
        "error": "model x is not published",
        "code": "not_found",
        "hint": "numen models ls",
        "field": "name",
    }
    assert NotFound("gone").as_dict() == {"error": "gone", "code": "not_found"}
    assert str(NotFound("gone")) == "gone"


def test_a_missing_extra_says_what_to_install() -> None:
    assert MissingExtra.of("training", "train").hint == 'pip install "numen[train]"'


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (Overloaded("x"), {"retry-after": "1"}),
        (Overloaded("x", retry_after=0.001), {"retry-after": "1"}),
        (Overloaded("x", retry_after=4.2), {"retry-after": "5"}),
        (Overloaded("x", retry_after=1e9), {"retry-after": "3600"}),
        (NotReady("x", retry_after=2), {"retry-after": "2"}),
        (Unauthenticated("x"), {"www-authenticate": "Bearer"}),
        (Forbidden("x"), {}),
        (NotFound("x", retry_after=2), {}),
    ],
)
def test_who_may_come_again_is_told_when(error: NumenError, headers: dict[str, str]) -> None:
    assert headers_of(error) == headers
    assert "retry_after" not in error.as_dict()
