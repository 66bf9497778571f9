"""The way of one request: take it apart, read what tells of calls, price that, write the costs on.

Pure: the same bytes give the same, so a request that is sent again gives the same charges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from otel_llmcost.core.prices import PriceBook
from otel_llmcost.telemetry import semconv
from otel_llmcost_collector.bounded import Bounded
from otel_llmcost_collector.dialects.base import Around, Reader, Telling, Value
from otel_llmcost_collector.observed import NOTHING_ELSEWHERE, Elsewhere, Observed
from otel_llmcost_collector.observing import DUPLICATE, Observing, Written, duplicate, retold
from otel_llmcost_collector.otlp import frame, json
from otel_llmcost_collector.otlp.schema import Span
from otel_llmcost_collector.otlp.values import Values, from_json, from_wire
from otel_llmcost_collector.shapes import TOLD, Readers, Shape, ShapesOfScope, shapes_by_scope

MOST_TEXT = 256
"""Characters that are kept of a text."""
_STATUS_TOLD = TOLD.index(semconv.COST_STATUS) - len(TOLD)
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

    def add(self, part: _Batch) -> None:
        """Add what was found in some spans."""
        self.observed += part.observed
        self.inference += part.inference
        for reason, count in part.unpriced.items():
            self.unpriced[reason] = self.unpriced.get(reason, 0) + count


_Context = tuple[Around, ShapesOfScope]


class _Spans(NamedTuple):
    """Spans of one scope that may tell of calls."""

    spans: Sequence[Span]
    contents: Sequence[bytes]
    """How they came."""
    picked: Sequence[tuple[Shape, Sequence[bytes]]]
    """How each is read, and what is read of it."""
    around: Around
    values: Values

    def only(self, place: int) -> _Spans:
        """Return one of them alone."""
        one = slice(place, place + 1)
        return _Spans(self.spans[one], self.contents[one], self.picked[one], self.around, self.values)


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

    def traces(self, content: bytes, elsewhere: Elsewhere = NOTHING_ELSEWHERE) -> Priced:
        """Price a request in protobuf.

        Args:
            content: the request.
            elsewhere: which calls are charged by what others tell: there that is written, and no cost.

        Raises:
            MalformedError: it is no request to export traces.
        """
        request, batch = frame.parsed(content), _Batch()
        changed = (
            [self._price(hits, batch, elsewhere) for hits in frame.hits(request)] if frame.may_tell(content) else []
        )
        return _priced(request.SerializeToString() if any(changed) else content, frame.number_of_spans(request), batch)

    def traces_json(self, content: bytes, elsewhere: Elsewhere = NOTHING_ELSEWHERE) -> Priced:
        """Price a request in JSON, see `traces`.

        Raises:
            MalformedError: it is no request to export traces.
        """
        request, batch = json.Request(content), _Batch()
        changed = [self._price_json(hits, batch, elsewhere) for hits in request.hits()]
        return _priced(request.written() if any(changed) else content, request.number_of_spans(), batch)

    def _price(self, hits: frame.Hits, batch: _Batch, elsewhere: Elsewhere) -> bool:
        """Price the spans of one scope; return whether anything was written."""
        around, shapes = self._around[hits.resource, hits.scope]
        places, contents, spans = frame.readable(hits)
        batch.rejected += len(hits.places) - len(places)
        found = _Spans(spans, contents, _picked(spans, contents, shapes), around, self._wire)
        written = self._noted(found, batch, elsewhere)
        within = hits.within.spans
        for place, each in written.items():
            layout, numbers, charge_id = each
            within[places[place]] = contents[place] + layout.wire(numbers, charge_id)
        return bool(written)

    def _price_json(self, hits: json.Hits, batch: _Batch, elsewhere: Elsewhere) -> bool:
        """Price the spans of one scope; return whether anything was written."""
        around, shapes = self._json_around[hits.resource, hits.scope]
        places, contents, spans = json.readable(hits)
        batch.rejected += len(hits.places) - len(places)
        picked = [(shape := shapes[tuple(span.attributes)], shape.pick(span.attributes)) for span in spans]
        changed = False
        found = _Spans(spans, contents, picked, around, self._json)
        for place, each in self._noted(found, batch, elsewhere).items():
            layout, numbers, charge_id = each
            with_cost = json.with_attributes(contents[place], layout.json(numbers, charge_id))
            changed |= hits.write(places[place], with_cost)
        return changed

    def _noted(self, found: _Spans, batch: _Batch, elsewhere: Elsewhere) -> dict[int, Written]:
        """Note the calls among some spans; one that we fail on is handed on as it came, like one that is damaged."""
        try:
            part = _Batch()
            written = self._note(found, part)
        except Exception:  # noqa: BLE001 -- whatever one span does to us, the others are priced
            written = self._noted_singly(found, batch)
        else:
            batch.add(part)
        return _marked(written, found, elsewhere) if elsewhere else written

    def _noted_singly(self, found: _Spans, batch: _Batch) -> dict[int, Written]:
        written: dict[int, Written] = {}
        for place in range(len(found.spans)):
            part = _Batch()
            try:
                one = self._note(found.only(place), part)
            except Exception:  # noqa: BLE001 -- see above
                batch.rejected += 1
                continue
            batch.add(part)
            if one:
                written[place] = one[0]
        return written

    def _note(self, found: _Spans, batch: _Batch) -> dict[int, Written]:
        """Note the calls among some spans; return what is to be written on them, by their place.

        Each step is done for all spans before the next: so processors have it at hand.
        """
        tellings = self._tellings(found)
        noted, observed, unpriced = self._observing.noted, batch.observed, batch.unpriced
        written: dict[int, Written] = {}
        for place, telling in enumerate(tellings):
            if telling is not None:
                batch.inference += 1
                charge, reason, writing = noted(
                    telling, found.picked[place][0], found.spans[place], found.contents[place]
                )
                if charge is not None:
                    observed.append(charge)
                if reason is not None:
                    unpriced[reason] = unpriced.get(reason, 0) + 1
                if writing is not None:
                    written[place] = writing
        return written

    def _tellings(self, found: _Spans) -> list[Telling | None]:
        """Read what spans tell."""
        value_of, around = found.values.__getitem__, found.around
        values = [list(map(value_of, picked[: shape.wanted])) for shape, picked in found.picked]
        tellings = [
            None
            if shape.reader is None
            else _retold(shape.reader, span.name, read, around)
            if shape.was_priced
            else shape.reader.read(span.name, read, around)
            for (shape, _), span, read in zip(found.picked, found.spans, values, strict=True)
        ]
        if found.values.met_long:
            found.values.met_long = False
            return [each and self._observing.shortened(each) for each in tellings]
        return tellings

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


def _picked(
    spans: Sequence[Span], contents: Sequence[bytes], shapes: ShapesOfScope
) -> list[tuple[Shape, Sequence[bytes]]]:
    """Find out how spans are read, and pick what is read of them.

    One with as many attributes as the latest had, and the same names among them, has the same ones.
    """
    latest, found = shapes.latest, list[tuple[Shape, Sequence[bytes]]]()
    for span, content in zip(spans, contents, strict=True):
        attributes = span.attributes
        shape = latest.get(len(attributes))
        if shape is not None:
            picked = shape.pick(attributes)  # what is looked for in vain is in such a map from now on
            if len(attributes) == shape.names:
                found.append((shape, picked))
                continue
            attributes = frame.attributes_anew(content)
        shape = shapes.find(tuple(attributes))
        found.append((shape, shape.pick(attributes)))
    return found


def _marked(written: Mapping[int, Written], found: _Spans, elsewhere: Elsewhere) -> dict[int, Written]:
    """Say where calls are charged that others tell of, in place of what is written of their costs."""
    return {
        place: each
        if (entry_id := elsewhere.get(each[-1] or "")) is None
        else duplicate(found.picked[place][0].own, entry_id)
        for place, each in written.items()
    }


def _retold(reader: Reader, name: str, values: Sequence[Value | None], around: Around) -> Telling | None:
    """Read a span that another collector has priced; what it found charged elsewhere is no charge."""
    if values[_STATUS_TOLD] == DUPLICATE:
        return None
    telling = reader.read(name, values[: -len(TOLD)], around)
    return None if telling is None else retold(telling, values[-len(TOLD) :])


def _priced(content: bytes, spans: int, batch: _Batch) -> Priced:
    return Priced(
        content=content,
        observed=batch.observed,
        spans=spans,
        inference=batch.inference,
        rejected=batch.rejected,
        unpriced=batch.unpriced,
    )
