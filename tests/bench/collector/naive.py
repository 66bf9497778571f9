"""What the collector does with a request, written the plain way: the oracle of its results, and of its speed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llmcost.core.matching import says_less
from otel_llmcost.core.money import NANO_PER_USD
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.rates import Rate, breakdown_usd, price
from otel_llmcost.core.usage import Usage
from otel_llmcost.errors import UnknownPriceError
from otel_llmcost.telemetry import semconv
from otel_llmcost_collector.dialects.base import Around, Reader, Telling
from otel_llmcost_collector.observed import Observed, id_of_span
from otel_llmcost_collector.shapes import Readers

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Naive:
    """Prices requests of spans that carry their usage and nothing unusual."""

    def __init__(self, book: PriceBook, *, readers: Readers) -> None:
        self._book = book
        self._readers = readers
        self._known: dict[tuple[str, frozenset[str]], Reader | None] = {}

    def traces(self, content: bytes) -> tuple[bytes, list[Observed]]:
        """Price a request."""
        request = ExportTraceServiceRequest.FromString(content)
        observed: list[Observed] = []
        for of_resource in request.resource_spans:
            resource = {each.key: _value(each.value) for each in of_resource.resource.attributes}
            for of_scope in of_resource.scope_spans:
                around = Around(of_scope.scope.name, resource)
                for span in of_scope.spans:
                    attributes = {each.key: _value(each.value) for each in span.attributes}
                    telling = self._telling(span, attributes, around)
                    if telling is not None:
                        observed.append(self._priced(span, telling))
        return request.SerializeToString(), observed

    def _telling(self, span: Span, attributes: Mapping[str, Any], around: Around) -> Telling | None:
        key = around.scope, frozenset(attributes)
        if key not in self._known:
            self._known[key] = self._readers(*key)
        reader = self._known[key]
        return reader and reader.read(span.name, [attributes[name] for name in reader.wanted], around)

    def _priced(self, span: Span, telling: Telling) -> Observed:
        at_us = span.start_time_unix_nano // 1000
        usage = Usage(telling.counts)
        rate = self._rate(telling, _EPOCH + timedelta(microseconds=at_us))
        cost = price(usage, rate)
        trace_id, span_id = span.trace_id.hex(), span.span_id.hex()
        charge_id = id_of_span(at_us, span_id, trace_id)
        _add(span, semconv.USAGE_COST, cost.cost_nano / NANO_PER_USD)
        for name, usd in breakdown_usd(usage, rate).items():
            if usd:
                _add(span, semconv.COST_CLASSES[name], usd)
        _add(span, semconv.COST_SOURCE, "collector")
        _add(span, semconv.PRICE_ID, rate.rate_id)
        _add(span, semconv.CHARGE_ID, charge_id)
        return Observed(
            charge_id=charge_id,
            at_us=at_us,
            duration_us=span.end_time_unix_nano // 1000 - at_us,
            provider=telling.provider,
            operation=telling.operation,
            requested_model=telling.requested_model,
            served_model=telling.served_model,
            tags=telling.tags,
            counts=telling.counts,
            status=telling.status,
            method=telling.method,
            cost_nano=cost.cost_nano,
            list_cost_nano=cost.list_cost_nano,
            rate_id=rate.rate_id,
            rate_source=rate.source,
            tier=rate.tier,
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id=span.parent_span_id.hex(),
            response_id=telling.response_id,
            error_type=telling.error_type,
            source=telling.source,
            richness=telling.richness,
        )

    def _rate(self, telling: Telling, at: datetime) -> Rate:
        tokens = telling.counts.get("input_tokens", 0)
        served = telling.served_model
        if served and not says_less(served, telling.requested_model):
            try:
                return self._book.rate_at(telling.provider, served, at, input_tokens=tokens, tier=telling.tier)
            except UnknownPriceError:
                pass
        return self._book.rate_at(telling.provider, telling.requested_model, at, input_tokens=tokens, tier=telling.tier)


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)


def _add(span: Span, name: str, value: float | str) -> None:
    made = AnyValue(string_value=value) if isinstance(value, str) else AnyValue(double_value=value)
    span.attributes.append(KeyValue(key=name, value=made))
