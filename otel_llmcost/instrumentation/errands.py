"""What a request can know of the broker's call that it is a part of.

A broker takes any `Exception` for a provider's failure: it tries again, asks another model, and raises an error of its
own. So a refusal passes it as a `RefusalHeld`, which is none, and leaves it as the `RefusedError` that it was.
"""

from __future__ import annotations

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_llmcost.adapters.brokers import Errand
from otel_llmcost.errors import RefusedError

ERRAND_KEY = otel_context.create_key("llmcost.errand")
"""Under this key the context carries the broker's call under way."""


class RefusalHeld(BaseException):
    """Carries a refusal through a broker."""

    def __init__(self, refusal: RefusedError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class UnderWay:
    """One call of a broker."""

    __slots__ = ("errand", "id", "is_open", "makes_span", "outer")

    def __init__(self, errand: Errand, outer: UnderWay | None) -> None:
        self.errand = errand
        self.outer = outer
        self.id = ""
        """The broker's; empty: not told."""
        self.makes_span = False
        """The broker itself makes a span of the call, when it is over."""
        self.is_open = True
        """False: it has ended, and what was begun inside it, such as a task of its logging, is on its own."""


def spanned_by_its_broker(ctx: Context) -> str:
    """Return the id of the broker's call that a context is inside of; empty: no broker makes a span of it."""
    call = ctx.get(ERRAND_KEY)
    while isinstance(call, UnderWay):
        if call.makes_span:
            return call.id
        call = call.outer
    return ""


def provider_meant() -> str:
    """Return the provider that a broker means by the request under way; empty: none said so."""
    call = otel_context.get_value(ERRAND_KEY)
    while isinstance(call, UnderWay):
        if call.errand.provider:
            return call.errand.provider
        call = call.outer
    return ""


def held(refusal: RefusedError) -> BaseException:
    """Return what to raise for a refusal where we are."""
    call = otel_context.get_value(ERRAND_KEY)
    return RefusalHeld(refusal) if isinstance(call, UnderWay) and call.is_open else refusal


def refusal_in(error: BaseException | None) -> RefusedError | None:
    """Find the refusal that went through a broker, even if somebody inside of it made another error of it."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        if isinstance(error, RefusalHeld):
            return error.refusal
        seen.append(error)
        error = error.__cause__ or error.__context__
    return None
