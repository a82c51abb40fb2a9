"""What a cluster's node does: opens the data that were brought to it, trains, tells how it goes.

A node needs numen with the same extras, and the package of a body that comes in one. The data are
found at the path they have where they came from, or are unpacked once from what Ray carried; a
body's file or bundle is carried always.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from numen.cluster import unpack
from numen.core import settings
from numen.core.errors import Internal, InvalidInput, NumenError
from numen.data.dataset import Dataset
from numen.data.stored import DATASET, load
from numen.train.base import Progress
from numen.train.recipe import Recipe
from numen.train.trial import Outcome, Verdict, attempt

_STEP: Final = 0.25  # seconds between two words on the steps of an epoch


@dataclass(frozen=True, slots=True)
class Parcel:
    """Where a data set lies, and how to know it."""

    folder: str
    digest: str
    name: str
    source: str


def parcel_of(data: Dataset) -> Parcel:
    """What a node needs to know of the data.

    Raises:
        InvalidInput: They are not as they are stored, so a node could not open them.
    """
    stored = (
        Dataset.stored(data.folder, data.name, data.source) if _is_stored(data.folder) else None
    )
    if stored is None or any(
        name not in stored.splits or len(split) != len(stored.splits[name])
        for name, split in data.splits.items()
    ):
        raise InvalidInput(
            f"ray: expected a whole data set as it is stored, received a part of {data.name}",
            hint="add the part as a data set of its own: numen data add",
            field="data",
        )
    return Parcel(str(data.folder.absolute()), data.digest, data.name, data.source)


class Board:
    """An actor: what nodes say is pinned to it, and what they are to do."""

    def __init__(self) -> None:
        self._said: list[tuple[Any, ...]] = []
        self._verdicts: dict[int, Verdict] = {}

    def say(self, number: int, *words: Any) -> Verdict:
        """Pins something up; gives the verdict on the speaker, where there is one."""
        self._said.append(words)
        return self._verdicts.get(number, "")

    def drain(self) -> list[tuple[Any, ...]]:
        """Takes down all that was pinned up."""
        said, self._said = self._said, []
        return said

    def judge(self, number: int, verdict: Verdict) -> None:
        """Leaves a verdict for a trial."""
        self._verdicts[number] = verdict


class Teller:
    """A Progress on a node: passes on, seldom, what it is told."""

    def __init__(self, say: Callable[..., Verdict]):
        self._say = say
        self._last = 0.0
        self._steps = 0

    def begin(self, epochs: int, steps: int) -> None:
        """Passed on."""
        self._tell("begin", epochs, steps)

    def step(self, metrics: Mapping[str, float]) -> None:
        """Passed on every now and then, with the count of steps."""
        self._steps += 1
        if time.monotonic() - self._last >= _STEP:
            self._last = time.monotonic()
            self._tell("step", {**metrics, "step": float(self._steps)})

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Passed on."""
        self._steps = 0
        self._tell("epoch", number, dict(metrics))

    def note(self, message: str) -> None:
        """Passed on."""
        self._say("note", message)

    def _tell(self, *words: Any) -> None:
        if self._say(*words) == "stop":
            raise KeyboardInterrupt


def run_trial(
    board: Any, number: int, recipe: Recipe, metric: str, parcel: Parcel, packed: Any, body: Any
) -> Outcome | None:
    """On a node: one trial, or None where the data are not there."""
    import ray

    data = open_there(parcel, packed)
    if data is None:
        return None
    node = _node(ray)

    def judge(epoch: int, value: float) -> Verdict:
        return ray.get(board.say.remote(number, number, epoch, value, node))  # type: ignore[no-any-return]

    judge(0, 0.0)
    return msgspec.structs.replace(
        attempt(data, with_carried(recipe, body), metric, judge), where=node
    )


def run_job(
    board: Any,
    job: Callable[[Dataset, Progress, Recipe], Any],
    recipe: Recipe,
    parcel: Parcel,
    packed: Any,
    body: Any,
) -> tuple[Any, ...] | None:
    """On a node: what the job gives; None where the data are not there, () if interrupted.

    Raises:
        NumenError: As the job did; anything else that it raised is told as `Internal`.
    """
    import ray

    data = open_there(parcel, packed)
    if data is None:
        return None

    def say(*words: Any) -> Verdict:
        return ray.get(board.say.remote(0, *words))  # type: ignore[no-any-return]

    say("note", f"training on {_node(ray)}, data by {'path' if packed is None else 'object'}")
    try:
        return (job(data, Teller(say), with_carried(recipe, body)),)
    except KeyboardInterrupt:
        return ()
    except NumenError:
        raise
    except Exception as error:  # what it is need not be known where it is going
        raise Internal(f"ray: the training failed there: {type(error).__name__}: {error}") from None


def _node(ray: Any) -> str:
    return f"{ray.util.get_node_ip_address()}/{ray.get_runtime_context().get_node_id()[:6]}"


def open_there(parcel: Parcel, packed: Any) -> Dataset | None:
    """The data on this node: at the path they have where they came from, or unpacked once."""
    folder = Path(parcel.folder)
    if not _is_stored(folder) or load(folder).digest != parcel.digest:
        folder = settings.load()[0].home_path / "cache" / "carried" / parcel.digest[7:39]
        if not _is_stored(folder):
            if packed is None:
                return None
            unpack(packed, folder)
    return Dataset.stored(folder, parcel.name, parcel.source)


def with_carried(recipe: Recipe, packed: Any) -> Recipe:
    """The recipe with the place on this node of the body that was carried, unpacked once."""
    if packed is None:
        return recipe
    digest = hashlib.sha256(memoryview(packed)).hexdigest()
    folder = settings.load()[0].home_path / "cache" / "carried" / f"body-{digest[:32]}"
    if not folder.is_dir():
        unpack(packed, folder)
    (body,) = folder.iterdir()
    return msgspec.structs.replace(recipe, body=str(body))


def _is_stored(folder: Path) -> bool:
    return (folder / DATASET).is_file()
