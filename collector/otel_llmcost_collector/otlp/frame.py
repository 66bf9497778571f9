"""A request in protobuf: taken apart as far as it tells of calls, put together again with what was written on.

A span gets more attributes by bytes that are appended to its own: in protobuf, messages that stand one behind the
other are one. So nothing of it is written anew, and what we do not know stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import NamedTuple

from otel_llmcost_collector.otlp.errors import MalformedError
from otel_llmcost_collector.otlp.schema import (
    AttributesMessage,
    DecodeError,
    Frame,
    FrameMessage,
    ScopeMessage,
    ScopeSpans,
    ScopeSpansMessage,
    Span,
    SpanMessage,
    SpansOfScopeMessage,
)

PREFIXES = ("ai", "decision", "embedding", "gen_ai", "langfuse", "llm", "llmcost", "openinference", "reranker")
"""What names of attributes begin with, up to the first point; every span that tells of a call has one that does."""


def prefixes_pattern() -> bytes:
    """Write the prefixes as a pattern, loosely: a first letter of one may stand before the rest of another.

    It is tried at each line of each prompt, and so takes two thirds of the time that an exact one does.
    """
    letters = "".join(sorted({prefix[0] for prefix in PREFIXES}))
    return f"[{letters}](?:{'|'.join(prefix[1:] for prefix in PREFIXES)})".encode()


# A key is preceded by its tag and its length. Text inside a prompt may look the same, so this only tells which spans
# are worth taking apart.
may_tell = re.compile(rb"\n[\x04-\x7f]" + prefixes_pattern() + rb"\.").search
"""Tell whether a span, or any of a whole request, may tell of a call."""


class Hits(NamedTuple):
    """The spans of one scope that may tell of calls."""

    resource: bytes
    scope: bytes
    within: ScopeSpans
    places: Sequence[int]
    """Where they stand in `within.spans`."""
    contents: Sequence[bytes]


def parsed(content: bytes) -> Frame:
    """Take a request apart, but for its spans.

    Raises:
        MalformedError: it is no request to export traces.
    """
    try:
        return FrameMessage.FromString(content)
    except DecodeError as error:
        raise MalformedError(str(error)) from None


def number_of_spans(frame: Frame) -> int:
    """Count spans."""
    return sum(len(scope.spans) for resource in frame.resource_spans for scope in resource.scope_spans)


def hits(frame: Frame) -> Iterator[Hits]:
    """Find the spans that may tell of calls."""
    for of_resource in frame.resource_spans:
        for within in of_resource.scope_spans:
            spans = list(within.spans)
            places = list(compress(range(len(spans)), map(may_tell, spans)))
            if places:
                contents = [spans[place] for place in places]
                yield Hits(of_resource.resource, within.scope, within, places, contents)


Readable = tuple[Sequence[int], Sequence[bytes], Sequence[Span]]
"""Spans that can be read, and before them their places and how they came."""


def readable(hits: Hits) -> Readable:
    """Read spans: all at once, since that is faster; one by one only if any is broken."""
    try:
        message = ScopeSpansMessage(spans=hits.contents).SerializeToString()
        return hits.places, hits.contents, list(SpansOfScopeMessage.FromString(message).spans)
    except DecodeError:
        return without_broken(hits.places, hits.contents, map(_span, hits.contents))


def without_broken(places: Sequence[int], contents: Sequence[bytes], spans: Iterable[Span | None]) -> Readable:
    """Leave out what could not be read."""
    read = zip(places, contents, spans, strict=True)
    good = [(place, content, span) for place, content, span in read if span is not None]
    return [each[0] for each in good], [each[1] for each in good], [each[2] for each in good]


def _span(content: bytes) -> Span | None:
    try:
        return SpanMessage.FromString(content)
    except DecodeError:
        return None


def attributes_anew(content: bytes) -> Mapping[str, bytes]:
    """Read the attributes of a span that could be read before."""
    return SpanMessage.FromString(content).attributes


def attributes_of(resource: bytes) -> Mapping[str, bytes]:
    """Read a resource's attributes; of one that is broken, none."""
    try:
        return AttributesMessage.FromString(resource).attributes
    except DecodeError:
        return {}


def name_of(scope: bytes) -> str:
    """Read a scope's name; of one that is broken, none."""
    try:
        return ScopeMessage.FromString(scope).name
    except DecodeError:
        return ""
