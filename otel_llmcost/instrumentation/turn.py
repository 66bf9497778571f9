"""One call between its start and its end, however it ends: what was reported is gathered, the flow is finished once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import perf_counter
from typing import Any, Protocol

from opentelemetry import trace
from opentelemetry.context import Context

from otel_llmcost.adapters.endpoint import Endpoint, tier_of
from otel_llmcost.adapters.usage_at import with_asked
from otel_llmcost.core.change import NO_CHANGE, Change
from otel_llmcost.core.flow import Answer, Call, Failure, Send, Settle, Step, new_answer
from otel_llmcost.core.money import nano_of
from otel_llmcost.core.tokens import text_tokens
from otel_llmcost.errors import error_type
from otel_llmcost.instrumentation.contain import contained, guard
from otel_llmcost.instrumentation.reading import Reading
from otel_llmcost.telemetry.spans import CallMark

Flow = Generator[Step, Any, None]


class Performer(Protocol):
    """Does what a flow says."""

    flows: dict[str, Flow]
    """Charge id → flow of each call under way. Not kept by the turn: when a dropped stream is collected together
    with its turn, the collector may close what only they hold before the turn can finish with it."""

    def settle(self, step: Settle, turn: Turn) -> None:
        """Book the end of a call."""
        ...


class Turn(Reading):
    """Carries a call's flow from `Send` to its end."""

    __slots__ = (
        "_performer",
        "_started",
        "applied",
        "at_cut",
        "call",
        "change",
        "ctx",
        "done",
        "hides_usage",
        "is_async",
        "is_ended",
        "is_foreign",
        "is_pulling",
        "is_stream",
        "mark",
        "span",
        "text_size",
        "unapplied",
    )

    def __init__(  # noqa: PLR0913 -- made in one place
        self,
        *,
        call: Call,
        endpoint: Endpoint,
        flow: Flow,
        performer: Performer,
        mark: CallMark,
        span: trace.Span | None,
        ctx: Context,
        is_foreign: bool,
        is_async: bool,
    ) -> None:
        super().__init__(endpoint)
        self.call = call
        self.mark = mark
        self.span = span
        self.ctx = ctx
        """The context the SDK is called in."""
        self.is_foreign = is_foreign
        self.is_async = is_async
        self.is_stream = call.is_stream
        self.is_ended = True
        """False: the answer has an end of its own that has not come yet."""
        self.is_pulling = False
        """The answer is being read right now; a response closes itself then at its end, which is no early end."""
        self.at_cut: Callable[[], None] | None = None
        """Measures what came of an answer that was cut off."""
        self.hides_usage = False
        """We asked for the usage chunk, so the caller does not get to see it."""
        self.change: Change | None = None
        """What to change in the request before it is sent; known once the call is reserved."""
        self.applied = NO_CHANGE
        """What of it was changed in the request as it was sent. What needed no change, as the caller asks for less
        than a cap anyway, is in neither of the two."""
        self.unapplied = NO_CHANGE
        """What of it could not be changed: the request went out as the caller made it."""
        self.done = False
        self.text_size = 0.0
        self._performer = performer
        performer.flows[call.charge_id] = flow
        self._started = perf_counter()

    def start(self) -> Step:
        """Start the flow; return its first step.

        Raises:
            RefusedError: a budget refuses the call for what it is.
        """
        return next(self._performer.flows[self.call.charge_id])

    def go_on(self, answer: object) -> Step:
        """Tell the flow what came of a step; return the next one.

        Raises:
            RefusedError: what came of it does not let the call be sent.
        """
        return self._performer.flows[self.call.charge_id].send(answer)

    def waited(self) -> None:
        """Take the time anew: what a call waited for room is none of its duration."""
        self._started = perf_counter()

    def start_unasked(self) -> None:
        """Start the flow of an answer that came without being asked for: nothing can be held for it any more.

        Raises:
            RefusedError: a budget refuses the call for what it is.
        """
        step = self.start()
        while not isinstance(step, Send):
            step = self.go_on(None)

    def answered(self, answer: Any) -> None:
        """Finish with a whole answer."""
        try:
            self.note(answer)
        except Exception as error:  # noqa: BLE001 -- ours; settled by estimate then
            guard("read the answer's usage", error)
        self.finish()

    def finish(self, *, is_complete: bool = True, error: BaseException | None = None) -> None:
        """Finish with what was gathered."""
        if self.done:
            return
        try:
            answer = self._gathered(is_complete=is_complete, error=error)
        except Exception as fault:  # noqa: BLE001 -- ours; settled by estimate then, and the host reads on
            guard("read the answer's usage", fault)
            answer = new_answer(usage=None, duration_seconds=perf_counter() - self._started)
        self._end(answer)

    def _gathered(self, *, is_complete: bool, error: BaseException | None) -> Answer:
        usage = self.usage()
        is_whole_in_headers = self.at_cut is None and not self.seen and bool(self.seen_headers)
        is_complete = (is_complete and self.is_ended) or is_whole_in_headers
        if self.at_cut is not None and (usage is None or not is_complete):
            with contained("measure what came of an answer"):
                self.at_cut()
            usage = self.usage()
        if self.endpoint.as_asked:
            usage = with_asked(usage, self.call.input.other, self.endpoint.as_asked)
        return new_answer(
            usage=usage,
            served_model=self.served_model,
            response_id=self.response_id,
            tier=tier_of(self.tiers.values()),
            cost_nano=nano_of(self.reported_cost),
            is_complete=is_complete,
            received_tokens=self.text_size,
            applied=self.applied,
            unapplied=self.unapplied,
            error_type=None if error is None else error_type(error),
            duration_seconds=perf_counter() - self._started,
        )

    def closed(self) -> None:
        """Finish a turn whose response was closed."""
        if not self.is_pulling:
            self.finish(is_complete=False)

    def fail(self, error: BaseException, *, may_be_billed: bool) -> None:
        """Finish without an answer."""
        if not self.done:
            self._end(
                Failure(
                    error=error,
                    may_be_billed=may_be_billed,
                    duration_seconds=perf_counter() - self._started,
                    applied=self.applied,
                    unapplied=self.unapplied,
                )
            )

    def add_text(self, text: Any) -> None:
        """Measure a piece of the answer."""
        if isinstance(text, str):
            self.text_size += text_tokens(text)

    def _end(self, end: Answer | Failure) -> None:
        self.done = True
        self.at_cut = None
        flow = self._performer.flows.pop(self.call.charge_id, None)
        if flow is None:  # settled at exit, or another process's: this one was forked while the call was under way
            return
        try:
            step = flow.send(end)
            assert isinstance(step, Settle)  # noqa: S101 -- the flow's own order
            self._performer.settle(step, self)
        except Exception as error:  # noqa: BLE001 -- ours; the reservation expires then, as suspected spend
            guard("settle a call", error)

    def leave(self) -> None:
        """Let go of a call that was not sent."""
        self.done = True
        self._performer.flows.pop(self.call.charge_id, None)

    def __del__(self) -> None:
        """Settle a stream that was dropped without being closed."""
        if not self.done:
            self.finish(is_complete=False)
