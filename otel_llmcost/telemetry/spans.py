"""Cost on spans: our own where nobody else makes one, else on those of other instrumentors."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from itertools import islice
from time import time_ns
from typing import TYPE_CHECKING, Literal, cast

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from otel_llmcost.core.attribution import Tags, merged
from otel_llmcost.telemetry import baggage, frames, semconv
from otel_llmcost.telemetry.call_attributes import (
    cost_attributes,
    error_attributes,
    first_attributes,
    request_attributes,
    tag_attributes,
    usage_attributes,
)
from otel_llmcost.telemetry.enclosing import remember_around
from otel_llmcost.telemetry.foreign import FOREIGN_SCOPES, MADE_AFTERWARDS, is_inference

if TYPE_CHECKING:  # the core's flow is loaded with the first SDK, this when the program starts
    from otel_llmcost.core.flow import Call
    from otel_llmcost.core.ledger import Charge

SpanMode = Literal["auto", "own", "enrich", "off"]
CALL_KEY = otel_context.create_key("llmcost.call")
"""Under this key the context carries the links of the call under way: a call inside it is not charged again."""

_RECENT = 512
_LINK = "_llmcost_link"
_LATEST: ContextVar[Span | None] = ContextVar("llmcost.latest", default=None)
"""The span that was started last, if it is an LLM span of others: some are never made the current one."""

_TRIED_IDS = 20
_ID_IN_JSON = re.compile(r'"(?:id|responseId|response_id)": ?"([^"]+)"')


class Link:
    """Binds a foreign span to our charge, whichever of the two is first."""

    __slots__ = ("before", "call", "charge", "finish", "outer")

    def __init__(self, outer: Link | None, before: Charge | None = None) -> None:
        self.outer = outer
        """Of the span around it: where several instrument an SDK, each call has several."""
        self.before = before
        """Of the span before it, which has the same name and was left open: it tells of that one's end."""
        self.call: CallMark | None = None
        """The latest call made inside it."""
        self.charge: Charge | None = None
        self.finish: Callable[[], None] | None = None
        """Ends the span, which was to end before its cost was known."""

    def settle(self, charge: Charge | None) -> None:
        """Hand over what the call came to."""
        self.charge = charge
        if self.finish is not None:
            finish, self.finish = self.finish, None
            finish()


class CallMark:
    """What the context carries of a call under way."""

    __slots__ = ("around", "broker_id", "is_open", "links", "lost")

    def __init__(self, around: Context | None = None) -> None:
        self.around = Context() if around is None else around
        """The context it was made in."""
        self.links: list[Link] = []
        self.broker_id = ""
        """By which a span that a broker makes of it, when it is over, names it; empty: none does."""
        self.is_open = True
        self.lost = 0
        """Attempts within the call whose end nobody saw: the provider may have billed them."""

    def bind(self, link: Link | None) -> None:
        """Make a span, and those around it, the call's."""
        while link is not None:
            link.call = self
            self.links.append(link)
            link = link.outer


def call_under_way(ctx: Context | None = None) -> CallMark | None:
    """Return the mark of the call that a context is inside of.

    One that is over says nothing: who stands inside of us may give the program our context back, as those do who end
    their span, which they had made current, only with the stream that they handed out.
    """
    mark = otel_context.get_value(CALL_KEY, ctx)
    return mark if isinstance(mark, CallMark) and mark.is_open else None


def outside(ctx: Context) -> Context | None:
    """Return the context that a call is made in; None: a call of ours around it accounts for it."""
    mark = ctx.get(CALL_KEY)
    if not isinstance(mark, CallMark):
        return ctx
    return None if mark.is_open else baggage.restored(ctx, CALL_KEY, mark.around)


