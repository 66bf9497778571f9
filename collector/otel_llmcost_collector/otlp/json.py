"""A request in JSON: as in protobuf, what does not tell of a call stays as it came, byte for byte.

Only objects on the way to a span that is written on are put together anew; what they hold beside it is kept as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Raw

from otel_llmcost_collector.otlp.errors import MalformedError
from otel_llmcost_collector.otlp.frame import Readable, prefixes_pattern, without_broken

T = TypeVar("T")
Object = dict[str, Raw]
"""Of which only what is looked for is read."""
_MOST_NS = 2**64
_FAILED = "STATUS_CODE_ERROR"
_may_tell = re.compile(rb'"key"\s*:\s*"' + prefixes_pattern() + rb"\.").search
_write = msgspec.json.Encoder().encode


class _Attribute(msgspec.Struct):
    key: str = ""
    value: Raw = Raw(b"null")


class _Named(msgspec.Struct):
    name: str | None = None


class _Resource(msgspec.Struct):
    attributes: list[_Attribute] | None = None


class _Status(msgspec.Struct):
    code: int | str | None = None


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    start_time_unix_nano: int | str | None = None
    end_time_unix_nano: int | str | None = None
    attributes: list[_Attribute] | None = None
    status: _Status | None = None


class Status(NamedTuple):
    """How a span ended."""

    code: int


class Span(NamedTuple):
    """What is read of a span, as `schema.Span` has it."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    name: str
    start: int
    end: int
    attributes: Mapping[str, bytes]
    status: Status


_read_object = msgspec.json.Decoder(Object).decode
_read_objects = msgspec.json.Decoder(list[Object] | None).decode
_read_spans = msgspec.json.Decoder(list[Raw] | None).decode
_read_span = msgspec.json.Decoder(_Span).decode
_read_resource = msgspec.json.Decoder(_Resource | None).decode
_read_named = msgspec.json.Decoder(_Named | None).decode


class _OfScope(NamedTuple):
    """The spans of one scope, in the objects that hold them."""

    resource: Object
    scope: Object
    spans: list[Raw]


class Hits(NamedTuple):
    """The spans of one scope that may tell of calls."""

    resource: bytes
    scope: bytes
    within: list[Raw]
    places: Sequence[int]
    """Where they stand in `within`."""
    contents: Sequence[bytes]

    def write(self, place: int, content: bytes | None) -> bool:
        """Put another span into the place of one, if there is one."""
        if content is not None:
            self.within[place] = Raw(content)
        return content is not None


class Request:
    """A request, taken apart but for its spans."""

    def __init__(self, content: bytes) -> None:
        """Take a request apart.

        Raises:
            MalformedError: it is no request to export traces.
        """
        self._top = _checked(_read_object, content)
        self._resources = _objects(self._top, "resourceSpans")
        self._scopes = [_objects(resource, "scopeSpans") for resource in self._resources]
        self._all = [
            _OfScope(resource, scope, _spans(scope))
            for resource, scopes in zip(self._resources, self._scopes, strict=True)
            for scope in scopes
        ]

    def number_of_spans(self) -> int:
        """Count spans."""
        return sum(len(each.spans) for each in self._all)

    def hits(self) -> Iterator[Hits]:
        """Find the spans that may tell of calls."""
        for resource, scope, spans in self._all:
            places = list(compress(range(len(spans)), map(_may_tell, spans)))
            if places:
                contents = [bytes(spans[place]) for place in places]
                yield Hits(_bytes(resource, "resource"), _bytes(scope, "scope"), spans, places, contents)

    def written(self) -> bytes:
        """Put the request together again."""
        for _, scope, spans in self._all:
            if spans:
                scope["spans"] = Raw(_write(spans))
        for resource, scopes in zip(self._resources, self._scopes, strict=True):
            if scopes:
                resource["scopeSpans"] = Raw(_write(scopes))
        self._top["resourceSpans"] = Raw(_write(self._resources))
        return _write(self._top)


def readable(hits: Hits) -> Readable:
    """Read spans."""
    return without_broken(hits.places, hits.contents, map(span_of, hits.contents))


def span_of(content: bytes) -> Span | None:
    """Read a span; None: it is none."""
    try:
        read = _read_span(content)
        return Span(
            _id(read.trace_id),
            _id(read.span_id),
            _id(read.parent_span_id),
            read.name or "",
            _time(read.start_time_unix_nano),
            _time(read.end_time_unix_nano),
            _by_name(read.attributes),
            Status(_code(read.status)),
        )
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def with_attributes(content: bytes, attributes: Sequence[bytes]) -> bytes | None:
    """Write attributes behind those that a span has, which is known to have some; None: it has names that are none."""
    try:
        span = _read_object(content)
    except ValueError:  # a name that is no UTF-8
        return None
    before = bytes(span["attributes"]).rstrip().removesuffix(b"]")
    span["attributes"] = Raw(b",".join((before, *attributes)) + b"]")
    return _write(span)


def checked(content: bytes) -> None:
    """Look whether this is an object at all.

    Raises:
        MalformedError: it is not.
    """
    _checked(_read_object, content)


def attributes_of(resource: bytes) -> Mapping[str, bytes]:
    """Read a resource's attributes; of one that is broken, none."""
    try:
        read = _read_resource(resource)
    except (ValueError, RecursionError):
        return {}
    return _by_name(None if read is None else read.attributes)


def name_of(scope: bytes) -> str:
    """Read a scope's name; of one that is broken, none."""
    try:
        read = _read_named(scope)
    except (ValueError, RecursionError):
        return ""
    return (read and read.name) or ""


def _by_name(attributes: list[_Attribute] | None) -> Mapping[str, bytes]:
    return {each.key: bytes(each.value) for each in attributes or ()}


def _checked(read: Callable[[bytes], T], content: bytes) -> T:
    try:
        return read(content)
    except (ValueError, RecursionError) as error:
        raise MalformedError(str(error)) from None


def _objects(within: Object, name: str) -> list[Object]:
    return _checked(_read_objects, within[name]) or [] if name in within else []


def _spans(scope: Object) -> list[Raw]:
    return _checked(_read_spans, scope["spans"]) or [] if "spans" in scope else []


def _bytes(within: Object, name: str) -> bytes:
    return bytes(within[name]) if name in within else b"null"


def _id(text: str | None) -> bytes:
    """Read hexadecimal digits; what is none is no id."""
    try:
        return bytes.fromhex(text or "")
    except ValueError:
        return b""


def _time(told: int | str | None) -> int:
    at = int(told or 0)
    if not 0 <= at < _MOST_NS:
        msg = "no time"
        raise ValueError(msg)
    return at


def _code(status: _Status | None) -> int:
    """Read a status by number or by name."""
    code = None if status is None else status.code
    return code if isinstance(code, int) else 2 if code == _FAILED else 0
