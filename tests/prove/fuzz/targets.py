"""What anybody can send us, byte by byte: each target takes bytes, and raises if something else happens than may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llmcost.core.prices import PriceBook
from otel_llmcost.errors import UnstorableError, WireError
from otel_llmcost.pricebook.book import load
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost.telemetry import semconv
from otel_llmcost_collector.accounting import wire as posts
from otel_llmcost_collector.dialects.directory import reader_for
from otel_llmcost_collector.forwarding.compressing import DamagedError, deflated
from otel_llmcost_collector.forwarding.frames import Frame, frame, frames
from otel_llmcost_collector.observed import Observed
from otel_llmcost_collector.otlp.errors import MalformedError
from otel_llmcost_collector.pipeline import Pipeline, Priced
from otel_llmcost_collector.receivers.outcome import TurnedAwayError
from otel_llmcost_collector.receivers.packing import coding_of, unpack
from otel_llmcost_collector.store_api import ROUTES, StoreApi, _contained
from otel_llmcost_collector.tokens import ANYBODY
from tests.collector.dialects import corpus
from tests.collector.spans import from_json

_BOOK: PriceBook = load()
_MOST_BYTES = 100_000
_HEAD_BYTES = len(frame("traces", b"", is_json=False)) - len(deflated(b""))
_CODINGS = ("identity", "gzip", "deflate", "zstd", "br")
_ROUTES = [route for route in ROUTES.values() if route.form is not None]
_API = StoreApi(MemoryStore(), clock=lambda: datetime(2026, 11, 22, tzinfo=UTC))
_OFTEN_USED = Pipeline(_BOOK, readers=reader_for)
"""Remembers what it has met, which must change nothing."""


def traces(content: bytes) -> None:
    """A request in protobuf: whatever is read of it, its spans are handed on whole, and a second collector agrees."""
    priced = _same(content, lambda pipeline: pipeline.traces(content))
    with suppress(DecodeError):
        parsed = ExportTraceServiceRequest.FromString(content)
        assert priced is not None, "OpenTelemetry's own reader understands it"
        _hold_against(priced, parsed)
    if priced is not None:
        again = Pipeline(_BOOK, readers=reader_for).traces(priced.content)
        assert again.spans == priced.spans
        _agree(content, priced, again)


def traces_json(content: bytes) -> None:
    """A request in JSON."""
    priced = _same(content, lambda pipeline: pipeline.traces_json(content))
    if priced is not None:
        _agree(content, priced, Pipeline(_BOOK, readers=reader_for).traces_json(priced.content))


def packing(content: bytes) -> None:
    """A body that is packed somehow."""
    coding_of(content)
    for coding in _CODINGS:
        with suppress(TurnedAwayError):
            assert coding == "identity" or len(unpack(content, coding, _MOST_BYTES)) <= _MOST_BYTES


def accountant(content: bytes) -> None:
    """What comes over the accountant's socket."""

    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(content)
        reader.feed_eof()
        while (message := await posts.read(reader, posts.asked)) is not None:
            posts.frame(message)

    with suppress(WireError, UnstorableError):
        asyncio.run(read())


def spool(content: bytes) -> None:
    """A file of requests that wait, damaged anyhow: what is whole behind the damage is found."""
    whole = frame("traces", content, is_json=False)
    found = list(frames(content + whole))
    assert found == sorted(found, key=lambda one: one.at)
    made_up = [each for each in found if isinstance(each, Frame) and each.at < len(content)]
    if all(
        each.at + _HEAD_BYTES + len(each.stored) <= len(content) for each in made_up
    ):  # none that reaches into the whole one
        last = found[-1]
        assert isinstance(last, Frame)
        assert last.content() == content
    for each in made_up:
        with suppress(DamagedError):  # whoever makes up a sum, too
            each.content()


def api(content: bytes) -> None:
    """A body to an endpoint of the API: whatever it says is answered, and no fault of ours."""
    if content:
        route = _ROUTES[content[0] % len(_ROUTES)]
        answer = _contained(_API._done, route, ANYBODY, content[1:])
        assert answer.status in {200, 400, 403, 422}, answer


def _agree(content: bytes, first: Priced, second: Priced) -> None:
    """Compare what two collectors in a row make of it.

    Of a span that comes with a charge id which is none, nothing is made that both could know it by.
    """
    assert second.content == first.content, "a second collector writes on it"
    if semconv.CHARGE_ID.encode() not in content:
        assert [_amounts(each) for each in second.observed] == [_amounts(each) for each in first.observed]


def _same(content: bytes, price: Callable[[Pipeline], Priced]) -> Priced | None:
    """Price by one that remembers and by one that does not."""
    results: list[Priced | None] = []
    for pipeline in (_OFTEN_USED, Pipeline(_BOOK, readers=reader_for)):
        try:
            results.append(price(pipeline))
        except MalformedError:
            results.append(None)
    assert results[0] == results[1], "what is remembered changes what is read"
    if results[0] is not None:
        msgspec.msgpack.encode(results[0].observed)
    return results[0]


def _hold_against(priced: Priced, parsed: ExportTraceServiceRequest) -> None:
    """Compare with what OpenTelemetry's own messages say."""
    before, after = _spans(parsed), _spans(ExportTraceServiceRequest.FromString(priced.content))
    assert priced.spans == len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert other.attributes[: len(one.attributes)] == one.attributes[:]
        del other.attributes[len(one.attributes) :]
        assert one == other


def _spans(request: ExportTraceServiceRequest) -> list:
    return [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]


def _amounts(each: Observed) -> object:
    return each.charge_id, each.at_us, each.cost_nano, each.counts, each.status


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "traces": traces,
    "traces_json": traces_json,
    "packing": packing,
    "accountant": accountant,
    "spool": spool,
    "api": api,
}


def seeds(name: str) -> Iterator[bytes]:
    """Give inputs to begin with."""
    requests = list(_recorded())
    match name:
        case "traces_json":
            yield from requests
        case "accountant":
            for number, each in enumerate(requests):
                yield posts.frame(posts.Post(number, _OFTEN_USED.traces_json(each).observed))
        case "spool":
            yield from (frame("traces", each, is_json=True) for each in requests[::8])
        case "api":
            yield from (bytes([number]) + b'{"now": "2026-11-22T10:00:00Z"}' for number in range(len(_ROUTES)))
        case _:
            yield from map(from_json, requests)


def _recorded() -> Iterator[bytes]:
    for sender in corpus.senders():
        lines = (corpus.SPANS / f"{sender}.jsonl").read_text(encoding="utf-8").splitlines()[1::4]
        for line in lines:
            yield json.dumps({"resourceSpans": json.loads(line)["resourceSpans"]}).encode()
