"""The way of one request: take it apart, read what tells of calls, price that, write the costs on.

Pure: the same bytes give the same, so a request that is sent again gives the same charges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from otel_llmcost.core.prices import PriceBook
from otel_llmcost_collector.bounded import Bounded
from otel_llmcost_collector.dialects.base import Around, Value
from otel_llmcost_collector.observed import Observed
from otel_llmcost_collector.observing import Observing, Written, retold
from otel_llmcost_collector.otlp import frame, json
from otel_llmcost_collector.otlp.schema import Span
from otel_llmcost_collector.otlp.values import Values, from_json, from_wire
from otel_llmcost_collector.shapes import TOLD, Readers, Shape, ShapesOfScope, shapes_by_scope

MOST_TEXT = 256
"""Characters that are kept of a text."""
_MOST_AROUND = 1024
_LONGEST_AROUND = 16_384
"""Bytes of a resource and a scope together; longer ones are read anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What became of a request."""

    content: bytes
    """The same request with the costs on it; if nothing was written, the very same bytes."""
    observed: list[Observed]
    spans: int
    inference: int
    """Spans that tell of a call."""
    rejected: int
    """Spans that could not be read; they are handed on as they came."""
    unpriced: Mapping[str, int]
    """Why there was no price → of how many calls."""


@dataclass(slots=True)
class _Batch:
    """What was found so far."""

    observed: list[Observed] = field(default_factory=list[Observed])
    inference: int = 0
    rejected: int = 0
    unpriced: dict[str, int] = field(default_factory=dict[str, int])


_Context = tuple[Around, ShapesOfScope]


class _Scope(NamedTuple):
    """What is the same for all spans of one scope in one request."""

    around: Around
    values: Values
    batch: _Batch


class Pipeline:
    """Prices requests to export traces. What it remembers only makes it faster. For one thread."""

    def __init__(self, book: PriceBook, *, readers: Readers, most_text: int = MOST_TEXT) -> None:
        """Take over what is known.

        Args:
            book: all rates.
            readers: who reads which spans.
            most_text: characters that are kept of any text.
        """
        self._observing = Observing(book, most_text)
        self._most_text = most_text
        self._shapes = shapes_by_scope(readers)
        self._wire = Values(from_wire, most_text)
        self._json = Values(from_json, most_text)
        self._around: Contexts = Bounded(self._wire_context, _MOST_AROUND, is_kept=_is_short)
        self._json_around: Contexts = Bounded(self._json_context, _MOST_AROUND, is_kept=_is_short)

    def use(self, book: PriceBook) -> None:
        """Go on with other rates."""
        self._observing.use(book)

    def traces(self, content: bytes) -> Priced:
        """Price a request in protobuf.

        Raises:
            MalformedError: it is no request to export traces.
        """
        request, batch = frame.parsed(content), _Batch()
        changed = [self._price(hits, batch) for hits in frame.hits(request)]
        return _priced(request.SerializeToString() if any(changed) else content, frame.number_of_spans(request), batch)

    def traces_json(self, content: bytes) -> Priced:
        """Price a request in JSON.

        Raises:
            MalformedError: it is no request to export traces.
        """
        request, batch = json.Request(content), _Batch()
        changed = [self._price_json(hits, batch) for hits in request.hits()]
        return _priced(request.written() if any(changed) else content, request.number_of_spans(), batch)

    def _price(self, hits: frame.Hits, batch: _Batch) -> bool:
        """Price the spans of one scope; return whether anything was written.

        A span with as many attributes as the latest had, and the same names among them, has the same ones.
        """
        around, shapes = self._around[hits.resource, hits.scope]
        scope, latest = _Scope(around, self._wire, batch), shapes.latest
        spans, value_of, changed = hits.within.spans, self._wire.__getitem__, False
        for place, content, span in zip(hits.places, hits.contents, frame.spans_of(hits.contents), strict=True):
            if span is None:
                batch.rejected += 1
                continue
            attributes = span.attributes
            shape = latest.get(len(attributes))
            if shape is not None:
                picked = shape.pick(attributes)  # what is looked for in vain is in such a map from now on
            if shape is None or len(attributes) != shape.names:
                shape, picked = _other_shape(shapes, content)
            if shape.reader is not None:
                written = self._note(span, content, shape, list(map(value_of, picked[: shape.wanted])), scope)
                if written is not None:
                    layout, numbers, charge_id = written
                    spans[place] = content + layout.wire(numbers, charge_id)
                    changed = True
        return changed

    def _price_json(self, hits: json.Hits, batch: _Batch) -> bool:
        """Price the spans of one scope; return whether anything was written."""
        around, shapes = self._json_around[hits.resource, hits.scope]
        scope = _Scope(around, self._json, batch)
        changed = False
        for place, content in zip(hits.places, hits.contents, strict=True):
            span = json.span_of(content)
            if span is None:
                batch.rejected += 1
                continue
            shape = shapes[tuple(span.attributes)]
            values = [self._json[each] for each in shape.pick(span.attributes)[: shape.wanted]]
            written = self._note(span, content, shape, values, scope)
            if written is not None:
                layout, numbers, charge_id = written
                changed |= hits.write(place, json.with_attributes(content, layout.json(numbers, charge_id)))
        return changed

    def _note(
        self, span: Span, content: bytes, shape: Shape, values: list[Value | None], scope: _Scope
    ) -> Written | None:
        """Read a span and note what it tells; return what is to be written on it."""
        reader, batch = shape.reader, scope.batch
        told = None
        if shape.was_priced:
            values, told = values[: -len(TOLD)], values[-len(TOLD) :]
        telling = None if reader is None else reader.read(span.name, values, scope.around)
        if telling is None:
            return None
        batch.inference += 1
        if told is not None:
            telling = retold(telling, told)
        if scope.values.met_long:
            scope.values.met_long = False
            telling = self._observing.shortened(telling)
        observed, unpriced, written = self._observing.noted(telling, shape, span, content)
        if observed is not None:
            batch.observed.append(observed)
        if unpriced is not None:
            batch.unpriced[unpriced] = batch.unpriced.get(unpriced, 0) + 1
        return written

    def _wire_context(self, key: tuple[bytes, bytes]) -> _Context:
        resource, scope = key
        return self._context(frame.name_of(scope), frame.attributes_of(resource), from_wire)

    def _json_context(self, key: tuple[bytes, bytes]) -> _Context:
        resource, scope = key
        return self._context(json.name_of(scope), json.attributes_of(resource), from_json)

    def _context(self, scope: str, resource: Mapping[str, bytes], read: Callable[[bytes], Value | None]) -> _Context:
        values = {name: value for name, content in resource.items() if (value := read(content)) is not None}
        most = self._most_text
        cut = {name: value[:most] if isinstance(value, str) else value for name, value in values.items()}
        return Around(scope, cut), self._shapes[scope]


Contexts = Bounded[tuple[bytes, bytes], _Context]
"""By resource and scope as they came."""


def _is_short(key: tuple[bytes, bytes]) -> bool:
    return sum(map(len, key)) <= _LONGEST_AROUND


def _other_shape(shapes: ShapesOfScope, content: bytes) -> tuple[Shape, Sequence[bytes]]:
    """Find out how a span is read that is not like the latest."""
    attributes = frame.attributes_anew(content)
    shape = shapes.find(tuple(attributes))
    return shape, shape.pick(attributes)


def _priced(content: bytes, spans: int, batch: _Batch) -> Priced:
    return Priced(
        content=content,
        observed=batch.observed,
        spans=spans,
        inference=batch.inference,
        rejected=batch.rejected,
        unpriced=batch.unpriced,
    )
