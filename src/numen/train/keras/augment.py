"""How training pictures are varied, so that few of them teach what many would.

Keras's own layers at the network's beginning: they vary while it trains, do nothing when it
predicts, and are left out of the exported graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from numen.core.errors import InvalidInput
from numen.train.recipe import Recipe

_FLIPS: Final = ("horizontal", "vertical", "horizontal_and_vertical")
# What comes in from beyond the edge is nothing.
_DARK: Final = {"fill_mode": "constant", "fill_value": 0.0}


def _way(way: Any) -> str:
    if way not in _FLIPS:
        raise InvalidInput(
            f"augment.flip: expected one of {', '.join(_FLIPS)}, received {way!r}", field="augment"
        )
    return str(way)


def _share(name: str, amount: Any, most: float = 1.0) -> float:
    if isinstance(amount, int | float) and amount is not True and 0 < amount <= most:
        return float(amount)
    raise InvalidInput(
        f"augment.{name}: expected a number over 0 and up to {most:g}, received {amount!r}",
        field="augment",
    )


# rotate: part of a full turn; zoom, shift: part of the size; noise: standard deviation, of 1.
_VARIATIONS: Final[dict[str, Callable[[Any, Any, int], Any]]] = {
    "flip": lambda layers, way, seed: layers.RandomFlip(_way(way), seed=seed),
    "rotate": lambda layers, x, seed: layers.RandomRotation(
        _share("rotate", x, 0.5), seed=seed, **_DARK
    ),
    "zoom": lambda layers, x, seed: layers.RandomZoom(_share("zoom", x, 0.9), seed=seed, **_DARK),
    "shift": lambda layers, x, seed: layers.RandomTranslation(
        _share("shift", x), x, seed=seed, **_DARK
    ),
    "contrast": lambda layers, x, seed: layers.RandomContrast(_share("contrast", x), seed=seed),
    "noise": lambda layers, x, seed: layers.GaussianNoise(_share("noise", x), seed=seed),
}


def augmented(keras: Any, x: Any, recipe: Recipe) -> Any:
    """Pictures of 0 to 1, varied as the recipe says while a network trains.

    Args:
        keras: The module.
        x: `[n, h, w]` or `[n, h, w, 3]`.
        recipe: `augment` names variations: `{"rotate": 0.05, "shift": 0.1, "flip":
            "horizontal"}`.

    Raises:
        InvalidInput: A variation is unknown, or its amount is not what it must be.
    """
    if not recipe.augment:
        return x
    flat = len(x.shape) == 3
    if flat:
        x = keras.layers.Reshape((*x.shape[1:], 1))(x)
    for place, (name, amount) in enumerate(recipe.augment.items()):
        make = _VARIATIONS.get(name)
        if make is None:
            raise InvalidInput(
                f'augment: "{name}" is unknown; pictures know {", ".join(_VARIATIONS)}',
                field="augment",
            )
        x = make(keras.layers, amount, recipe.seed + place)(x)
    return keras.layers.Reshape(tuple(x.shape[1:3]))(x) if flat else x
