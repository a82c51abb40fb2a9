"""Trainings in the background.

`queue` is the door on the machine: ask, look, stop, go on. `runner` works a queue off, `work` is
one job's own process, `events` is what it tells, `lock` says who is alive. `desk` is the door for
a network, `rules` what it may ask for, `routes` its form over HTTP.
"""

from __future__ import annotations

from numen.control.jobs.queue import Queue

__all__ = ["Queue"]
