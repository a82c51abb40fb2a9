"""The registry: names for digests, that no crash and no crowd can leave half done."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from numen.core.bundle import Bundle
from numen.core.errors import Conflict, CorruptBundle, InvalidInput, NotFound
from numen.core.reference import Reference
from numen.core.settings import Settings
from numen.registry import Registry, bundle_folder
from parts import make_bundle
from stores import Bucket


@pytest.fixture
def settings(any_settings: Settings) -> Settings:
    return any_settings


@pytest.fixture
def bundles(tmp_path: Path) -> list[Bundle]:
    return [make_bundle(tmp_path / "make", seed) for seed in range(3)]


@pytest.fixture
def filled(registry: Registry, bundles: list[Bundle]) -> Registry:
    for bundle in bundles:
        registry.publish("m", bundle)
    return registry


def test_a_published_bundle_is_a_copy(registry: Registry, bundle: Bundle) -> None:
    version = registry.publish("m", bundle)
    assert (version.name, version.version, version.digest) == ("m", 1, bundle.digest)
    assert version.size == sum(file.size for file in bundle.manifest.files)
    opened = registry.open(version)
    assert opened.manifest == bundle.manifest
    assert opened.path != bundle.path
    (bundle.path / "predict.onnx").write_bytes(b"spoilt")
    assert registry.open(version).digest == bundle.digest


def test_the_same_bundle_is_published_once(registry: Registry, bundle: Bundle) -> None:
    assert registry.publish("m", bundle) == registry.publish("m", bundle)
    assert registry.publish("other", bundle).digest == bundle.digest
    assert registry.names() == ["m", "other"]


@pytest.mark.parametrize("alias", [None, "shadow", "champion"])
def test_the_first_version_becomes_champion_anyway(
    registry: Registry, bundles: list[Bundle], alias: str | None
) -> None:
    registry.publish("m", bundles[0], alias)
    registry.publish("m", bundles[1])
    expected = {"champion": 1} | ({alias: 1} if alias else {})
    assert registry.model("m").aliases == expected
    assert registry.resolve("m").version == 1


def test_a_broken_bundle_is_not_published(registry: Registry, bundle: Bundle) -> None:
    (bundle.path / "predict.onnx").write_bytes(b"spoilt")
    with pytest.raises(CorruptBundle):
        registry.publish("m", bundle)
    assert registry.names() == []


@pytest.mark.parametrize(("name", "alias"), [("M", None), ("a/b", None), ("m", "3"), ("m", "A")])
def test_a_bad_name_is_refused_before_anything_is_stored(
    registry: Registry, bundle: Bundle, name: str, alias: str | None
) -> None:
    with pytest.raises(InvalidInput):
        registry.publish(name, bundle, alias)
    assert registry.names() == []
    assert not registry.blobs.has("bundles", bundle.digest)


def test_references_stand_for_versions(filled: Registry) -> None:
    filled.promote("m@2", "shadow")
    wanted = {"m": 1, "m@champion": 1, "m@shadow": 2, "m@3": 3, "m@03": 3}
    assert {text: filled.resolve(text).version for text in wanted} == wanted
    assert filled.resolve(Reference("m", alias="shadow")).version == 2
    for text in ("m@4", "m@0", "m@none"):
        with pytest.raises(NotFound, match=rf"model {text} is not published; m has 1, 2, 3, champ"):
            filled.resolve(text)
    with pytest.raises(NotFound, match='model "none" is not published'):
        filled.resolve("none")


def test_promote_and_roll_back(filled: Registry) -> None:
    assert filled.promote("m@2", "champion").version == 2
    assert filled.promote("m@3", "champion").version == 3
    assert filled.promote("m@champion", "shadow").version == 3
    assert filled.rollback("m").version == 2
    assert filled.rollback("m").version == 1
    with pytest.raises(Conflict, match="no earlier version"):
        filled.rollback("m")
    for text, alias in (("m@9", "champion"), ("none", "champion")):
        with pytest.raises(NotFound):
            filled.promote(text, alias)
    with pytest.raises(InvalidInput):
        filled.promote("m@1", "Champion")


def test_bytes_go_with_the_last_version_that_is_them(filled: Registry) -> None:
    version = filled.resolve("m@2")
    filled.publish("other", filled.open(version))
    filled.remove("m@2")
    assert filled.open(filled.resolve("other")).digest == version.digest
    filled.promote("m@3", "champion")
    first = filled.remove("m@1")
    assert not filled.blobs.has("bundles", first.digest)
    with pytest.raises(NotFound):
        filled.open(first)
    with pytest.raises(Conflict, match="m@3 is champion"):
        filled.remove("m@3")
    assert filled.open(filled.resolve("m@3")).digest


def test_a_difference_is_named_by_its_path(filled: Registry) -> None:
    found = filled.diff("m@1", "m@2")
    assert found["family"] == ("linear-0", "linear-1")
    assert set(found) == {
        "family", "files.predict.onnx.sha256", "files.golden.npz.sha256",
    }  # fmt: skip
    assert filled.diff("m@1", "m@1") == {}


def spoil(path: Path) -> bytes:
    data = path.read_bytes()[:-1] + b"\0"
    path.write_bytes(data)
    return data


def test_bytes_that_were_altered_are_not_opened(
    filled: Registry, settings: Settings, request: pytest.FixtureRequest
) -> None:
    version = filled.resolve("m@1")
    graph = filled.open(version).file("predict.onnx")
    data = spoil(graph)
    if settings.blobs:  # it was a copy: another is fetched, until the store's own is spoilt
        assert filled.open(version).golden().inputs
        (graph.parent / "manifest.json").unlink()
        assert filled.open(version).golden().inputs
        bucket: Bucket = request.getfixturevalue("bucket")
        key = f"{settings.blobs}/bundles/{graph.parent.name}/predict.onnx".split("/", 3)[3]
        bucket.client().put_object(Bucket=Bucket.NAME, Key=key, Body=data)
        assert filled.open(version).golden().inputs, "the copy is still good"
        spoil(graph)
    for _ in range(2):
        with pytest.raises(CorruptBundle):
            filled.open(version)
    assert not settings.blobs or not graph.exists(), "what is spoilt is not kept"


def test_what_an_alias_stands_for_is_always_there(settings: Settings, tmp_path: Path) -> None:
    made = [make_bundle(tmp_path / "make", seed) for seed in range(2)]
    writer, reader = Registry.of(settings), Registry.of(settings)
    writer.publish("m", made[0])
    missing: list[object] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            model = reader.model("m")
            if model.aliases["champion"] not in {v.version for v in model.versions}:
                missing.append(model)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(60):
        writer.publish("m", made[(number + 1) % 2], "champion")
    stop.set()
    thread.join()
    assert missing == []
    for registry in (writer, reader):
        registry.catalog.close()


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from numen.core.bundle import Bundle
from numen.core.settings import Settings
from numen.registry import Registry, bundle_folder
import numpy, msgspec
home, catalog, blobs, source = sys.argv[1:]
settings = Settings(home=home, catalog=catalog, blobs=blobs)
template = Bundle.open(Path(source))
kept = {f.path: template.path / f.path for f in template.manifest.files}
dice = random.Random(0)
def publish(seed, told):
    registry = Registry.of(settings)
    for number in range(1000):
        name = f"{seed}-{number}"
        manifest = msgspec.structs.replace(template.manifest, family=name)
        weights = numpy.random.default_rng(number).bytes(1 << 20)
        made = Bundle.write(bundle_folder(settings), manifest, {**kept, "weights.bin": weights})
        registry.publish("m", made, "champion" if number % 2 else None)
        os.write(told, b".")
took = 0.3
for seed in range(12):
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            publish(seed, told)
        finally:
            os._exit(1)
    os.close(told)
    for _ in range(dice.randrange(3)):  # so many are published, on a slow machine too
        begin = time.monotonic()
        assert os.read(heard, 1) == b"."
        took = time.monotonic() - begin
    time.sleep(dice.uniform(0, took))  # and it is killed anywhere in the next
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    os.close(heard)
"""


