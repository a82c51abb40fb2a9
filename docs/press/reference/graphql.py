"""GraphQL: the schema as the language of schemas writes it."""

from __future__ import annotations

_HEAD = """# GraphQL

The schema that `/graphql` serves, on the same port. Written from the code.

"""


def write() -> str:
    """The page."""
    return f"{_HEAD}```graphql\n{schema()}\n```\n"


def schema() -> str:
    """The schema in SDL."""
    from numen.control.graphql.schema import make

    return make().as_str().strip()
