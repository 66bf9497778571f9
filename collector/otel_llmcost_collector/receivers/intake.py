"""The way of a request, over whatever it came: unpacked, priced, booked, handed on, and only then acknowledged."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from time import perf_counter_ns
from typing import Protocol

import msgspec

from otel_llmcost.errors import StoreError
from otel_llmcost_collector import self_metrics
from otel_llmcost_collector.accounting.base import Accounts
from otel_llmcost_collector.forwarding.base import Forwarder, FullError
from otel_llmcost_collector.observed import NOTHING_ELSEWHERE, Elsewhere, Observed
from otel_llmcost_collector.otlp.checking import check
from otel_llmcost_collector.otlp.errors import MalformedError
from otel_llmcost_collector.receivers.admission import Slot
from otel_llmcost_collector.receivers.outcome import (
    DONE,
    FAULT,
    MALFORMED,
    UNAVAILABLE,
    Outcome,
    Request,
    TurnedAwayError,
)
from otel_llmcost_collector.receivers.packing import unpack
from otel_llmcost_collector.self_metrics import Counters

LOGGER = logging.getLogger("otel_llmcost_collector")
MOST_UNPACKED_BYTES = 64 * 1024 * 1024
_NANOS_PER_MICRO = 1000


class Priced(Protocol):
    """What a pipeline made of a request."""

    @property
    def content(self) -> bytes:
        """The request with costs on its spans, in the form it came in."""
        ...

    @property
    def observed(self) -> Sequence[Observed]:
        """The calls that it tells of."""
        ...

    @property
    def spans(self) -> int:
        """How many there are."""
        ...

    @property
    def rejected(self) -> int:
        """How many of them cannot be read."""
        ...

    @property
    def unpriced(self) -> Mapping[str, int]:
        """Why calls have no price → how many of them."""
        ...


class Pipeline(Protocol):
    """Finds the calls in spans, and what they cost."""

    def traces(self, content: bytes, elsewhere: Elsewhere = ...) -> Priced:
        """Price a request in protobuf's form; on calls that are charged elsewhere, write that, and no cost."""
        ...

    def traces_json(self, content: bytes, elsewhere: Elsewhere = ...) -> Priced:
        """Price a request in JSON's form, see `traces`."""
        ...


class Intake:
    """Takes requests in. Used by one event loop only."""

    def __init__(
        self,
        pipeline: Pipeline,
        accounts: Accounts,
        forwarder: Forwarder,
        *,
        counters: Counters | None = None,
        most_unpacked_bytes: int = MOST_UNPACKED_BYTES,
    ) -> None:
        """Take over nothing: all parts are the caller's to close."""
        self._pipeline = pipeline
        self._accounts = accounts
        self._forwarder = forwarder
        self._most_unpacked_bytes = most_unpacked_bytes
        self.counters = counters or Counters()

    async def take(self, request: Request, slot: Slot) -> Outcome:
        """Take one request; whatever is wrong with it or with us, the outcome says what its sender should do."""
        began = perf_counter_ns()
        try:
            outcome = await self._taken(request, slot)
        except TurnedAwayError as turned_away:
            outcome = turned_away.outcome
        except MalformedError as error:
            outcome = Outcome(verdict=MALFORMED, detail=str(error))
        except (StoreError, FullError) as error:
            LOGGER.warning("a request was turned away: %s", error)
            outcome = Outcome(verdict=UNAVAILABLE, detail="this cannot be kept now, come again")
        except Exception:  # whatever one request does to us, the next one is answered
            LOGGER.exception("a request failed in a way that was not foreseen")
            outcome = Outcome(verdict=FAULT, detail="this is a fault of the collector")
        labels = (request.signal, request.protocol)
        self.counters.took(self_metrics.ANSWER, labels, (perf_counter_ns() - began) // _NANOS_PER_MICRO)
        self.counters.add(self_metrics.RECEIVED_BYTES, labels, len(request.packed))
        self.count(request.signal, request.protocol, outcome)
        return outcome

    def count(self, signal: str, protocol: str, outcome: Outcome) -> None:
        """Count a request that was answered, be it before it came here."""
        self.counters.add(self_metrics.REQUESTS, (signal, protocol, outcome.counted))

    async def _taken(self, request: Request, slot: Slot) -> Outcome:
        slot.begin()
        content = unpack(request.packed, request.coding, self._most_unpacked_bytes)
        if content is not request.packed:
            slot.hold(len(content))
        if request.signal == "traces":
            return await self._traces(request, content)
        check(content, is_json=request.is_json)
        await self._forwarder.put(request.signal, content, request.is_json)
        return DONE

    async def _traces(self, request: Request, content: bytes) -> Outcome:
        price = self._pipeline.traces_json if request.is_json else self._pipeline.traces
        priced = price(content)
        observed = priced.observed if request.team is None else _of_team(priced.observed, request.team)
        elsewhere = await self._accounts.post(observed) if observed else NOTHING_ELSEWHERE
        handed_on = price(content, elsewhere) if elsewhere else priced  # seldom, so nothing is remembered for it
        await self._forwarder.put("traces", handed_on.content, request.is_json)
        self._count_priced(request.protocol, priced)
        if not priced.rejected:
            return DONE
        detail = f"{priced.rejected} spans cannot be read: they are passed on as they came, and cost nothing"
        return Outcome(detail=detail, rejected=priced.rejected)

    def _count_priced(self, protocol: str, priced: Priced) -> None:
        add = self.counters.add
        add(self_metrics.SPANS, (protocol,), priced.spans)
        if priced.rejected:
            add(self_metrics.REJECTED_SPANS, ("malformed",), priced.rejected)
        for source, count in Counter(each.source for each in priced.observed).items():
            add(self_metrics.INFERENCE_SPANS, (source,), count)
        for source, count in Counter(each.source for each in priced.observed if each.cost_nano is not None).items():
            add(self_metrics.PRICED, (source,), count)
        for reason, count in priced.unpriced.items():
            add(self_metrics.UNPRICED, (reason,), count)


def _of_team(observed: Sequence[Observed], team: str) -> list[Observed]:
    return [msgspec.structs.replace(each, tags={**each.tags, "team": team}) for each in observed]
