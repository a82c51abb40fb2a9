"""A process that does not answer, or says something else than was recorded, is not ready."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from numen.core.bundle import Bundle
from numen.core.errors import Internal, Overloaded
from numen.core.message import Request
from numen.core.signature import Array, Signature
from numen.runtime.base import Runtime, open_variant
from numen.serve.ladder import Ladder, Pace, Rung
from numen.serve.live import Endpoint, Table
from numen.serve.opening import Opened
from numen.serve.service import Service
from numen.server.board import Alone
from numen.server.pulse import FRESH, Pulse
from parts import make_bundle


class Moody:
    """A runtime that runs a real one, unless it is told otherwise."""

    def __init__(self, real: Runtime):
        self._real = real
        self.add = 0.0
        self.failure: Exception | None = None
        self.go = threading.Event()
        self.go.set()
        self.sizes: list[int] = []

    @property
    def signature(self) -> Signature:
        return self._real.signature

    def open(self, path: Path, *, threads: int = 1) -> None:
        raise NotImplementedError

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.go.wait(20)
        if self.failure is not None:
            raise self.failure
        outputs = self._real.predict(inputs)
        self.sizes.append(len(outputs["probabilities"]))
        return {name: array + np.float32(self.add) for name, array in outputs.items()}

    def close(self) -> None:
        self._real.close()


def serving(bundle: Bundle, seconds: float = 1e-5) -> tuple[Service, Moody, Endpoint]:
    moody = Moody(open_variant(bundle))
    service = Service()
    rung = Rung("fp32", moody, Pace({1: seconds, 8: seconds}))
    endpoint = service.admit(Opened("m", "1", bundle, Ladder([rung])))
    service.swap(Table({"m": {"1": endpoint}}, {}, {"m": "1"}))
    return service, moody, endpoint


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("linear"))


def test_a_model_that_answers_as_recorded_is_well_and_is_asked_one_row(linear: Bundle) -> None:
    async def scene() -> None:
        service, moody, endpoint = serving(linear)
        pulse = Pulse(service)
        service.fleet = Alone(service, pulse)
        assert service.trouble() == "no model has answered yet"
        assert not service.ready
        for _ in range(3):
            await pulse.ask_next()
        assert service.ready
        assert moody.sizes == [1, 1, 1]
        assert endpoint.stats.asked == 0, "who asks itself is not counted"
        service.close()

    asyncio.run(scene())


def test_without_models_a_process_is_well(linear: Bundle) -> None:
    async def scene() -> None:
        service = Service()
        pulse = Pulse(service)
        service.fleet = Alone(service, pulse)
        assert service.trouble() == "models are still being loaded"
        service.swap(Table())
        await pulse.ask_next()
        assert service.ready

    asyncio.run(scene())


@pytest.mark.parametrize("how", ["another answer", "no number", "a failure"])
def test_a_model_that_goes_wrong_is_trouble_until_it_is_right_or_gone(
    linear: Bundle, how: str
) -> None:
    async def scene() -> None:
        service, moody, endpoint = serving(linear)
        pulse = Pulse(service)
        await pulse.ask_next()
        if how == "a failure":
            moody.failure = Internal("the model failed: bad luck")
        else:
            moody.add = 0.1 if how == "another answer" else float("nan")
        await pulse.ask_next()
        assert pulse.trouble().startswith("model m@1: ")
        assert ("bad luck" if how == "a failure" else "differs") in pulse.trouble()
        moody.add, moody.failure = 0.0, None
        await pulse.ask_next()
        assert pulse.trouble() == ""
        moody.add = 1.0
        await pulse.ask_next()
        assert pulse.trouble()
        service.swap(Table())
        await pulse.ask_next()
        await pulse.ask_next()
        assert pulse.trouble() == ""
        assert endpoint.stats.failures == {}

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_a_model_that_hangs_is_trouble(linear: Bundle) -> None:
    async def scene() -> None:
        service, moody, _ = serving(linear, seconds=0.1)
        pulse = Pulse(service)
        await pulse.ask_next()
        moody.go.clear()
        await pulse.ask_next()
        assert pulse.trouble() == f"model m@1 has not answered for {FRESH:.0f} s"
        moody.go.set()
        await pulse.ask_next()
        assert pulse.trouble() == ""
        service.close()
        await asyncio.sleep(0.1)

    asyncio.run(asyncio.wait_for(scene(), 30))


def test_a_full_queue_that_is_worked_off_is_no_trouble(linear: Bundle) -> None:
    async def scene() -> None:
        service, _, endpoint = serving(linear, seconds=0.1)
        pulse = Pulse(service)
        await pulse.ask_next()
        image = np.zeros((1, 28, 28), np.float32)
        for _ in range(service.max_queue):
            service.submit(endpoint, Request("m", {"image": image}), lambda _: None)
        with pytest.raises(Overloaded):
            service.submit(endpoint, Request("m", {"image": image}), lambda _: None)
        await pulse.ask_next()
        assert pulse.trouble() == ""
        service.close()
        while not endpoint.batcher.idle:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(scene(), 30))
