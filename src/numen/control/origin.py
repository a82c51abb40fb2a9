"""Whether a browser says that another site's page made a request.

A page may send some requests anywhere without asking first, and open a WebSocket to anywhere; where
no key is asked for, it could then do what only this machine's programs may.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from numen.core.errors import Forbidden


def other_site(headers: Mapping[str, str]) -> bool:
    """Whether it comes from a page of another origin."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    try:
        return origin is not None and urlsplit(origin).netloc != headers.get("host")
    except ValueError:
        return True


def refuse_other_site(headers: Mapping[str, str]) -> None:
    """Lets only this site's pages, and programs that are no browser.

    Raises:
        Forbidden: Another site's page asks.
    """
    if other_site(headers):
        raise Forbidden("another site's page may not do this", field="Origin")
