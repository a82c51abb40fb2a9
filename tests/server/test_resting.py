"""Models that nobody asks are closed, and come back; nobody's request is lost by it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from asking import X

from numen.core.bundle import Bundle
from numen.core.message import Request
from numen.core.reference import Reference
from numen.core.settings import Settings
from numen.registry import Registry
from numen.serve.live import Endpoint
from numen.serve.service import Service
from numen.server import Keeper
from numen.server.pulse import Pulse
from numen.server.resting import Resting, half_the_memory, weight
from parts import make_bundle

NAMES = ("a", "b", "c")


@pytest.fixture
def several(settings: Settings, bundle: Bundle) -> Iterator[Registry]:
    registry = Registry.of(settings)
    for name in NAMES:
        registry.publish(name, bundle)
    yield registry
    registry.catalog.close()


async def ask(service: Service, name: str) -> None:
    await service.predict(Request(name, {"image": X}))


def open_ones(service: Service) -> set[str]:
    return {endpoint.name for endpoint in service.endpoints()}


def test_who_is_not_asked_for_long_is_closed_and_opened_by_the_next_request(
    several: Registry, settings: Settings
) -> None:
    async def scene() -> None:
        service = Service()
        await Keeper(service, several, settings).update()
        pulse = Pulse(service)
        resting = Resting(service, 10, 1 << 40)
        resting.look(100)
        await ask(service, "a")
        resting.look(109)
        assert open_ones(service) == set(NAMES)
        for _ in range(6):  # to be asked by the server itself is no use
            await pulse.ask_next()
        resting.look(111)
        assert open_ones(service) == {"a"}
        before = service.own_tally().counts["b"]["1"].asked
        await ask(service, "b")
        assert open_ones(service) == {"a", "b"}
        assert service.own_tally().counts["b"]["1"].asked == before + 1
        resting.look(120)
        assert open_ones(service) == {"b"}
        service.close()

    asyncio.run(asyncio.wait_for(scene(), 30))


def test_over_the_budget_the_least_lately_asked_are_closed(
    several: Registry, settings: Settings
) -> None:
    async def scene() -> None:
        service = Service()
        await Keeper(service, several, msgspec.structs.replace(settings, preload=2)).update()
        found = service.find("a")
        assert isinstance(found, Endpoint)
        one = weight(found)
        assert one > found.bundle.file("predict.onnx").stat().st_size
        resting = Resting(service, 0, 2 * one)
        for now, name in enumerate(("b", "a")):
            await ask(service, name)
            resting.look(now)
        await ask(service, "c")
        resting.look(2)
        assert open_ones(service) == {"a", "c"}
        service.close()

    asyncio.run(asyncio.wait_for(scene(), 30))


def test_what_was_named_is_not_closed(several: Registry, settings: Settings) -> None:
    async def scene() -> None:
        service = Service()
        await Keeper(service, several, settings, [Reference("a")]).update(strict=True)
        resting = Resting(service, 1, 0)
        resting.look(0)
        resting.look(100)
        assert open_ones(service) == {"a"}
        service.close()

    asyncio.run(asyncio.wait_for(scene(), 30))


def test_closing_under_load_loses_nobodys_request(several: Registry, settings: Settings) -> None:
    async def scene() -> None:
        service = Service()
        await Keeper(service, several, msgspec.structs.replace(settings, preload=0)).update()
        expected = await service.predict(Request("a", {"image": X}))
        asked = 0
        stop = False

        async def client() -> None:
            nonlocal asked
            while not stop:
                answer = await service.predict(Request("a", {"image": X}))
                asked += 1
                np.testing.assert_allclose(
                    answer.outputs["probabilities"], expected.outputs["probabilities"], atol=1e-6
                )

        clients = [asyncio.create_task(client()) for _ in range(8)]
        for _ in range(40):
            await asyncio.sleep(0.01)
            for endpoint in service.endpoints():
                service.rest(endpoint)
        stop = True
        await asyncio.gather(*clients)
        assert asked > 100
        service.close()

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_half_the_memory_is_some() -> None:
    assert 64 << 20 < half_the_memory() < 1 << 45


def test_opening_and_closing_again_and_again_leaves_one_count(
    settings: Settings, tmp_path_factory
) -> None:
    registry = Registry.of(settings)
    registry.publish("m", make_bundle(tmp_path_factory.mktemp("m")))

    async def scene() -> None:
        service = Service()
        await Keeper(service, registry, msgspec.structs.replace(settings, preload=0)).update()
        for _ in range(50):
            service.rest(await service.awake("m"))
        assert list(service.own_tally().counts) == ["m"]
        assert service.endpoints() == []
        service.close()

    asyncio.run(asyncio.wait_for(scene(), 60))
    registry.catalog.close()