def test_a_publisher_killed_at_any_moment_leaves_the_old_state_or_the_new(
    settings: Settings, tmp_path: Path, bundle: Bundle
) -> None:
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            KILLED,
            settings.home,
            settings.catalog,
            settings.blobs,
            str(bundle.path),
        ],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    registry = Registry.of(settings)
    model = registry.model("m")
    assert len(model.versions) > 3
    assert [v.version for v in model.versions] == list(range(1, len(model.versions) + 1))
    for version in model.versions:
        opened = registry.open(version)
        assert opened.manifest.family
        assert opened.golden().inputs
    assert set(model.aliases.values()) <= {v.version for v in model.versions}
    # Some were killed halfway: work was begun that no version names.
    begun = list((settings.home_path / "work").iterdir())
    assert len(begun) > len(model.versions)
    added = registry.publish("m", bundle, "champion")
    assert added.version == len(model.versions) + 1
    assert registry.open(registry.resolve("m")).digest == bundle.digest
    registry.catalog.close()


def test_threads_that_publish_the_same_and_others_all_succeed(
    settings: Settings, bundles: list[Bundle]
) -> None:
    registry = Registry.of(settings)
    said: list[str] = []

    def publish(bundle: Bundle) -> None:
        said.append(registry.publish("m", bundle, "champion").digest)

    threads = [threading.Thread(target=publish, args=(b,)) for b in bundles * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == sorted(b.digest for b in bundles * 4)
    for version in registry.model("m").versions:
        assert registry.open(version).digest in said
    registry.catalog.close()


def test_a_bundles_folder_is_on_the_file_system_that_keeps_it(settings: Settings) -> None:
    one, two = bundle_folder(settings), bundle_folder(settings)
    assert one != two
    assert one.parent == settings.home_path / "work"


def test_the_registry_of_a_bucket(tmp_path: Path, bundle: Bundle) -> None:
    settings = Settings(home=str(tmp_path / "home"), blobs="memory://registry-of-a-bucket")
    registry = Registry.of(settings)
    version = registry.publish("m", bundle)
    opened = registry.open(version)
    assert opened.path.is_relative_to(settings.home_path / "cache")
    assert json.loads((opened.path / "manifest.json").read_bytes())["family"] == "linear-0"
    registry.catalog.close()