class Spans:
    """Makes our spans and finds those of others."""

    def __init__(self, tracer: Tracer, mode: SpanMode) -> None:
        self._tracer = tracer
        self._mode = mode
        self._recent: OrderedDict[str, Charge] = OrderedDict()

    def start(self, call: Call, ctx: Context, *, is_foreign: bool) -> trace.Span | None:
        """Start our span for a call, unless somebody else makes one."""
        if self._mode in ("enrich", "off") or (is_foreign and self._mode == "auto"):
            return None
        return self._tracer.start_span(f"{call.operation} {call.model}", ctx, SpanKind.CLIENT, first_attributes(call))

    def part(self, link: Link, ctx: Context) -> None:
        """Give a call a span of ours after all, where the span of others around it goes on to another call.

        Theirs then tells of the last one, such as the last round of a tool loop that an SDK runs by itself.
        """
        charge, link.charge = link.charge, None
        if charge is None or self._mode != "auto":
            return
        span = self._tracer.start_span(
            f"{charge.operation} {charge.requested_model}",
            ctx,
            SpanKind.CLIENT,
            {
                semconv.OPERATION: charge.operation,
                semconv.PROVIDER: charge.provider,
                semconv.REQUEST_MODEL: charge.requested_model,
                semconv.CHARGE_ID: charge.charge_id,
                **tag_attributes(charge.tags),
                **usage_attributes(charge),
                **cost_attributes(charge),
            },
            start_time=int(charge.at.timestamp() * 1_000_000_000),
        )
        span.end()

    def end(self, span: trace.Span, call: Call, charge: Charge | None, error: BaseException | None) -> None:
        """Write all on our span at once, and how the call ended."""
        if span.is_recording():
            attributes = request_attributes(call)
            if charge is not None:
                attributes.update(usage_attributes(charge))
                attributes.update(cost_attributes(charge))
                if charge.actions:
                    attributes[semconv.REQUEST_MODEL] = call.model
            if error is not None:
                attributes.update(error_attributes(error))
                span.set_status(Status(StatusCode.ERROR, str(error)))
            elif charge is not None and charge.error_type is not None:
                attributes[semconv.ERROR_TYPE] = charge.error_type
                span.set_status(Status(StatusCode.ERROR, "the stream broke off"))
            span.set_attributes(attributes)
        span.end()

    def settled(self, mark: CallMark, charge: Charge | None) -> None:
        """Hand a charge to the foreign spans of its call: those known now, and those yet to come."""
        mark.is_open = False
        for link in mark.links:
            link.settle(charge)
        for name in (mark.broker_id, None if charge is None else charge.response_id):
            if name and charge is not None:
                self._recent[name] = charge
                if len(self._recent) > _RECENT:
                    self._recent.popitem(last=False)

    @property
    def is_muted(self) -> bool:
        """Whether spans are left alone."""
        return self._mode == "off"

    def mute(self) -> None:
        """Make no more spans, and add nothing to those of others."""
        self._mode = "off"

    def charge_told(self, span: Span, attribute: str) -> Charge | None:
        """Find the charge that a span is about by the attribute in which a broker names its call."""
        name = (span.attributes or {}).get(attribute)
        return self._recent.get(name) if isinstance(name, str) else None

    def charge_of(self, span: Span, link: Link) -> Charge | None:
        """Find the charge that a foreign span is about; one that is not an LLM call has none."""
        if link.charge is not None:
            return link.charge
        attributes = span.attributes or {}
        response_id = attributes.get(semconv.RESPONSE_ID)
        if isinstance(response_id, str):
            return self._recent.get(response_id)
        answer = attributes.get(semconv.OPENINFERENCE_OUTPUT)
        ids = islice(_ID_IN_JSON.finditer(answer), _TRIED_IDS) if isinstance(answer, str) else ()
        found = next((self._recent[each[1]] for each in ids if each[1] in self._recent), None)
        return link.before if found is None and link.call is None else found


