"""One match: numen, a peer and nginx's fixed reply in turn, under every load that the peer speaks.

Each server is started alone for its turn, so that none disturbs another, and is asked for a right
answer before it is loaded.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import networks
from loads import LOADS, Figures, Load, drive
from messages import Door, Tensors, door
from servers import Running, Subject, numen, peer, publish
from verify import TOLERANCE, Verdict, client, gap, verify

MODEL = "mlp"


class Match:
    """numen, a peer and nginx, measured in turn.

    Args:
        name: The peer.
        folder: Where files go meanwhile.
        kinds: The doors to measure, of those that the peer has.
        seconds: Length of one run.
    """

    def __init__(self, name: str, folder: Path, kinds: list[str], seconds: int):
        self._folder, self._seconds = folder, seconds
        model = networks.write(folder)[MODEL]
        self._predict = networks.reference(model)
        publish(model, folder / "home")
        rival = peer(name, model)
        # A peer without binary tensors is still what numen's are compared with: its JSON is.
        instead = {"binary"} if "json" in rival.doors else set()
        kinds = [kind for kind in kinds if kind in rival.doors.keys() | instead]
        self._kinds = kinds
        self.subjects = [peer("nginx", model), numen(folder / "home", kinds), rival]
        self._runs: dict[tuple[str, Load], list[Figures]] = {}
        self._starts: dict[str, list[dict[str, float]]] = {}
        self._verified: dict[str, Verdict] = {}

    def turn(self, subject: Subject) -> None:
        """Start a server, see that it answers rightly, load it, stop it."""
        doors = {k: door(k, MODEL, v) for k, v in subject.doors.items() if k in self._kinds}
        if not doors:
            return  # nginx has none for gRPC
        began = time.monotonic()
        with Running(subject, self._folder / f"{subject.name}.log") as running:
            for kind, entry in doors.items():
                self._await(running, kind, entry)
            started = time.monotonic() - began
            if subject.name == "numen" and not self._verified:
                for kind, entry in doors.items():
                    self._verified[kind] = verify(running, kind, entry, MODEL, self._predict)
            for load in LOADS:
                if load.kind in doors:
                    x = networks.digits(MODEL, load.rows, np.random.default_rng(7))
                    figures = drive(running, doors[load.kind], load, x, self._seconds)
                    self._runs.setdefault((subject.name, load), []).append(figures)
            start = {"start_s": round(started, 2), "memory_mb": round(running.memory(), 1)}
        self._starts.setdefault(subject.name, []).append(start)

    def _await(self, running: Running, kind: str, entry: Door) -> None:
        x = networks.digits(MODEL, 1, np.random.default_rng(1))
        if running.subject.fixed:
            entry = Tensors(MODEL)  # the one language of the fixed reply
        with client(running, kind, entry) as ask:

            def right() -> bool:
                answer = ask(x)
                return running.subject.fixed or gap(answer, self._predict(x)) < TOLERANCE

            running.wait(right)

    def result(self) -> dict[str, Any]:
        """What was found, medians over the turns."""
        rows = []
        for (subject, load), runs in self._runs.items():
            keys = [key for key in asdict(runs[0]) if key != "failed"]
            medians = {key: statistics.median(getattr(run, key) for run in runs) for key in keys}
            row = {"server": subject, **asdict(load)}
            row |= {key: float(f"{value:.5g}") for key, value in medians.items()}
            row |= {"failed": sum(run.failed for run in runs), "runs": [int(r.rps) for r in runs]}
            rows.append(row)
        return {
            "peer": self.subjects[-1].name,
            "servers": {
                s.name: {"title": s.title, "setting": s.setting, "starts": self._starts[s.name]}
                for s in self.subjects
                if s.name in self._starts
            },
            "verified": {kind: asdict(verdict) for kind, verdict in self._verified.items()},
            "figures": rows,
        }
