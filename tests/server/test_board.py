"""The board: counts that never go back, and what is said of workers that are not well."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np

from numen.core.bundle import Bundle
from numen.core.message import Request
from numen.serve.fleet import Tally
from numen.serve.live import Table
from numen.serve.opening import open_model
from numen.serve.service import Service
from numen.serve.stats import Stats
from numen.server.board import Board, Folder, Life
from numen.server.orders import Orders, SharedDesk
from numen.server.pulse import FRESH, Pulse


def done(times: int) -> Tally:
    stats = Stats()
    variant = stats.variant("fp32", degraded=False)
    for _ in range(times):
        variant.total.observe(0.001)
    return Tally({"m": {"1": stats}}, {"m": {"1": 1}}, {"m": 5}, 1)


def asked(tally: Tally) -> int:
    return tally.counts["m"]["1"].asked


def test_counts_are_added_and_outlive_who_counted(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 2)
    folder.count(1, "1-a", done(3))
    folder.count(2, "2-a", done(4))
    total = folder.tally()
    assert asked(total) == 7
    assert (total.workers, total.waiting, total.open) == (2, {"m": 10}, {"m": {"1": 2}})
    folder.bury(1, restart=True)
    total = folder.tally()
    assert asked(total) == 7, "what the dead one counted stays counted"
    assert (total.workers, total.waiting, total.restarts) == (1, {"m": 5}, 1)
    folder.bury(1, restart=False)
    folder.count(1, "1-b", done(1))
    assert asked(folder.tally()) == 8
    assert folder.tally().restarts == 1


def test_between_two_steps_of_a_burial_nothing_counts_twice(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 1)
    folder.count(1, "1-a", done(3))
    folder.bury(1, restart=True)
    folder.count(1, "1-a", done(3))  # as if it had not been taken out yet
    assert asked(folder.tally()) == 3


def life(**changes: object) -> Life:
    now = time.monotonic()
    values = {"pid": 1, "at": now, "golden": now, "trouble": "", "revision": 1, "orders": 0}
    return Life(**{**values, **changes})  # type: ignore[arg-type]


def test_a_process_is_as_well_as_the_least_well_of_all(tmp_path: Path) -> None:
    service = Service()
    pulse = Pulse(service)
    folder = Folder(tmp_path, 2)
    board = Board(service, pulse, folder, 1)
    assert board.trouble() == "no model has answered yet"
    pulse.golden = time.monotonic()
    assert board.trouble() == "worker 2 is not there"
    folder.show(2, life(trouble="model m@1: it differs"))
    assert board.trouble() == "worker 2: model m@1: it differs"
    folder.show(2, life(golden=time.monotonic() - FRESH - 1))
    assert board.trouble().startswith("worker 2 has not answered for 4.")
    folder.show(2, life())
    assert board.trouble() == ""
    folder.bury(2, restart=True)
    assert board.trouble() == "worker 2 is not there"


def test_counts_of_versions_taken_out_stay_and_go_on(tmp_path: Path, bundle: Bundle) -> None:
    async def scene() -> None:
        service = Service()
        board = Board(service, Pulse(service), Folder(tmp_path, 1), 1)
        for turn in (1, 2):
            endpoint = service.admit(open_model("m", "1", bundle))
            service.swap(Table({"m": {"1": endpoint}}, {}, {"m": "1"}))
            await service.predict(Request("m", {"image": np.zeros((1, 28, 28), np.float32)}))
            service.swap(Table())
            assert asked(board.tally()) == asked(board.tally()) == turn

    asyncio.run(scene())


def test_orders_replace_one_another() -> None:
    orders = Orders().load("a").unload("b").unload("a").load("b")
    assert orders == Orders(4, {"b": 4}, {"a": 3})


def test_orders_are_seen_by_others(tmp_path: Path) -> None:
    one, other = SharedDesk(tmp_path), SharedDesk(tmp_path)
    assert other.orders() == Orders()
    assert one.order(lambda orders: orders.load("a")) == 1
    assert other.order(lambda orders: orders.unload("b")) == 2
    assert one.orders() == other.orders() == Orders(2, {"a": 1}, {"b": 2})