class CostProcessor(SpanProcessor):
    """Puts attribution on every span, and cost on the LLM spans of other instrumentors.

    A span's attributes are frozen before `on_end`, and before `_on_ending` too, so cost is added by standing in for
    the `end` of those spans alone.
    """

    def __init__(self, spans: Spans, said: Tags, fault: Callable[[str, Exception], None]) -> None:
        """Take what all spans share.

        Args:
            spans: finds the charge of a span.
            said: attribution of the whole process.
            fault: told of a fault of ours; the host's span goes on without us.
        """
        self._spans = spans
        self._said = said
        self._fault = fault

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Copy attribution from baggage; take note of a foreign LLM span."""
        try:
            self._look_at(span, parent_context)
        except Exception as error:  # noqa: BLE001 -- ours; it must not reach who starts the span
            self._fault("look at a span", error)

    def _look_at(self, span: Span, parent_context: Context | None) -> None:
        scope = span.instrumentation_scope
        name = scope.name if scope is not None else ""
        if name == semconv.SCOPE or self._spans.is_muted:
            return
        ctx = otel_context.get_current() if parent_context is None else parent_context
        mark = call_under_way(ctx)
        remember_around(span, trace.get_current_span(ctx))
        for dimension, value in merged(self._said, frames.tags(ctx)).items():
            attribute = semconv.TAGS[dimension]
            if attribute not in (span.attributes or {}):
                span.set_attribute(attribute, value)
        if name.startswith(FOREIGN_SCOPES) and is_inference(span):
            link = Link(link_of(trace.get_current_span(ctx)), _charge_before(span))
            if mark is not None:
                mark.bind(link)
            self._stand_in(span, link)
            _LATEST.set(span)
        elif span.name in MADE_AFTERWARDS:
            self._stand_in_at_end(span, MADE_AFTERWARDS[span.name])
        else:
            _LATEST.set(None)

    def _stand_in_at_end(self, span: Span, attribute: str) -> None:
        """Add the cost of a call to a span that a broker makes when it is over."""
        end = span.end

        def end_with_cost(end_time: int | None = None) -> None:
            try:
                self._tell(span, self._spans.charge_told(span, attribute))
            except Exception as error:  # noqa: BLE001 -- ours; the span ends all the same
                self._fault("add the cost to a span", error)
            end(end_time)

        span.end = end_with_cost  # type: ignore[method-assign]

    def _stand_in(self, span: Span, link: Link) -> None:
        end = span.end

        def end_now(end_time: int | None) -> None:
            try:
                self._add_cost(span, link)
            except Exception as error:  # noqa: BLE001 -- ours; the span ends all the same
                self._fault("add the cost to a span", error)
            end(end_time)

        def end_with_cost(end_time: int | None = None) -> None:
            call = link.call
            if call is not None and call.is_open and link.finish is None and is_inference(span):
                ended_at = time_ns() if end_time is None else end_time
                link.finish = lambda: end_now(ended_at)
            else:
                end_now(end_time)

        setattr(span, _LINK, link)
        span.end = end_with_cost  # type: ignore[method-assign]

    def _add_cost(self, span: Span, link: Link) -> None:
        self._tell(span, self._spans.charge_of(span, link) if is_inference(span) else None)

    def _tell(self, span: Span, charge: Charge | None) -> None:
        if charge is not None and span.is_recording():
            known = span.attributes or {}
            # A span that was made within the call did not see its baggage, which goes to no provider.
            whom, what = tag_attributes(charge.tags), usage_attributes(charge)
            told = {**whom, **what, semconv.CHARGE_ID: charge.charge_id}
            span.set_attributes({name: value for name, value in told.items() if name not in known})
            span.set_attributes(cost_attributes(charge))

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing is left to do here."""


def _charge_before(span: Span) -> Charge | None:
    latest = _LATEST.get()
    if latest is None or not latest.is_recording() or latest.name != span.name:
        return None
    return getattr(latest, _LINK).charge if latest.instrumentation_scope == span.instrumentation_scope else None


def link_of(span: trace.Span) -> Link | None:
    """Return the link of the open LLM span of others that a call made now is about; None: there is none.

    Args:
        span: the current one. Where another one was begun inside or beside it, that is it.
    """
    latest = _LATEST.get()
    if latest is not None and latest.is_recording() and is_inference(latest):
        begun: Link = getattr(latest, _LINK)
        if begun.call is None:
            return begun
    found: Link | None = getattr(span, _LINK, None)
    is_open = found is not None and span.is_recording() and is_inference(cast("ReadableSpan", span))
    return found if is_open else None
