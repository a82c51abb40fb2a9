"""Protocol buffer messages from `.proto` files, read at import: no generated code, no compiler.

It reads what numen's own files use of the language: proto3, messages, enums, oneofs, maps,
services. Each file has a pool of its own, so that a client library with the same names can be
imported into the same process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

_TOKEN: Final = re.compile(r'//[^\n]*|\s+|("[^"]*"|[\w.]+|[{}()<>=;,])')
_Field: Final = descriptor_pb2.FieldDescriptorProto


@dataclass(frozen=True, slots=True)
class Method:
    """One call of a service.

    Attributes:
        path: What callers ask for, `/package.Service/Method`.
        request: Class of the messages that come.
        answer: Class of the messages that go.
        streams_in: Whether any number of messages may come.
        streams_out: Whether any number of messages may go.
    """

    path: str
    request: type[Message]
    answer: type[Message]
    streams_in: bool
    streams_out: bool


class Proto:
    """What one file says.

    Args:
        name: The file's name in `transport/protos`.
        package: Another package than the file's own.
    """

    def __init__(self, name: str, package: str | None = None):
        text = files("numen.transport.protos").joinpath(name).read_text(encoding="utf-8")
        file = _Reader(text).file(name)
        if package is not None:
            _move(file, package, name)
        self.file: Final[bytes] = file.SerializeToString()
        self._pool = descriptor_pool.DescriptorPool()
        self._pool.AddSerializedFile(self.file)
        self.package: Final = file.package
        self.name: Final = file.name
        found = self._pool.FindFileByName(file.name)
        self.services: Final[tuple[str, ...]] = tuple(
            service.full_name for service in found.services_by_name.values()
        )
        self._found = found

    def __getattr__(self, name: str) -> Any:
        """The class of a message, by its name."""
        descriptor = self._found.message_types_by_name.get(name)
        if descriptor is None:
            raise AttributeError(name)
        made = message_factory.GetMessageClass(descriptor)
        setattr(self, name, made)
        return made

    def methods(self) -> Iterator[Method]:
        """All calls of its services."""
        for service in self._found.services_by_name.values():
            for method in service.methods:
                yield Method(
                    f"/{service.full_name}/{method.name}",
                    message_factory.GetMessageClass(method.input_type),
                    message_factory.GetMessageClass(method.output_type),
                    method.client_streaming,
                    method.server_streaming,
                )

    def defines(self, symbol: str) -> bool:
        """Whether it says what a full name stands for."""
        for find in (self._pool.FindFileContainingSymbol, self._pool.FindMethodByName):
            with suppress(KeyError):
                return find(symbol) is not None
        return False


def _move(file: Any, package: str, name: str) -> None:
    def moved(type_: str) -> str:
        return type_.replace(f".{file.package}.", f".{package}.", 1)

    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = moved(field.type_name)
    for service in file.service:
        for method in service.method:
            method.input_type, method.output_type = (
                moved(method.input_type), moved(method.output_type),
            )  # fmt: skip
    file.package = package
    file.name = f"{package}/{name}"


class _Reader:
    """Reads a file's tokens into its descriptor."""

    def __init__(self, text: str):
        self._tokens = [match.group(1) for match in _TOKEN.finditer(text) if match.group(1)]
        self._at = 0

    def file(self, name: str) -> Any:
        file = descriptor_pb2.FileDescriptorProto(name=name, syntax="proto3")
        self._skip("syntax", "=", '"proto3"', ";", "package")
        file.package = self._next()
        self._skip(";")
        while self._at < len(self._tokens):
            kind = self._next()
            part = {"message": file.message_type, "enum": file.enum_type, "service": file.service}
            read = {"message": self._message, "enum": self._enum, "service": self._service}
            read[kind](part[kind].add())
        kinds = dict(_kinds(file.message_type, file.enum_type, f".{file.package}"))
        for message in file.message_type:
            _resolve(message, f".{file.package}.{message.name}", kinds)
        for service in file.service:
            for method in service.method:
                method.input_type = f".{file.package}.{method.input_type}"
                method.output_type = f".{file.package}.{method.output_type}"
        return file

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _skip(self, *expected: str) -> None:
        for token in expected:
            found = self._next()
            assert found == token, f"expected {token}, found {found}"

    def _ends(self, token: str) -> bool:
        self._at += (found := self._tokens[self._at] == token)
        return found

    def _message(self, message: Any) -> None:
        message.name = self._next()
        self._skip("{")
        while not self._ends("}"):
            if self._ends("message"):
                self._message(message.nested_type.add())
            elif self._ends("enum"):
                self._enum(message.enum_type.add())
            elif self._ends("oneof"):
                message.oneof_decl.add(name=self._next())
                self._skip("{")
                while not self._ends("}"):
                    self._field(message).oneof_index = len(message.oneof_decl) - 1
            else:
                self._field(message)

    def _field(self, message: Any) -> Any:
        label = _Field.LABEL_REPEATED if self._ends("repeated") else _Field.LABEL_OPTIONAL
        type_ = self._next()
        if type_ == "map":
            self._skip("<")
            key = self._next()
            self._skip(",")
            value = self._next()
            self._skip(">")
            label = _Field.LABEL_REPEATED
            type_ = f"{self._tokens[self._at].title().replace('_', '')}Entry"
            entry = message.nested_type.add(name=type_)
            entry.options.map_entry = True
            for number, (name, kind) in enumerate((("key", key), ("value", value)), 1):
                entry.field.add(name=name, number=number, type_name=kind, label=1)
        field = message.field.add(name=self._next(), type_name=type_, label=label)
        self._skip("=")
        field.number = int(self._next())
        self._skip(";")
        return field

    def _enum(self, enum: Any) -> None:
        enum.name = self._next()
        self._skip("{")
        while not self._ends("}"):
            value = enum.value.add(name=self._next())
            self._skip("=")
            value.number = int(self._next())
            self._skip(";")

    def _service(self, service: Any) -> None:
        service.name = self._next()
        self._skip("{")
        while not self._ends("}"):
            self._skip("rpc")
            method = service.method.add(name=self._next())
            self._skip("(")
            method.client_streaming = self._ends("stream")
            method.input_type = self._next()
            self._skip(")", "returns", "(")
            method.server_streaming = self._ends("stream")
            method.output_type = self._next()
            self._skip(")", ";")


def _kinds(messages: Any, enums: Any, scope: str) -> Iterator[tuple[str, int]]:
    for enum in enums:
        yield f"{scope}.{enum.name}", _Field.TYPE_ENUM
    for message in messages:
        yield f"{scope}.{message.name}", _Field.TYPE_MESSAGE
        yield from _kinds(message.nested_type, message.enum_type, f"{scope}.{message.name}")


def _resolve(message: Any, scope: str, kinds: dict[str, int]) -> None:
    """Gives each field its type: a scalar's, or that of the nearest message or enum of the name."""
    for field in message.field:
        scalar = getattr(_Field, f"TYPE_{field.type_name.upper()}", None)
        if scalar is not None:
            field.type = scalar
            field.ClearField("type_name")
            continue
        around = scope
        while f"{around}.{field.type_name}" not in kinds:
            around = around.rpartition(".")[0]
        field.type_name = f"{around}.{field.type_name}"
        field.type = kinds[field.type_name]
    for nested in message.nested_type:
        _resolve(nested, f"{scope}.{nested.name}", kinds)


INFERENCE: Final = Proto("inference.proto")
HEALTH: Final = Proto("health.proto")
REFLECTION: Final = Proto("reflection.proto")
REFLECTION_ALPHA: Final = Proto("reflection.proto", "grpc.reflection.v1alpha")
