"""What a model goes by on the whole: columns shuffled, and one column at many values.

Needs numpy and something that answers a table, whatever it is. It says what this model leans on,
never what causes what: of two columns that say the same, the model may lean on either.
"""

from typing import Final

from numen.explain.overall.shuffled import (
    REPEATS,
    Grown,
    Importance,
    Overall,
    importance,
    row_losses,
)
from numen.explain.overall.varied import Dependence, dependence

IMPORTANCE: Final = "importance.json"  # the file of a bundle that says what its columns are worth

__all__ = [
    "IMPORTANCE",
    "REPEATS",
    "Dependence",
    "Grown",
    "Importance",
    "Overall",
    "dependence",
    "importance",
    "row_losses",
]
