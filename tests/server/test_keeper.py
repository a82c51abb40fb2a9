"""The Keeper: what is opened at once, what waits for its first request, and what fails where."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa
from asking import X

from numen.core.bundle import Bundle
from numen.core.errors import Conflict, CorruptBundle, Internal, NotFound
from numen.core.message import Request
from numen.core.reference import Reference
from numen.core.settings import Settings
from numen.registry import Registry
from numen.serve.live import Cold, Endpoint
from numen.serve.service import Service
from numen.server import Keeper
from numen.server.orders import SharedDesk
from numen.store.catalog import ModelVersion
from parts import make_bundle


class Counted(Registry):
    """A registry that notes which versions were opened, and may fail to."""

    def __init__(self, registry: Registry):
        super().__init__(registry.catalog, registry.blobs)
        self.opened: list[str] = []
        self.failure: Exception | None = None

    def open(self, version: ModelVersion, *, verify: bool = True) -> Bundle:
        self.opened.append(f"{version.name}@{version.version}")
        if self.failure is not None:
            raise self.failure
        return super().open(version, verify=verify)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    folder = tmp_path_factory.mktemp("made")
    return [make_bundle(folder, seed) for seed in range(3)]


@pytest.fixture
def settings(any_settings: Settings) -> Settings:
    return any_settings


@pytest.fixture
def counted(settings: Settings) -> Iterator[Counted]:
    registry = Counted(Registry.of(settings))
    yield registry
    registry.catalog.close()


def run(scene: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(scene(), 30)

    asyncio.run(bounded())


def is_open(service: Service, name: str, version: str | None = None) -> bool:
    return isinstance(service.find(name, version), Endpoint)


async def ask(service: Service, name: str, version: str | None = None) -> str:
    answer = await service.predict(Request(name, {"image": X}, version))
    assert np.isfinite(answer.outputs["probabilities"]).all()
    return answer.version


def test_so_many_are_opened_at_the_start_defaults_first_and_the_rest_when_asked(
    counted: Counted, settings: Settings, made: list[Bundle]
) -> None:
    for name in ("a", "b", "c"):
        for bundle in made[:2]:
            counted.publish(name, bundle)
        counted.promote(f"{name}@2", "shadow")

    async def scene() -> None:
        service = Service()
        keeper = Keeper(service, counted, msgspec.structs.replace(settings, preload=4))
        await keeper.update()
        assert counted.opened == ["a@1", "b@1", "c@1", "a@2"]
        assert not is_open(service, "c", "shadow")
        assert await asyncio.gather(*(ask(service, "c", "shadow") for _ in range(5))) == ["2"] * 5
        assert is_open(service, "c", "2")
        assert counted.opened[4:] == ["c@2"], "it was opened once for all five"
        states = {(row["name"], row["version"]): row for row in await keeper.index()}
        assert {row["state"] for row in states.values()} == {"READY"}
        assert states["b", "2"]["reason"] == "opened by its first request"
        service.close()

    run(scene)


def test_a_new_version_of_an_open_model_is_open_before_it_is_asked_and_of_a_cold_one_stays_cold(
    counted: Counted, settings: Settings, made: list[Bundle]
) -> None:
    counted.publish("warm", made[0])
    counted.publish("zzz-cold", made[0])

    async def scene() -> None:
        service = Service()
        keeper = Keeper(service, counted, msgspec.structs.replace(settings, preload=1))
        await keeper.update()
        for name in ("warm", "zzz-cold"):
            counted.publish(name, made[1], "champion")
        counted.publish("newcomer", made[0])
        await keeper.update()
        assert is_open(service, "warm")
        assert service.find("warm").version == service.find("zzz-cold").version == "2"
        assert not is_open(service, "zzz-cold")
        assert not is_open(service, "newcomer"), "there is room for one only"
        # A version listed but not open becomes the default of an open model: it opens before.
        counted.publish("warm", made[2], "shadow")
        await keeper.update()
        service.rest(service.find("warm", "3"))  # type: ignore[arg-type]
        assert isinstance(service.find("warm", "3"), Cold)
        counted.promote("warm@3", "champion")
        await keeper.update()
        assert service.find("warm").version == "3"
        assert is_open(service, "warm")
        service.close()

    run(scene)


def test_a_cold_version_that_is_broken_says_so_and_is_not_opened_again_and_again(
    counted: Counted, settings: Settings, made: list[Bundle]
) -> None:
    counted.publish("m", made[0])
    counted.failure = CorruptBundle("its bytes are not what was written")

    async def scene() -> None:
        service = Service()
        keeper = Keeper(service, counted, msgspec.structs.replace(settings, preload=0))
        await keeper.update()
        for _ in range(20):
            with pytest.raises(CorruptBundle, match="not what was written"):
                await service.awake("m")
        assert counted.opened == ["m@1"]
        (row,) = await keeper.index()
        assert row["state"] == "UNAVAILABLE"
        assert "not what was written" in row["reason"]
        counted.failure = None
        await keeper.load("m")
        assert await ask(service, "m") == "1"
        service.close()

    run(scene)


def test_a_cold_version_whose_store_is_away_is_tried_again_a_moment_later(
    counted: Counted, settings: Settings, made: list[Bundle], caplog: pytest.LogCaptureFixture
) -> None:
    counted.publish("m", made[0])
    counted.failure = ConnectionError("the bucket does not answer")

    async def scene() -> None:
        service = Service()
        keeper = Keeper(service, counted, msgspec.structs.replace(settings, preload=0))
        await keeper.update()
        with pytest.raises(Internal):
            await service.awake("m")
        counted.failure = None
        while True:
            try:
                await service.awake("m")
            except Exception:
                await asyncio.sleep(0.05)
            else:
                break
        assert counted.opened == ["m@1"] * 2
        service.close()

    run(scene)
    assert caplog.text.count("cannot serve m@1: the bucket does not answer") == 1


def test_what_was_named_is_opened_and_stays_open(
    counted: Counted, settings: Settings, made: list[Bundle]
) -> None:
    counted.publish("m", made[0])

    async def scene() -> None:
        service = Service()
        none = msgspec.structs.replace(settings, preload=0)
        keeper = Keeper(service, counted, none, [Reference("m")])
        await keeper.update(strict=True)
        endpoint = service.find("m")
        assert isinstance(endpoint, Endpoint)
        service.rest(endpoint)
        assert service.find("m") is endpoint
        service.close()

    run(scene)


def test_what_was_prepared_of_bundles_published_no_more_is_removed(
    counted: Counted, settings: Settings, made: list[Bundle]
) -> None:
    prepared = settings.home_path / "cache" / "prepared"
    kept = counted.publish("m", made[0]).digest.replace(":", "-")
    for name in (kept, "sha256-0"):
        (prepared / name / "fp32").mkdir(parents=True)

    async def scene() -> None:
        service = Service()
        await Keeper(service, counted, settings).update()
        service.close()

    run(scene)
    assert [folder.name for folder in prepared.iterdir()] == [kept]


def test_a_thousand_models_take_as_many_queries_as_one(
    counted: Counted, settings: Settings, made: list[Bundle]
) -> None:
    asked: list[str] = []

    def note(*event: object) -> None:
        asked.append(str(event[2]))

    def look() -> int:
        asked.clear()
        counted.snapshot()
        return len(asked)

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", note)
    try:
        counted.publish("m0", made[0])
        one = look()
        for number in range(1, 30):
            counted.publish(f"m{number}", made[0])
        assert look() == one <= 8
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", note)
    revision, models = counted.snapshot()
    assert revision == counted.catalog.revision()
    assert {name: counted.model(name) for name in counted.names()} == models


def test_an_order_to_one_process_is_followed_by_the_others(
    counted: Counted, settings: Settings, made: list[Bundle], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        counted.publish(name, made[0])
    quick = msgspec.structs.replace(settings, poll=0.01)

    async def scene() -> None:
        services = Service(), Service()
        waited: list[int] = []

        async def followed(revision: int) -> None:
            waited.append(revision)
            while keepers[1].orders.revision < revision:
                await asyncio.sleep(0.005)

        keepers = [
            Keeper(service, counted, quick, [Reference("a")], desk=SharedDesk(tmp_path),
                   followed=followed)
            for service in services
        ]  # fmt: skip
        for keeper in keepers:
            await keeper.update(strict=True)
        following = asyncio.create_task(keepers[1].follow())
        await keepers[0].load("b")
        assert all(is_open(service, "b") for service in services)
        await keepers[0].unload("a")
        for service in services:
            with pytest.raises(NotFound):
                service.find("a")
        with pytest.raises(NotFound):
            await keepers[0].load("none")
        await keepers[0].load("a")
        assert all(is_open(service, "a") for service in services)
        assert waited == [1, 2, 3]
        following.cancel()
        for service in services:
            service.close()

    run(scene)


def test_loading_what_does_not_open_is_a_conflict(
    counted: Counted, settings: Settings, made: list[Bundle]
) -> None:
    counted.publish("m", made[0])
    counted.failure = CorruptBundle("its bytes are not what was written")

    async def scene() -> None:
        service = Service()
        keeper = Keeper(service, counted, settings)
        await keeper.update()
        with pytest.raises(Conflict, match="not what was written"):
            await keeper.load("m")
        service.close()

    run(scene)
