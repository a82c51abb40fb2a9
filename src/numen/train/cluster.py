"""A Ray cluster: one training there, or the trials of a search, and the data brought to them.

Ray schedules, retries and carries; nothing here does. The data go as a path where the nodes find
them at it, else through Ray's object store.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from numen.cluster import connect, load, pack
from numen.core.errors import NotReady, NumenError
from numen.data.dataset import Dataset
from numen.train import bodies
from numen.train.base import Progress
from numen.train.node import Board, parcel_of, run_job, run_trial
from numen.train.recipe import Recipe
from numen.train.trial import Outcome

if TYPE_CHECKING:  # a training there needs no Optuna
    from numen.train.tune import Search, Trial

Result = TypeVar("Result")
_POLL: Final = 0.1  # seconds between two looks at what the nodes say
_PATIENCE: Final = 15.0  # seconds that running trainings get to stop when asked to
_RETRIES: Final = 3  # by Ray, of one training whose node died


class Cluster:
    """A Ray cluster in use.

    Args:
        on: `ray` for the one that `RAY_ADDRESS` names, else one started on this machine; or an
            address such as `ray://head:10001`.
        own_code: The user's own modules are needed: those of the working directory, and the
            packages in it, are sent along.

    Raises:
        InvalidInput: `on` is neither.
        MissingExtra: Ray is not installed.
        NotReady: No cluster answers, or it has no processor to give.
    """

    def __init__(self, on: str, *, own_code: bool = False):
        self._ray = load(on)
        self._mine = connect(self._ray, on, own_code=own_code)
        if not self._slots():
            self.close()
            raise NotReady("ray: the cluster has no processor to give", hint="add a node to it")
        here = self._ray.get_runtime_context().get_node_id()
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        self._board = (
            self._ray.remote(Board)
            .options(
                num_cpus=0,
                max_restarts=-1,
                max_task_retries=-1,
                scheduling_strategy=strategy(here, soft=True),
            )
            .remote()
        )
        self._packed: Any = None
        self._bodies: dict[str, Any] = {}

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the cluster; one that was started for this ends."""
        if self._mine:
            self._ray.shutdown()

    @property
    def carried(self) -> str:
        """How the data went to the nodes: by `path`, or as an `object`."""
        return "path" if self._packed is None else "object"

    def search(self, search: Search, data: Dataset) -> None:
        """Trains the trials of a search, as many at a time as the cluster has processors.

        Raises:
            KeyboardInterrupt: Ctrl-C; the trials at hand are tried again when the study goes on.
        """
        parcel = parcel_of(data)
        # One thread for the one processor it gets: more would wait for one another, spinning.
        alone = {"env_vars": {"OMP_NUM_THREADS": "1"}}
        train = self._ray.remote(run_trial).options(num_cpus=1, max_retries=0, runtime_env=alone)
        running: dict[Any, Trial] = {}
        where: dict[int, str] = {}

        def hand_out(trial: Trial) -> None:
            sent = (self._board, trial.number, trial.recipe, search.metric)
            carried = (parcel, self._packed, self._body(trial.recipe))
            running[train.remote(*sent, *carried)] = trial

        try:
            while True:
                while len(running) < max(1, self._slots()):
                    trial = search.next()
                    if trial is None:
                        break
                    hand_out(trial)
                if not running:
                    return
                ready, _ = self._ray.wait(list(running), timeout=_POLL)
                self._judge(search, where)
                for done in ready:
                    trial = running.pop(done)
                    outcome = self._outcome(done, where.get(trial.number, ""))
                    if outcome is None:
                        self._pack(data)
                        hand_out(trial)
                    else:
                        search.done(trial.number, outcome)
        except BaseException:
            self._stop(list(running), [trial.number for trial in running.values()])
            for number in search.running:
                search.done(number, Outcome("stopped", where=where.get(number, "")))
            raise

    def run(
        self,
        job: Callable[[Dataset, Progress, Recipe], Result],
        recipe: Recipe,
        data: Dataset,
        progress: Progress,
    ) -> Result:
        """Runs one training there and brings back what it gives.

        Ray runs it again on another node where its own dies. Ctrl-C stops it at its next step,
        with the best so far.

        Args:
            job: A function of a module, which the node imports; called with the data, a progress,
                and the recipe with the place of its body there.
            recipe: What is trained; its body is a file here, a bundle or one in a package.
            data: What it trains on.
            progress: Who is told, here.

        Raises:
            KeyboardInterrupt: Ctrl-C before the first epoch was done.
            NotReady: Its nodes died, more often than Ray tries.
        """
        train = self._ray.remote(run_job).options(num_cpus=1, max_retries=_RETRIES)
        parcel = parcel_of(data)
        while True:
            carried = (parcel, self._packed, self._body(recipe))
            sent = train.remote(self._board, job, recipe, *carried)
            try:
                while not self._ray.wait([sent], timeout=_POLL)[0]:
                    self._pass_on(progress)
            except KeyboardInterrupt:
                self._board.judge.remote(0, "stop")
                if not self._ray.wait([sent], timeout=_PATIENCE)[0]:
                    self._ray.cancel(sent, force=True)
                    raise
            self._pass_on(progress)
            back = self._get(sent)
            if back is None:
                self._pack(data)
                continue
            if not back:
                raise KeyboardInterrupt
            return back[0]  # type: ignore[no-any-return]

    def _slots(self) -> int:
        return int(self._ray.cluster_resources().get("CPU", 0))

    def _pack(self, data: Dataset) -> None:
        """Puts the data into the object store, once a node did not find them at their path."""
        if self._packed is None:
            self._packed = self._ray.put(np.frombuffer(pack(data.folder), np.uint8))

    def _body(self, recipe: Recipe) -> Any:
        """The recipe's body in the object store, put there once; None where it has none to carry.

        One that comes in a package is found in that package on each node.
        """
        path = recipe.body
        if not path or path in bodies.names():
            return None
        if path not in self._bodies:
            whole = pack(Path(path), Path(path).name)
            self._bodies[path] = self._ray.put(np.frombuffer(whole, np.uint8))
        return self._bodies[path]

    def _judge(self, search: Search, where: dict[int, str]) -> None:
        for number, epoch, value, node in self._ray.get(self._board.drain.remote()):
            where[number] = node
            if epoch and number in search.running:
                verdict = search.epoch(number, epoch, value, node)
                if verdict:
                    self._board.judge.remote(number, verdict)

    def _pass_on(self, progress: Progress) -> None:
        for word, *rest in self._ray.get(self._board.drain.remote()):
            getattr(progress, word)(*rest)

    def _outcome(self, done: Any, node: str) -> Outcome | None:
        try:
            return self._ray.get(done)  # type: ignore[no-any-return]
        except self._ray.exceptions.RayTaskError as error:
            return Outcome("failed", error=str(error.cause), where=node)
        except self._ray.exceptions.RayError as error:
            return Outcome("lost", error=type(error).__name__, where=node)

    def _get(self, sent: Any) -> Any:
        try:
            return self._ray.get(sent)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, NumenError):
                raise error.cause from error
            raise
        except self._ray.exceptions.RayError as error:
            raise NotReady(f"ray: the training was lost: {type(error).__name__}") from error

    def _stop(self, sent: list[Any], numbers: list[int]) -> None:
        for number in numbers:
            self._board.judge.remote(number, "stop")
        if sent:
            _, left = self._ray.wait(sent, num_returns=len(sent), timeout=_PATIENCE)
            for one in left:
                self._ray.cancel(one, force=True)
