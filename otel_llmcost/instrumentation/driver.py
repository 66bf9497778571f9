"""Performs the steps of a flow in this process: reserve before, settle after, and tell spans and metrics."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.endpoint import Endpoint, tier_of
from otel_llmcost.core.attribution import Dimension, Tags
from otel_llmcost.core.budget import Grant, Refusal
from otel_llmcost.core.flow import Call, Failure, Later, Release, Reserve, Send, Settle, Step, call_flow, new_call
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import Policy
from otel_llmcost.core.pricing import Pricing
from otel_llmcost.core.tokens import CountText, count_input
from otel_llmcost.core.uuid7 import uuid7
from otel_llmcost.core.value import maker, value
from otel_llmcost.errors import BudgetExceededError, RefusedError
from otel_llmcost.instrumentation.afterwards import Owed, beside, correct, lost_attempts
from otel_llmcost.instrumentation.chores import Chores
from otel_llmcost.instrumentation.counting import by_rule
from otel_llmcost.instrumentation.desk import Desk
from otel_llmcost.instrumentation.errands import spanned_by_its_broker
from otel_llmcost.instrumentation.outage import Outage
from otel_llmcost.instrumentation.rooms import Rooms, Wait
from otel_llmcost.instrumentation.turn import Flow, Turn
from otel_llmcost.storage.base import Hold, Posting
from otel_llmcost.storage.writer import Writer
from otel_llmcost.telemetry import baggage, frames, semconv
from otel_llmcost.telemetry.enclosing import tags_around
from otel_llmcost.telemetry.foreign import is_instrumented_by_others
from otel_llmcost.telemetry.meters import Meters
from otel_llmcost.telemetry.spans import CALL_KEY, CallMark, Spans, link_of, outside

RESERVATION_LIFE = timedelta(minutes=15)
_RANDOM_BITS = 74
_RANDOM = random.Random()  # noqa: S311 -- for ids; asking the system for each would be a system call


@value
class Ask:
    """What an SDK's client was asked for, as the wrapper found it."""

    sdk: Api
    endpoint: Endpoint
    model: str
    body: Mapping[str, Any]
    provider: str
    is_stream: bool
    is_async: bool
    makes_own_span: bool
    """The SDK itself makes a span for this call."""


new_ask, _hold, _posting = maker(Ask), maker(Hold), maker(Posting)


