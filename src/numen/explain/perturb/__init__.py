"""Attributions of any model, from its answers alone: parts of its input are switched off."""

from numen.explain.perturb.estimate import METHODS
from numen.explain.perturb.game import Estimate
from numen.explain.perturb.plan import Plan
from numen.explain.perturb.players import Numbers, Players, Words

__all__ = ["METHODS", "Estimate", "Numbers", "Plan", "Players", "Words"]
