"""How many replicas there shall be, told from the requests under way. It knows no cluster."""

from __future__ import annotations

import math
from collections import deque

from numen.deploy.ray.plan import Plan

# A replica more only for more than this share of one's load above what the others are meant for,
# or a load at the edge would start and stop one for ever.
_SLACK = 0.1


class Scale:
    """Follows the load: up at once, down when it has been less for a while."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, now: float, under_way: float, plan: Plan) -> int:
        """The number of replicas that there shall be.

        Args:
            now: Seconds of a clock that only goes forward.
            under_way: Requests waiting or being answered at once, of all replicas together.
            plan: The bounds, and what one replica is meant to have.
        """
        fits = math.ceil(under_way / plan.load - _SLACK)
        self._seen.append((now, min(max(fits, plan.least), plan.most)))
        while self._seen[0][0] < now - plan.calm:
            self._seen.popleft()
        # The bounds may have moved since.
        return min(max(plan.least, *(number for _, number in self._seen)), plan.most)
