"""The user's own `module:build`: found in the working directory or among what is installed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numen.core.errors import InvalidInput


def find_build(family: str) -> Callable[..., Any]:
    """The function that a family such as `my_models:build` names.

    Raises:
        InvalidInput: There is no such module, or nothing in it that can be called so.
    """
    module_name, _, function_name = family.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise InvalidInput(
            f'family "{family}": no module "{error.name}" in {here} or installed',
            field="family",
        ) from error
    finally:
        sys.path.remove(here)
    build = getattr(module, function_name, None)
    if not callable(build):
        raise InvalidInput(
            f'family "{family}": {module_name} has no function "{function_name}"', field="family"
        )
    return build  # type: ignore[no-any-return]
