"""The command: build, or serve."""

from __future__ import annotations

import argparse
import http.server
import sys
import threading
import time
from functools import partial

from press.build import DOCS, SITE, BuildError, build


def main() -> int:
    """Builds the site, and serves it where that is asked for."""
    parser = argparse.ArgumentParser(prog="press", description="The site of the documentation.")
    parser.add_argument("verb", nargs="?", choices=["build", "serve"], default="build")
    parser.add_argument("--port", type=int, default=8100)
    said = parser.parse_args()
    try:
        build()
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"✓ {SITE}")
    if said.verb == "serve":
        _serve(said.port)
    return 0


def _serve(port: int) -> None:
    handler = partial(_Quiet, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"✓ http://127.0.0.1:{server.server_port}/  Ctrl-C stops")
    try:
        _follow()
    except KeyboardInterrupt:
        server.shutdown()


def _follow() -> None:
    seen = _newest()
    while True:
        time.sleep(0.5)
        if (now := _newest()) != seen:
            seen = now
            try:
                build()
                print("✓ built again")
            except BuildError as error:
                print(error, file=sys.stderr)


def _newest() -> float:
    return max(path.stat().st_mtime for path in DOCS.rglob("*") if path.is_file())


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    sys.exit(main())
