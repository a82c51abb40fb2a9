"""What the Tab key offers. It never fails: no offer is better than an error while typing."""

from __future__ import annotations

import contextlib

from numen.core.errors import NumenError


def references(incomplete: str) -> list[str]:
    """Models, their versions and aliases."""
    found: list[str] = []
    with contextlib.suppress(NumenError, OSError):
        from numen.api.workspace import models

        for model in models():
            tails = [*model.aliases, *(str(version.version) for version in model.versions)]
            found += [model.name, *(f"{model.name}@{tail}" for tail in tails)]
    return [name for name in found if name.startswith(incomplete)]


def datasets(incomplete: str) -> list[str]:
    """Data sets in the library, and those that come with numen."""
    found = ["sample:mnist"]
    with contextlib.suppress(NumenError, OSError):
        from numen.api.workspace import registry

        found += [version.name for version in registry().catalog.datasets.newest()]
    return [name for name in found if name.startswith(incomplete)]


def families(incomplete: str) -> list[str]:
    """The built-in model families."""
    found = (
        "mlp", "cnn", "resnet", "transfer", "sequence", "audio-cnn", "text-cnn", "gru",
        "transformer", "words", "forest", "linear", "svm", "boosting", "xgboost",
    )  # fmt: skip
    return [name for name in found if name.startswith(incomplete)]


def key_ids(incomplete: str) -> list[str]:
    """Keys that can be revoked."""
    found: list[str] = []
    with contextlib.suppress(NumenError, OSError):
        from numen.api.workspace import registry

        found = [key.id for key in registry().keys.all() if key.revoked is None]
    return [id_ for id_ in found if id_.startswith(incomplete)]


def key_models(incomplete: str) -> list[str]:
    """What a key can be for: models by name."""
    return [name for name in references(incomplete) if "@" not in name]


def job_ids(incomplete: str) -> list[str]:
    """Trainings in the background."""
    found: list[str] = []
    with contextlib.suppress(NumenError, OSError):
        from numen.api.workspace import registry
        from numen.store.jobs import Jobs

        found = [job.id for job in Jobs(registry().catalog.database).all()]
    return [id_ for id_ in found if id_.startswith(incomplete)]


def games(incomplete: str) -> list[str]:
    """The games that come with numen."""
    from numen.play import GAMES

    return [name for name in GAMES if name.startswith(incomplete)]
