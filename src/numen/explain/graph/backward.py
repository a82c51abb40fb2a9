"""Goes through operators backwards, from the gradients at the end to those at the beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numen.explain.graph.rules import FLAT, RULES
from numen.explain.graph.tape import Step, Tape, Underivable


def derive(
    tape: Tape, steps: Sequence[Step], wrt: Sequence[str], seeds: Mapping[str, str]
) -> dict[str, str]:
    """The gradients of some tensors.

    Args:
        tape: Where derivatives are written.
        steps: In the order they run.
        wrt: The tensors asked about.
        seeds: Gradients of those at the end.

    Raises:
        Underivable: An operator on the way has no derivative, or there is no way.
    """
    tape.begin(wrt, seeds)
    for step in steps:
        if step.kind not in FLAT and any(name in tape.active for name in step.inputs):
            tape.active.update(step.outputs)
    for step in reversed(steps):
        behind = any(name in tape.active for name in step.inputs)
        if step.kind in FLAT or not behind or any(name in wrt for name in step.outputs):
            continue
        if not any(map(tape.pull, step.outputs)):
            continue
        rule = RULES.get(step.kind)
        if rule is None:
            raise step.missing("has no rule for its derivative")
        rule(tape, step, tape.pull(step.outputs[0]) or "")
    found = {}
    for name in wrt:
        gradient = tape.pull(name)
        if gradient is None:
            raise Underivable(f'explain: the output does not depend smoothly on "{name}"')
        found[name] = gradient
    return found
