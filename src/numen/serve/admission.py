"""Who may call what. While nobody was given a key, everybody may."""

from __future__ import annotations

from typing import Literal, TypeAlias

from numen.core.message import Grant

Action: TypeAlias = Literal["predict", "explain", "read", "manage"]


class Admission:
    """Leave to call models. Belongs to one event loop."""

    def check(self, credential: bytes, model: str, action: Action) -> Grant | None:
        """The leave that a caller has, for `Request.grant`.

        Args:
            credential: The key as it was sent; empty where none was.
            model: The model called; empty for what concerns no model.
            action: What is to be done.

        Raises:
            Unauthenticated: No key, or none that is known, valid and unexpired.
            Forbidden: The key does not go that far.
        """
        del credential, model, action
        return None
