"""Convolution and max pooling in the way a processor trains them fast: as matrix products.

XLA's own gradients of both are slow there, and many times slower inside a loop. These give the
same numbers to rounding, and stand in for Keras's operations while a step is traced.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

_LARGEST: Final = 256 << 20  # bytes of windows laid side by side; above, XLA's way is taken
# XLA's operations that should not be in a loop on a processor.
SLOW: Final = ("conv_general_dilated[", "select_and_scatter_add[")


@contextmanager
def matrix_products() -> Iterator[None]:
    """While it lasts, Keras on JAX convolves and pools by matrix products where that is faster."""
    import jax
    from keras.src.backend.jax import nn

    if jax.default_backend() != "cpu":
        yield
        return
    conv, max_pool = nn.conv, nn.max_pool

    def fast_conv(
        inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid",
        data_format: Any = None, dilation_rate: Any = 1,
    ) -> Any:  # fmt: skip
        made = _conv(inputs, kernel, strides, padding, data_format, dilation_rate)
        if made is None:
            return conv(inputs, kernel, strides, padding, data_format, dilation_rate)
        return made

    def fast_max_pool(
        inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid",
        data_format: Any = None,
    ) -> Any:  # fmt: skip
        made = _max_pool(inputs, pool_size, strides, padding, data_format)
        if made is None:
            return max_pool(inputs, pool_size, strides, padding, data_format)
        return made

    nn.conv, nn.max_pool = fast_conv, fast_max_pool
    try:
        yield
    finally:
        nn.conv, nn.max_pool = conv, max_pool


def _conv(x: Any, kernel: Any, strides: Any, padding: str, order: Any, dilation: Any) -> Any:
    """x[rows, …, c] * kernel[…, c, d]: every window a row of a matrix (Chellapilla et al. 2006)."""
    import jax.numpy as jnp

    size, channels = tuple(kernel.shape[:-2]), kernel.shape[-2]
    steps, spread = _each(strides, len(size)), _each(dilation, len(size))
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    if not _last(order) or x.shape[-1] != channels or x.dtype != kernel.dtype:
        return None  # grouped, or something else that is left to XLA
    reach = tuple((k - 1) * d + 1 for k, d in zip(size, spread, strict=True))
    x = _padded(x, reach, steps, padding, 0)
    shape = _windows_shape(x, reach, steps)
    if math.prod((x.shape[0], *shape, *size, channels)) * x.dtype.itemsize > _LARGEST:
        return None
    windows = jnp.concatenate(_windows(x, size, steps, spread, shape), -1)
    flat = windows.reshape(-1, math.prod(size) * channels)
    product = flat @ kernel.reshape(-1, kernel.shape[-1])
    return product.reshape(x.shape[0], *shape, kernel.shape[-1])


def _max_pool(x: Any, size: Any, strides: Any, padding: str, order: Any) -> Any:
    """The largest of each window; among equal ones the gradient goes to the first, as in XLA."""
    import jax
    import jax.numpy as jnp

    x = jnp.asarray(x)
    size = _each(size, x.ndim - 2)
    steps = size if strides is None else _each(strides, x.ndim - 2)
    if not _last(order) or not jnp.issubdtype(x.dtype, jnp.floating):
        return None
    x = _padded(x, size, steps, padding, -jnp.inf)
    shape = _windows_shape(x, size, steps)
    if math.prod((x.shape[0], *shape, *size, x.shape[-1])) * x.dtype.itemsize > _LARGEST:
        return None
    windows = jnp.stack(_windows(x, size, steps, (1,) * len(size), shape))
    first = jnp.arange(len(windows)).reshape(-1, *(1,) * x.ndim)
    chosen = first == jax.lax.stop_gradient(windows).argmax(0)[None]
    return jnp.where(chosen, windows, 0).sum(0)


def _windows(
    x: Any, size: Sequence[int], steps: Sequence[int], spread: Sequence[int], shape: Sequence[int]
) -> list[Any]:
    """For each place in a window, what lies there in all windows: `[rows, *shape, channels]`."""
    import jax

    found = []
    for place in itertools.product(*map(range, size)):
        begin = [p * d for p, d in zip(place, spread, strict=True)]
        end = [b + (n - 1) * s + 1 for b, n, s in zip(begin, shape, steps, strict=True)]
        found.append(
            jax.lax.slice(
                x, (0, *begin, 0), (x.shape[0], *end, x.shape[-1]), (1, *steps, 1)
            )
        )  # fmt: skip
    return found


def _padded(x: Any, reach: Sequence[int], steps: Sequence[int], padding: str, fill: float) -> Any:
    import jax
    import jax.numpy as jnp

    if padding.lower() == "valid":
        return x
    pads = jax.lax.padtype_to_pads(x.shape[1:-1], reach, steps, padding.upper())
    return jnp.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)


def _windows_shape(x: Any, reach: Sequence[int], steps: Sequence[int]) -> tuple[int, ...]:
    sizes = zip(x.shape[1:-1], reach, steps, strict=True)
    return tuple((n - r) // s + 1 for n, r, s in sizes)


def _each(value: Any, count: int) -> tuple[int, ...]:
    return (value,) * count if isinstance(value, int) else tuple(value)


def _last(order: Any) -> bool:
    import keras

    return str(order or keras.config.image_data_format()) == "channels_last"
