"""Why a model answers so: its graph differentiated, its trees walked, its inputs perturbed.

Whatever the way, what explains a model takes the model's inputs and `target`, the place of the
label that is asked about (-1 for the likeliest), and gives its answer and `attribution:INPUT`.
"""

from typing import Final

TARGET: Final = "target"
ATTRIBUTION: Final = "attribution:"
TOKENS: Final = "tokens"  # the pieces of a text
EXPECTED: Final = "expected"  # what attributions add up from: the answer when nothing is known
UNCERTAINTY: Final = "uncertainty:"  # standard errors of attributions that were sampled
