"""The GraphQL door, `/graphql`: both roads behind one schema.

`schema` says what can be asked, `predict` runs models, `limits` bounds a document, `body` and
`negotiate` are GraphQL over HTTP, and `door` joins them. Nothing here knows a model's insides.
"""

from __future__ import annotations

from numen.control.graphql.door import router

__all__ = ["router"]