@dataclass(slots=True, kw_only=True)
class Driver:
    """All that a call of this process needs; built once, when the first SDK is imported."""

    policy: Policy
    pricing: Pricing
    writer: Writer
    outage: Outage
    """Stands in for the store while it is away."""
    spans: Spans
    meters: Meters
    events: deque[Charge]
    """The latest charges, for the summary."""
    said: Tags
    """Attribution of the whole process; baggage wins."""
    refuse_all_reason: str | None = None
    """Why no call may be sent at all."""
    flows: dict[str, Flow] = field(default_factory=dict[str, Flow])
    """Of the calls under way."""
    uncertain: Callable[[str], Charge | None] = lambda _response_id: None
    """Response id → its charge, if that is estimated or suspected, be it another process's."""
    owed: Owed = field(default_factory=Owed)
    """What is paid before it is known."""
    chores: Chores = field(default_factory=lambda: Chores(()))
    """What the process does beside its calls."""
    rooms: Rooms = field(default_factory=Rooms)
    """Where calls wait for room in limits."""
    count_text: Callable[[str], CountText] = by_rule
    """Model → what counts its texts."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    desk: Desk = field(init=False)
    """Takes and books."""

    def __post_init__(self) -> None:
        self.desk = Desk(self.writer, self.outage, self.rooms)

    def begin(self, ask: Ask) -> Turn | None:
        """Start the turn of a call; None: another call of ours that is under way accounts for it."""
        ctx = outside(otel_context.get_current())
        if ctx is None:
            return None
        current = trace.get_current_span(ctx)
        link = link_of(current)
        if link is not None and link.charge is not None:
            self.spans.part(link, ctx)
        broker_id = spanned_by_its_broker(ctx)
        is_foreign = (
            link is not None
            or ask.makes_own_span
            or bool(broker_id)
            or is_instrumented_by_others(ask.sdk.name, ask.endpoint.operation)
        )
        call = self.call_of(ask, ctx, current)
        mark = CallMark(ctx)
        mark.bind(link)
        mark.broker_id = broker_id
        span = self.spans.start(call, ctx, is_foreign=is_foreign)
        return Turn(
            call=call,
            endpoint=ask.endpoint,
            flow=call_flow(call, self.pricing, self.policy),
            performer=self,
            mark=mark,
            span=span,
            ctx=baggage.inner(ctx, span, CALL_KEY, mark),
            is_foreign=is_foreign,
            is_async=ask.is_async,
        )

    def call_of(self, ask: Ask, ctx: Context, current: trace.Span) -> Call:
        """Make a value of what is asked, by whom it is asked."""
        body, endpoint = ask.body, ask.endpoint
        model, provider = ask.model, ask.provider
        identity = current.get_span_context()
        tags: dict[Dimension, str] = {**self.said, **tags_around(current, self.said), **frames.tags(ctx)}
        tags["provider"], tags["model"] = provider, model
        if identity.is_valid:
            tags["trace"] = f"{identity.trace_id:032x}"
        return new_call(
            charge_id=uuid7(time.time_ns() // 1_000_000, _RANDOM.getrandbits(_RANDOM_BITS)),
            at=self.now(),
            provider=provider,
            operation=endpoint.operation,
            model=model,
            tags=tags,
            input=count_input(body, endpoint.dialect, model=model, count_text=self.count_text(model)),
            max_output_tokens=_cap(body, endpoint),
            choices=_choices(body, endpoint),
            is_stream=ask.is_stream,
            has_output=endpoint.has_output,
            tier=_asked_tier(body, endpoint),
            trace_id=tags.get("trace"),
            span_id=f"{identity.span_id:016x}" if identity.is_valid else None,
        )

    def reserve(self, turn: Turn) -> None:
        """Take what a call needs.

        Raises:
            RefusedError: it does not fit; nothing was taken and nothing may be sent.
        """
        wait = Wait(self.rooms, self.policy.waits, None) if self.policy.waits else None
        try:
            turn.change = (self._ask(turn, wait)).change
        except RefusedError as error:
            self._refused(turn, error)
            raise

    def _ask(self, turn: Turn, wait: Wait | None) -> Send:
        try:
            self._check_all(turn)
            step = turn.start()
            while not isinstance(step, Send):
                answer = self._take(step, turn, wait) if isinstance(step, Reserve) else None
                self._release(step)
                step = turn.go_on(answer)
        finally:  # before a refusal is told: it ends the span
            if wait is not None:
                self._waited(turn, wait)
        return step

    async def areserve(self, turn: Turn) -> None:
        """Take what a call needs without ever waiting on the event loop.

        Raises:
            RefusedError: it does not fit; nothing was taken and nothing may be sent.
        """
        wait = Wait(self.rooms, self.policy.waits, asyncio.get_running_loop()) if self.policy.waits else None
        try:
            turn.change = (await self._aask(turn, wait)).change
        except RefusedError as error:
            self._refused(turn, error)
            raise

    async def _aask(self, turn: Turn, wait: Wait | None) -> Send:
        try:
            self._check_all(turn)
            step = turn.start()
            while not isinstance(step, Send):
                answer = await self._atake(step, turn, wait) if isinstance(step, Reserve) else None
                self._release(step)
                step = turn.go_on(answer)
        finally:  # before a refusal is told: it ends the span
            if wait is not None:
                self._waited(turn, wait)
        return step

    def _take(self, step: Reserve, turn: Turn, wait: Wait | None) -> Refusal | Grant | Later | None:
        hold = self._hold(step)
        if wait is None:
            return self.desk.reserve(hold, self.policy, tell=True)
        seconds = wait.before(hold.claims, self.now())
        if seconds is None:
            answer = self.desk.reserve(hold, self.policy, tell=wait.is_over)
            seconds = wait.after(answer, self.now())
            if seconds is None:
                return answer
        wait.pause(seconds)
        return self._later(turn, wait)

    async def _atake(self, step: Reserve, turn: Turn, wait: Wait | None) -> Refusal | Grant | Later | None:
        hold = self._hold(step)
        if wait is None:
            return await self.desk.areserve(hold, self.policy, tell=True)
        seconds = wait.before(hold.claims, self.now())
        if seconds is None:
            answer = await self.desk.areserve(hold, self.policy, tell=wait.is_over)
            seconds = wait.after(answer, self.now())
            if seconds is None:
                return answer
        await wait.apause(seconds)
        return self._later(turn, wait)

    def _later(self, turn: Turn, wait: Wait) -> Later | None:
        """Let a call that waited ask again, by what its owners say now."""
        self._check_all(turn)
        if wait.limits is self.policy.waits:
            return Later(self.now())
        wait.limits = self.policy.waits
        call = replace(turn.call, at=self.now())
        self.flows[call.charge_id] = call_flow(call, self.pricing, self.policy)
        return None  # starts it

    def _waited(self, turn: Turn, wait: Wait) -> None:
        """Let the next one in, and tell how long it took."""
        budget = wait.budget
        wait.leave()
        if budget is not None and wait.since is not None:
            seconds = (self.now() - wait.since).total_seconds()
            turn.waited()
            self.meters.waited(budget, seconds)
            if turn.span is not None:
                turn.span.set_attribute(semconv.LIMIT_WAIT, seconds)

    def _release(self, step: Step) -> None:
        """Give back what a call took that is not sent, or not so, if that is the step."""
        if isinstance(step, Release):
            self.desk.give_back(step.call.charge_id, step.claims)

    def _check_all(self, turn: Turn) -> None:
        """Refuse what may not be sent whatever its balances are."""
        if not self.chores.is_running:
            self.chores.start()
        if self.refuse_all_reason is not None:
            raise BudgetExceededError.misconfigured(self.refuse_all_reason)
        if self.policy.controls.stops:
            stop = self.policy.controls.stop_of(turn.call.tags, turn.call.at)
            if stop is not None:
                raise RefusedError.stopped(
                    scope=str(stop.scope),
                    by=stop.by,
                    reason=stop.reason,
                    until=stop.until,
                    retry_after_seconds=None if stop.until is None else (stop.until - turn.call.at).total_seconds(),
                )

    def _hold(self, step: Reserve) -> Hold:
        call = step.call
        return _hold(
            reservation_id=call.charge_id,
            claims=step.claims,
            at=call.at,
            expires_at=call.at + RESERVATION_LIFE,
            trace_id=call.trace_id,
        )

    def _refused(self, turn: Turn, error: RefusedError) -> None:
        self.meters.refused(turn.call, error.name)
        self.left(turn, error)

    def left(self, turn: Turn, error: BaseException) -> None:
        """Let go of a call that was not sent."""
        turn.leave()
        self.desk.let_go(turn.call.charge_id)
        self.spans.settled(turn.mark, None)
        if turn.span is not None:
            self.spans.end(turn.span, turn.call, None, error)

    def settle(self, step: Settle, turn: Turn) -> None:
        """Book the end of a call and tell everybody who shows it."""
        charge = step.charge
        if charge is not None:
            self.events.append(charge)
        self.meters.acted(step.done)
        self.spans.settled(turn.mark, charge)
        self.meters.ended(step.call, charge, step.error, is_foreign=turn.is_foreign)
        if turn.span is not None:
            self.spans.end(turn.span, step.call, charge, step.error)
        self._post(step)
        if turn.beside:
            for part in beside(step, turn.answers_beside(), self.pricing):
                self.events.append(part)
                self.meters.ended(step.call, part, None, is_foreign=True)
                self.desk.book(
                    _posting(reservation_id=part.charge_id, claims=step.claims, charge=part, assumed=step.assumed)
                )
        if turn.mark.lost:
            for posting in lost_attempts(step, turn.mark.lost, self.pricing):
                self.meters.ended(step.call, posting.charge, None, is_foreign=True)
                self.desk.book(posting)

    def correct(self, original: Charge, truth: Charge) -> None:
        """Put what an answer really came to in the place of what was estimated or suspected of it."""
        correct(original, truth, writer=self.writer, policy=self.policy, meters=self.meters)

    def book(self, charge: Charge) -> None:
        """Book what nothing was held for, as a batch's results: it was spent whatever a budget says now."""
        claims = self.policy.claims(charge.tags, charge.at, None, lambda _budget, _subject: None)
        self.desk.book(_posting(reservation_id=charge.charge_id, claims=claims, charge=charge, assumed={}))
        self.events.append(charge)
        self.meters.learnt(charge)

    def forked(self) -> None:
        """Leave the parent's calls to the parent, and do not make its ids again."""
        self.flows.clear()
        self.events.clear()
        self.rooms.forked()
        _RANDOM.seed()

    def end_all(self) -> None:
        """Settle as suspected what is under way when the process ends: nobody sees its answer, or the rest of it."""
        end = Failure(error=SystemExit(), may_be_billed=True)
        for charge_id in list(self.flows):
            flow = self.flows.pop(charge_id, None)
            step = None if flow is None else flow.send(end)
            if isinstance(step, Settle):
                self._post(step)

    def _post(self, step: Settle) -> None:
        if step.claims or step.charge is not None:
            self.desk.book(
                _posting(
                    reservation_id=step.call.charge_id,
                    claims=step.claims,
                    charge=step.charge,
                    assumed=step.assumed,
                )
            )


def _cap(body: Mapping[str, Any], endpoint: Endpoint) -> int | None:
    for get in endpoint.get_caps:
        cap = get(body)
        if isinstance(cap, int) and cap > 0:
            return cap
    return None


def _choices(body: Mapping[str, Any], endpoint: Endpoint) -> int:
    asked = endpoint.get_choices(body) if endpoint.get_choices is not None else None
    return asked if isinstance(asked, int) and asked > 1 else 1


def _asked_tier(body: Mapping[str, Any], endpoint: Endpoint) -> str:
    words = [word for get in endpoint.get_asked if isinstance(word := get(body), str)]
    return (tier_of(words) if words else None) or "standard"
