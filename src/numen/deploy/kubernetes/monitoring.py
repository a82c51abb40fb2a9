"""What pods are added by: a rule for prometheus-adapter, which turns series into a metric.

How many wait is not looked at but reckoned: the time that requests waited, a second, is how many
waited on average (Little's law), and forgets no queue that came and went between two looks.
"""

from __future__ import annotations

from typing import Any, Final

from numen.deploy.kubernetes.objects import WAITING

_BY: Final = "sum by (<<.GroupBy>>)"
_WHOSE: Final = "{<<.LabelMatchers>>}"


def adapter() -> dict[str, Any]:
    """Values for prometheus-adapter's own chart."""
    rule = {
        "seriesQuery": 'numen_workers{namespace!="",pod!=""}',
        "resources": {
            "overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}
        },
        "name": {"as": WAITING},
        # A pod that nobody asked yet has no time of waiting; it has workers.
        "metricsQuery": (
            f"({_BY} (rate(numen_queue_seconds_sum{_WHOSE}[1m]))"
            f" or {_BY} (0 * numen_workers{_WHOSE})) / {_BY} (numen_workers{_WHOSE})"
        ),
    }
    return {"rules": {"custom": [rule]}}
