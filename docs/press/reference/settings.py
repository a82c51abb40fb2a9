"""The settings: from the typed object that holds them."""

from __future__ import annotations

import msgspec

from numen.core.settings import Settings
from press.reference.code import described, find

_HEAD = """# Settings

Later wins: defaults, `numen.toml` in the working directory, environment, flags. `numen doctor` says
where each value came from. Written from the code.

| Setting | In the environment | Default | What |
|---|---|---|---|
"""


def write() -> str:
    """The page."""
    said = described(find("numen.core.settings.Settings"))
    rows = []
    for field in msgspec.structs.fields(Settings):
        default = f"`{field.default}`" if field.default != "" else ""
        rows.append(
            f"| `{field.name}` | `NUMEN_{field.name.upper()}` | {default} | {said[field.name]} |"
        )
    return _HEAD + "\n".join(rows) + "\n"
