"""How much a GraphQL document may ask, checked before it is validated.

Validation compares fields in pairs and follows fragments wherever they are named, so both are
bounded first. Each fragment is measured once, however often it is spread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from strawberry.extensions import ValidationCache

MAX_TOKENS: Final = 4_000
MAX_DEPTH: Final = 12
MAX_ALIASES: Final = 16
MAX_FIELDS: Final = 600
REMEMBERED: Final = 32  # documents, as programs send the same few


class Limits(ValidationCache):
    """Refuses documents that are over a limit; the others' validation is remembered."""

    def __init__(self) -> None:
        super().__init__(maxsize=REMEMBERED)

    def on_operation(self) -> Iterator[None]:
        """Bounds the parser."""
        self.execution_context.parse_options["max_tokens"] = MAX_TOKENS
        yield

    def on_validate(self) -> Iterator[None]:
        """Measures the document; one over a limit is not validated."""
        document = self.execution_context.graphql_document
        errors = _Measure(document).errors() if document is not None else []
        if errors:
            self.execution_context.pre_execution_errors = errors
            yield
        else:
            yield from super().on_validate()


@dataclass(slots=True)
class _Size:
    """What a selection asks with its fragments written out."""

    fields: int = 0
    aliases: int = 0
    depth: int = 0

    def add(self, other: _Size, below: int = 0) -> None:
        self.fields += other.fields
        self.aliases += other.aliases
        self.depth = max(self.depth, other.depth + below)


class _Measure:
    """Measures one document."""

    def __init__(self, document: DocumentNode):
        self._document = document
        self._fragments: dict[str, SelectionSetNode] = {}
        self._known: dict[str, _Size] = {}
        for node in document.definitions:
            if isinstance(node, FragmentDefinitionNode):
                self._fragments[node.name.value] = node.selection_set

    def errors(self) -> list[GraphQLError]:
        """One error a limit that is passed."""
        total = _Size()
        for node in self._document.definitions:
            if isinstance(node, OperationDefinitionNode):
                total.add(self._of(node.selection_set))
        for name in self._fragments:  # also those that nothing spreads: they are validated too
            total.fields += self._of_fragment(name).fields
        return [
            GraphQLError(f"query: expected at most {limit} {what}, received {min(have, 10**9)}")
            for what, have, limit in (
                ("levels", total.depth, MAX_DEPTH),
                ("aliases", total.aliases, MAX_ALIASES),
                ("fields", total.fields, MAX_FIELDS),
            )
            if have > limit
        ]

    def _of(self, selections: SelectionSetNode) -> _Size:
        size = _Size()
        for node in selections.selections:
            if isinstance(node, FragmentSpreadNode):
                size.add(self._of_fragment(node.name.value))
            elif isinstance(node, FieldNode):
                size.fields += 1
                size.aliases += node.alias is not None
                inner = self._of(node.selection_set) if node.selection_set else _Size()
                if node.name.value.startswith("__"):
                    inner.depth = 0  # the schema's own depth has a rule of the library's
                size.add(inner, below=1)
            elif isinstance(node, InlineFragmentNode):
                size.add(self._of(node.selection_set))
        return size

    def _of_fragment(self, name: str) -> _Size:
        if name not in self._known:
            self._known[name] = _Size()  # for one that spreads itself, which validation refuses
            if name in self._fragments:
                self._known[name] = self._of(self._fragments[name])
        return self._known[name]
