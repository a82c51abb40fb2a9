"""What every deploy target must be and do; run it on your own: register it and it is here."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from numen.api.deploy import target, targets
from numen.core import plugins
from numen.core.errors import InvalidInput
from numen.core.given import choices
from numen.core.reference import Reference
from numen.core.settings import Settings
from numen.deploy.base import Shipped
from numen.registry import Registry
from parts import make_bundle

# The command's own flags.
TAKEN = {"models", "out", "apply", "json", "json_", "help"}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Shipped]]:
    """Two models, one of them with two versions and an alias."""
    home = tmp_path_factory.mktemp("targets")
    registry = Registry.of(Settings(home=str(home)))
    for seed, name in ((0, "linear"), (1, "linear"), (2, "other")):
        registry.publish(name, make_bundle(home / "make", seed))
    models = []
    for text in ("linear@champion", "linear@2", "other"):
        version = registry.resolve(text)
        aliases = tuple(
            a for a, n in registry.model(version.name).aliases.items() if n == version.version
        )
        reference = Reference.parse(text)
        models.append(Shipped(reference, version, registry.open(version), aliases))
    yield models
    registry.catalog.close()


@pytest.fixture(params=targets())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def kind(name: str) -> Any:
    return plugins.load("numen.targets", name)


def test_its_options_are_plain_described_and_have_defaults(name: str) -> None:
    made = kind(name)
    fields = msgspec.structs.fields(made.options)
    assert isinstance(made.applies, bool)
    assert inspect.cleandoc(made.__doc__ or "").partition("\n")[0].endswith(".")
    for field in fields:
        assert field.name not in TAKEN
        assert field.default is not msgspec.NODEFAULT, field.name
        said = [meta.description for meta in getattr(field.type, "__metadata__", ())]
        assert any(said), f"{field.name} is not described"
    assert made.options() == msgspec.convert({}, made.options)
    assert msgspec.json.decode(msgspec.json.encode(made.options()), type=made.options)


def test_a_command_line_can_say_every_default(name: str) -> None:
    made = kind(name)
    said = {
        field.name: str(field.default)
        for field in msgspec.structs.fields(made.options)
        if field.default not in ("", None)
    }
    assert isinstance(target(name, said), made)


def test_it_refuses_what_is_no_option(name: str) -> None:
    with pytest.raises(InvalidInput, match=rf'{name}: "no_such_thing" is no option'):
        target(name, {"no_such_thing": 1})
    for field in msgspec.structs.fields(kind(name).options):
        if choices(field.type):
            with pytest.raises(InvalidInput, match=f"{field.name}: expected one of"):
                target(name, {field.name: "nonsense"})


def test_rendering_is_pure(
    name: str, shipped: list[Shipped], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = target(name, {}).render(shipped)
    again = target(name, {}).render(shipped)
    assert first == again
    assert [*tmp_path.iterdir()] == []
    for path, content in first.items():
        parts = Path(path).parts
        assert parts, "a file has a name"
        assert not Path(path).is_absolute()
        assert ".." not in parts
        assert isinstance(content, bytes) or content.exists()


def test_what_it_renders_names_the_models(name: str, shipped: list[Shipped]) -> None:
    text = b"".join(c for c in target(name, {}).render(shipped).values() if isinstance(c, bytes))
    for model in shipped:
        assert model.version.name.encode() in text
