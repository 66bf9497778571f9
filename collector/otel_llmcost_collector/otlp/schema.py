"""Messages that read of a request to export traces just what is needed.

They are compatible on the wire with OpenTelemetry's own, of which they name some fields only; what they do not name is
kept and written again. Where one declares bytes, whatever stands there is neither read nor checked: a span stays bytes
until it is known to tell of a call, and the values of its attributes until they are wanted, so a prompt of any size or
nesting costs a copy. An entry of a map is on the wire what a key with its value is, and is found by name in C.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableSequence, Sequence
from typing import Protocol, Self, cast

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

__all__ = [
    "Attributes",
    "AttributesMessage",
    "DecodeError",
    "Frame",
    "FrameMessage",
    "Scope",
    "ScopeMessage",
    "ScopeSpans",
    "ScopeSpansMessage",
    "Span",
    "SpanMessage",
    "SpansOfScope",
    "SpansOfScopeMessage",
    "Status",
    "Value",
    "ValueMessage",
    "WireSpan",
]

_PACKAGE = "otel_llmcost"
_TYPES = {
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "fixed64": FieldDescriptorProto.TYPE_FIXED64,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "enum": FieldDescriptorProto.TYPE_INT32,
}
_FIELDS: Mapping[str, Sequence[tuple[int, str, str]]] = {
    "Frame": [(1, "resource_spans", "*ResourceSpans")],
    "ResourceSpans": [(1, "resource", "bytes"), (2, "scope_spans", "*ScopeSpans")],
    "ScopeSpans": [(1, "scope", "bytes"), (2, "spans", "*bytes")],
    "SpansOfScope": [(2, "spans", "*Span")],
    "Attributes": [(1, "attributes", "map")],
    "Scope": [(1, "name", "string")],
    "Span": [
        (1, "trace_id", "bytes"),
        (2, "span_id", "bytes"),
        (4, "parent_span_id", "bytes"),
        (5, "name", "string"),
        (7, "start", "fixed64"),
        (8, "end", "fixed64"),
        (9, "attributes", "map"),
        (15, "status", "Status"),
    ],
    "Status": [(3, "code", "enum")],
    "Value": [
        (1, "text", "|string"),
        (2, "truth", "|bool"),
        (3, "whole", "|int64"),
        (4, "real", "|double"),
        (5, "several", "|Values"),
    ],
    "Values": [(1, "values", "*Value")],
}
"""Message → number, name and type of its fields. `*`: repeated, `|`: one of several, `map`: text → bytes."""


class Message(Protocol):
    """What all messages can."""

    @classmethod
    def FromString(cls, content: bytes) -> Self: ...  # noqa: N802 -- as protobuf has it
    def SerializeToString(self) -> bytes: ...  # noqa: N802 -- as protobuf has it


class ScopeSpans(Message, Protocol):
    """The spans of one scope, each as bytes."""

    scope: bytes
    spans: MutableSequence[bytes]


class ResourceSpans(Message, Protocol):
    """The spans of one resource."""

    resource: bytes
    scope_spans: Sequence[ScopeSpans]


class Frame(Message, Protocol):
    """A request to export traces."""

    resource_spans: Sequence[ResourceSpans]


class Status(Protocol):
    """How a span ended."""

    @property
    def code(self) -> int:
        """0: nobody said, 1: well, 2: in an error."""
        ...


class Span(Protocol):
    """What is read of a span."""

    @property
    def trace_id(self) -> bytes:
        """16 bytes, if it is right."""
        ...

    @property
    def span_id(self) -> bytes:
        """8 bytes, if it is right."""
        ...

    @property
    def parent_span_id(self) -> bytes:
        """Empty: it has no parent."""
        ...

    @property
    def name(self) -> str:
        """What it was called."""
        ...

    @property
    def start(self) -> int:
        """In ns since 1970."""
        ...

    @property
    def end(self) -> int:
        """In ns since 1970."""
        ...

    @property
    def attributes(self) -> Mapping[str, bytes]:
        """Values as they came; of two with one name the last."""
        ...

    @property
    def status(self) -> Status:
        """How it ended."""
        ...


class WireSpan(Span, Message, Protocol):
    """A span in protobuf."""


class SpansOfScope(Message, Protocol):
    """The same on the wire as `ScopeSpans`, to read many spans at once."""

    spans: Sequence[WireSpan]


class Attributes(Message, Protocol):
    """What is read of a resource."""

    attributes: Mapping[str, bytes]


class Scope(Message, Protocol):
    """What is read of a scope."""

    name: str


class Value(Message, Protocol):
    """The value of an attribute."""

    text: str
    truth: bool
    whole: int
    real: float
    several: Values

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 -- as protobuf has it
        """Tell which of the fields is set."""
        ...


class Values(Message, Protocol):
    """An array."""

    values: Sequence[Value]


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            _add(message, number, field, kind)
    return file


def _add(message: DescriptorProto, number: int, name: str, kind: str) -> None:
    bare = kind.lstrip("*|")
    field = message.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if kind == "map":
        _add_entry(message, field)
    elif bare in _TYPES:
        field.type = _TYPES[bare]
    else:
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{_PACKAGE}.{bare}"
    if kind.startswith("*"):
        field.label = FieldDescriptorProto.LABEL_REPEATED
    elif kind.startswith("|"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="value")
        field.oneof_index = 0


def _add_entry(message: DescriptorProto, field: FieldDescriptorProto) -> None:
    entry = message.nested_type.add(name="AttributesEntry")
    entry.options.map_entry = True
    _add(entry, 1, "key", "string")
    _add(entry, 2, "value", "bytes")
    field.label, field.type = FieldDescriptorProto.LABEL_REPEATED, FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = f".{_PACKAGE}.{message.name}.AttributesEntry"


_pool = DescriptorPool()  # an own one: other programs' messages in this process are none of our business
_pool.AddSerializedFile(_file().SerializeToString())


def _class(name: str) -> object:
    return GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


FrameMessage = cast("type[Frame]", _class("Frame"))
ScopeSpansMessage = cast("Callable[..., ScopeSpans]", _class("ScopeSpans"))
SpansOfScopeMessage = cast("type[SpansOfScope]", _class("SpansOfScope"))
SpanMessage = cast("type[WireSpan]", _class("Span"))
AttributesMessage = cast("type[Attributes]", _class("Attributes"))
ScopeMessage = cast("type[Scope]", _class("Scope"))
ValueMessage = cast("type[Value]", _class("Value"))
