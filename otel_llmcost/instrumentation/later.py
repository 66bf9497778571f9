"""What is paid before it is known: batches, and answers that are made in the background.

Looking one up costs nothing, but tells what it came to. It is charged at the first sight of that, once, however often
and in however many processes it is looked at: the charge's id is made of the provider's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace

from otel_llmcost.adapters.endpoint import Endpoint, tier_of
from otel_llmcost.adapters.getters import fields_of, getter
from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.flow import Answer
from otel_llmcost.core.ledger import Charge
from otel_llmcost.instrumentation.contain import contained
from otel_llmcost.instrumentation.driver import Ask, Driver
from otel_llmcost.instrumentation.reading import Reading, objects
from otel_llmcost.telemetry import frames


class LookUp:
    """Reads what a look-up answers; stands where a call's turn stands for whatever reads bytes."""

    def __init__(self, driver: Driver, ask: Ask, about: str | None) -> None:
        """Begin one.

        Args:
            driver: books what is learnt.
            ask: what is looked up.
            about: id of what it is about, such as a batch of many answers; None: the URL says none.
        """
        self._driver = driver
        self._ask = ask
        self._about = about
        self.endpoint: Endpoint = ask.endpoint
        self.is_async, self.is_stream = ask.is_async, False
        self.is_ended = self.is_pulling = self.hides_usage = False
        self.at_cut: Callable[[], None] | None = None

    def answered(self, answer: Any) -> None:
        """Take a whole answer."""
        with contained("read what an earlier request came to"):
            self.note(answer)

    def note(self, answer: Any) -> bool:
        """Take what an answer, or one line of it, tells; return whether it told a usage."""
        endpoint = self.endpoint
        if endpoint.pays == "later":
            self._remember(fields_of(answer).get("id"))
            return False
        if endpoint.done is not None and getter(endpoint.done[0])(answer) not in endpoint.done[1]:
            return False
        reading = Reading(endpoint)
        reading.note(answer)
        told = reading.answer()
        if told.usage is None or told.response_id is None:
            return False
        self._learn(told, told.response_id)
        return True

    def _remember(self, response_id: object) -> None:
        if isinstance(response_id, str):
            tags: dict[Dimension, str] = {**self._driver.said, **frames.tags(otel_context.get_current())}
            self._driver.owed.remember(response_id, tags)

    def _learn(self, told: Answer, response_id: str) -> None:
        original = self._driver.uncertain(response_id)
        if original is not None:
            self._driver.correct(original, self._truth(told, response_id))
        elif self.endpoint.charges:
            truth = self._truth(told, response_id)
            if self._driver.owed.is_new(truth):
                self._driver.book(truth)

    def _truth(self, told: Answer, response_id: str) -> Charge:
        ctx, driver, ask = otel_context.get_current(), self._driver, self._ask
        asked = replace(ask, model=told.served_model or ask.model)
        call = driver.call_of(asked, ctx, trace.get_current_span(ctx))
        words = [*(told.tier or "").split("+"), *filter(None, [self.endpoint.fixed_tier])]
        owner = driver.owed.owners.get(self._about or response_id, {})
        return replace(
            driver.pricing.charge_beside(call, replace(told, tier=tier_of(words))),
            charge_id=f"{ask.provider}:{response_id}",
            tags={**call.tags, **owner},
            duration_seconds=0.0,
        )

    def note_whole(self, body: bytes) -> None:
        """Take what a whole body tells."""
        for answer in objects(body):
            self.note(answer)

    def note_headers(self, headers: Mapping[str, str]) -> None:
        """Nothing is told there."""

    def finish(self, *, is_complete: bool = True, error: BaseException | None = None) -> None:
        """Nothing is left to be done at the end."""

    def closed(self) -> None:
        """Nothing is left to be done at the end."""

    def add_text(self, text: Any) -> None:
        """Nothing is estimated."""
