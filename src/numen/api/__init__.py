"""The verbs of the Python API: train, publish, load, promote, roll back.

Only here do the rooms of the slow road meet: data, trainers, bundles, runtimes, the registry.
"""

from __future__ import annotations

from numen.api.model import Model
from numen.api.publish import publish
from numen.api.train import train
from numen.api.workspace import load, models, promote, rollback

__all__ = ["Model", "load", "models", "promote", "publish", "rollback", "train"]
