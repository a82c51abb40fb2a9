"""The command line: thin over `numen.api`. Modules are imported by the command that needs them."""

from __future__ import annotations

import signal
import sys
from typing import Final

from numen.cli.app import app
from numen.cli.show import fail
from numen.core.errors import NumenError

# Which exit status stands for which error code. A test proves the table complete.
EXIT: Final = {
    "invalid_input": 2,
    "invalid_data": 2,
    "unsupported_media": 2,
    "too_large": 2,
    "unauthenticated": 8,
    "forbidden": 8,
    "not_found": 3,
    "conflict": 4,
    "missing_extra": 5,
    "export_failed": 6,
    "corrupt_bundle": 6,
    "not_ready": 7,
    "overloaded": 7,
    "deadline_exceeded": 7,
    "cancelled": 130,
    "internal": 1,
}


def main() -> None:
    """The `numen` command."""
    # As tidy as Ctrl-C: what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except NumenError as error:
        fail(error)
        sys.exit(EXIT[error.code])
    except KeyboardInterrupt:
        sys.exit(EXIT["cancelled"])
    except BrokenPipeError:  # `numen … | head`
        sys.stderr.close()
        sys.exit(0)
