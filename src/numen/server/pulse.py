"""Whether a process answers rightly, found out by asking it like anybody else.

One open model after the other is sent a row that was recorded at training. A model that does not
answer, or says something else, is trouble until it answers rightly or is closed.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from numen.core.bundle import Golden
from numen.core.errors import NotFound, NotReady, NumenError, Overloaded
from numen.core.message import Request
from numen.core.observe import logger
from numen.serve.live import Endpoint
from numen.serve.opening import compare
from numen.serve.service import Service

_log = logger(__name__)
# Seconds for which an answer says that a process is well.
FRESH: Final = 3.0
_TICK: Final = 0.25
# A model is asked so seldom that it takes at most this share of the time.
_SHARE: Final = 0.05
_MOST: Final = 2.0


class Pulse:
    """Asks a Service's models.

    Args:
        service: Whose models.

    Attributes:
        golden: When one last answered rightly, in seconds of `time.monotonic()`.
    """

    def __init__(self, service: Service):
        self.golden = 0.0
        self._service = service
        self._wrong: dict[Endpoint, str] = {}
        self._samples: dict[Endpoint, Golden] = {}
        self._turn: list[Endpoint] = []

    def trouble(self) -> str:
        """What is wrong; empty where nothing is."""
        if self._wrong:
            return next(iter(self._wrong.values()))
        if not self.golden:
            return "no model has answered yet"
        ago = time.monotonic() - self.golden
        return f"no model has answered for {ago:.1f} s" if ago > FRESH else ""

    async def beat(self) -> None:
        """Asks for ever."""
        while True:
            begin = time.monotonic()
            await self.ask_next()
            took = time.monotonic() - begin
            await asyncio.sleep(min(max(_TICK, took / _SHARE), _MOST))

    async def ask_next(self) -> None:
        """Asks the model whose turn it is."""
        while self._turn:
            endpoint = self._turn.pop()
            if self._listed(endpoint):
                break
        else:
            self._begin_round()
            if not self._turn:
                self.golden = time.monotonic()
                return
            endpoint = self._turn.pop()
        why = await self._ask(endpoint)
        if why and self._listed(endpoint):
            if endpoint not in self._wrong:
                _log.error("%s", why)
            self._wrong[endpoint] = why
        else:
            self._wrong.pop(endpoint, None)
            self.golden = time.monotonic()

    def _listed(self, endpoint: Endpoint) -> bool:
        model = self._service.models.get(endpoint.name)
        return model is not None and model.versions.get(endpoint.version) is endpoint

    def _begin_round(self) -> None:
        self._turn = self._service.endpoints()
        there = set(self._turn)
        self._samples = {e: golden for e, golden in self._samples.items() if e in there}
        self._wrong = {e: why for e, why in self._wrong.items() if e in there}

    async def _ask(self, endpoint: Endpoint) -> str:
        """What is wrong with a model; empty where nothing is."""
        name = f"model {endpoint.name}@{endpoint.version}"
        before = _answers(endpoint)
        try:
            golden = self._samples.get(endpoint)
            if golden is None:
                golden = self._samples[endpoint] = await asyncio.to_thread(_sample, endpoint)
                if not self._listed(endpoint):  # or asking it would open it again
                    return ""
            request = Request(endpoint.name, golden.inputs, endpoint.version, probe=True)
            answer = await asyncio.wait_for(self._service.predict(request), FRESH)
            compare(golden, answer.outputs)
        except (NotFound, NotReady):  # it is being closed
            return ""
        except (Overloaded, TimeoutError) as error:
            # Too much to do is no trouble, as long as it is done.
            end = time.monotonic() + (FRESH if isinstance(error, Overloaded) else 0.0)
            while _answers(endpoint) == before:
                if time.monotonic() >= end:
                    return f"{name} has not answered for {FRESH:.0f} s"
                await asyncio.sleep(_TICK)
        except NumenError as error:
            return f"{name}: {error}"
        return ""


def _answers(endpoint: Endpoint) -> int:
    return sum(variant.total.count for variant in endpoint.stats.variants.values())


def _sample(endpoint: Endpoint) -> Golden:
    """One recorded row, or all that was recorded where rows may not be told apart."""
    golden = endpoint.bundle.golden()
    if not endpoint.manifest.batched:
        return golden
    return Golden(
        {name: array[:1] for name, array in golden.inputs.items()},
        {name: array[:1] for name, array in golden.outputs.items()},
    )
