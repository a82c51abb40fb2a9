"""A study on disk: its trials in Optuna's journal, driven by one process at a time.

A journal costs 8-10 ms a trial where Optuna's SQLite store costs 61-122. A process that is killed
leaves it whole, and holds no lock. Says nothing on which trial to do next.
"""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal

import msgspec
import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from numen.core.errors import Conflict, CorruptBundle, InvalidInput
from numen.train.trial import Outcome

JOURNAL: Final = "journal.log"
PRUNERS: Final = ("median", "hyperband", "none")
STARTUP: Final = 5  # trials that the median is not asked about
_LOCK: Final = "lock"


@dataclass(frozen=True, slots=True)
class Row:
    """A trial as a person sees it: what was tried, and what came of it so far.

    Attributes:
        number: Of the trial, from 0.
        values: What was tried, by name.
        state: How it stands; see `numen.train.trial.Outcome`.
        value: Its metric, at the epoch that would have been kept.
        epoch: That epoch.
        epochs: Epochs done.
        seconds: How long it took.
        error: Why it failed or was lost.
        where: The node it ran on, where there are several.
    """

    number: int
    values: Mapping[str, Any]
    state: Literal["running", "complete", "pruned", "failed", "stopped", "lost"]
    value: float | None = None
    epoch: int = 0
    epochs: int = 0
    seconds: float = 0.0
    error: str = ""
    where: str = ""


class Study:
    """The trials of one search, kept in a folder.

    Args:
        folder: Where; its name is the study's.
        rising: More of the metric is better.
        pruner: `median`, `hyperband` or `none`.
        made_by: What must be the same to go on with it.

    Raises:
        InvalidInput: There is no such pruner, or the study began with something else.
        Conflict: Another process drives it.
        CorruptBundle: The journal is not what Optuna wrote.
    """

    def __init__(self, folder: Path, *, rising: bool, pruner: str, made_by: Mapping[str, Any]):
        self.folder = folder
        pruning = _pruner(pruner)
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(folder)
        try:
            self.optuna = _open(folder, rising, pruning)
            known = self.optuna.user_attrs.get("made_by")
            if known is None:
                self.optuna.set_user_attr("made_by", made_by)
            else:
                _same(folder, known, made_by)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets another process drive the study."""
        self._lock.close()

    def trials(self) -> list[FrozenTrial]:
        """All trials as Optuna has them."""
        return self.optuna.get_trials(deepcopy=False)

    def rows(self) -> list[Row]:
        """All trials that were ever begun, by number."""
        return [_row(trial) for trial in self.trials() if trial.state != TrialState.WAITING]

    def count(self) -> int:
        """Trials that count: those under way, and those that ended by themselves."""
        return sum(not _uncounted(trial) for trial in self.trials())


def _row(trial: FrozenTrial) -> Row:
    said = trial.user_attrs.get("outcome")
    if trial.state == TrialState.RUNNING:
        return Row(trial.number, trial.params, "running")
    if said is None:
        return Row(trial.number, trial.params, "lost", error="the search was killed")
    of = msgspec.convert(said, Outcome)
    return Row(
        trial.number, trial.params, of.state, of.value, of.epoch, of.epochs, of.seconds,
        of.error, of.where,
    )  # fmt: skip


def _uncounted(trial: FrozenTrial) -> bool:
    """Whether a trial waits, or ended by no fault of its own and is tried again."""
    if trial.state == TrialState.WAITING:
        return True
    said = trial.user_attrs.get("outcome")
    again = said is None or said["state"] in ("lost", "stopped")
    return trial.state == TrialState.FAIL and again


class _Held(JournalFileOpenLock):
    """The journal's own lock: none is needed where the whole study is locked.

    Optuna's would be left behind by a killed process, and holds up the next for half a minute.
    """

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _lock(folder: Path) -> IO[str]:
    file = (folder / _LOCK).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise Conflict(
            f"study {folder.name}: another process drives it", hint="wait, or name another study"
        ) from error
    return file


def _open(folder: Path, rising: bool, pruner: optuna.pruners.BasePruner) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal = folder / JOURNAL
    _mend(journal)
    backend = JournalFileBackend(str(journal), _Held(str(journal)))
    try:
        return optuna.create_study(
            storage=optuna.storages.JournalStorage(backend),
            study_name=folder.name,
            direction="maximize" if rising else "minimize",
            pruner=pruner,
            load_if_exists=True,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptBundle(f"study {journal}: {error}") from error


def _mend(journal: Path) -> None:
    """Cuts off the half line that a process killed while it wrote may have left."""
    if not journal.exists():
        return
    with journal.open("rb+") as file:
        text = file.read()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            file.truncate(whole)


def _pruner(name: str) -> optuna.pruners.BasePruner:
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=2)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner()
    if name == "none":
        return optuna.pruners.NopPruner()
    raise InvalidInput(
        f'pruner: expected one of {", ".join(PRUNERS)}, received "{name}"', field="pruner"
    )


def _same(folder: Path, known: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuses to go on with a study that looked for something else."""
    differ = [name for name in wanted if name != "recipe" and known.get(name) != wanted[name]]
    one, other = known.get("recipe", {}), wanted["recipe"]
    differ += [
        name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)
    ]
    if differ:
        raise InvalidInput(
            f"study {folder.name}: it began with another {', '.join(differ)}",
            hint="give what it began with, or name another study",
            field="study",
        )
