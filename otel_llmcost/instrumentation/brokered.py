"""The wrapper around a broker's functions: it says what only the broker knows, and lets a refusal through it whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from otel_llmcost.adapters.brokers import Entry, Errand
from otel_llmcost.core.attribution import Dimension
from otel_llmcost.errors import RefusedError
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained, guard
from otel_llmcost.instrumentation.errands import ERRAND_KEY, UnderWay, refusal_in
from otel_llmcost.telemetry import baggage

_MADE_IN = "_llmcost_made_in"
"""Where a stream keeps the context of the call that it was made in: it may be opened anywhere."""


class BrokerWrapper:
    """Stands around one function of one broker."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._run: Callable[..., Any] = {
            ("reading", False): _read,
            ("reading", True): _aread,
            ("making", False): _make,
            ("naming", False): self._name,
        }.get((entry.part, entry.is_async), self._acall if entry.is_async else self._call)

    def __call__(
        self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call the function."""
        if not state.is_installed or state.is_disabled:
            return wrapped(*args, **kwargs)
        return self._run(wrapped, instance, args, kwargs)

    def _call(self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call, ctx = self._begin(instance, args, kwargs)
        token = otel_context.attach(ctx)
        try:
            return wrapped(*args, **kwargs)
        except BaseException as error:  # a refusal held back from the broker is none of `Exception`
            refusal = self._refusal(call, error)
            if refusal is None:
                raise
        finally:
            call.is_open = False
            otel_context.detach(token)
        raise refusal

    async def _acall(
        self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        call, ctx = self._begin(instance, args, kwargs)
        token = otel_context.attach(ctx)
        try:
            return await wrapped(*args, **kwargs)
        except BaseException as error:  # a refusal held back from the broker is none of `Exception`
            refusal = self._refusal(call, error)
            if refusal is None:
                raise
        finally:
            call.is_open = False
            otel_context.detach(token)
        raise refusal

    def _name(self, wrapped: Callable[..., Any], _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Note the id that the broker gives to a call, and whether it makes a span of it where we can see that."""
        made = wrapped(*args, **kwargs)
        call = otel_context.get_value(ERRAND_KEY)
        with contained("learn how a broker calls a call"):
            if isinstance(call, UnderWay) and self._entry.id_of is not None:
                call.id = self._entry.id_of(made)
                call.makes_span = bool(call.id) and any(map(_is_seen, self._entry.tracers()))
        return made

    def _begin(self, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[UnderWay, Context]:
        ctx, is_opening = otel_context.get_current(), self._entry.part == "opening"
        if is_opening:
            ctx = getattr(instance, _MADE_IN, None) or ctx
        outer = ctx.get(ERRAND_KEY)
        errand = Errand()
        try:
            if self._entry.errand is not None:
                errand = self._entry.errand(instance, args, kwargs)
                ctx = _with_tags(errand, ctx)
        except Exception as error:  # noqa: BLE001 -- ours; the broker's call goes on without
            guard("learn what a broker was asked for", error)
        if not isinstance(outer, UnderWay) or not (outer.is_open or is_opening):
            outer = None
        call = UnderWay(errand, outer)
        return call, otel_context.set_value(ERRAND_KEY, call, ctx)

    def _refusal(self, call: UnderWay, error: BaseException) -> RefusedError | None:
        """Return the refusal to raise; None: there is none, or somebody of ours further out will raise it."""
        is_inside = call.outer is not None or self._entry.part == "opening"
        return None if is_inside else refusal_in(error)


def _is_seen(tracer: Any) -> bool:
    """Tell whether a tracer's spans pass the processor of ours."""
    ours = getattr(trace.get_tracer_provider(), "_active_span_processor", None)
    return ours is not None and getattr(tracer, "span_processor", None) is ours


def _make(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    setattr(instance, _MADE_IN, otel_context.get_current())
    return wrapped(*args, **kwargs)


def _read(wrapped: Callable[..., Any], _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return wrapped(*args, **kwargs)
    except StopIteration:
        raise
    except BaseException as error:  # a refusal held back from the broker is none of `Exception`
        refusal = refusal_in(error)
        if refusal is None:
            raise
    raise refusal


async def _aread(wrapped: Callable[..., Any], _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return await wrapped(*args, **kwargs)
    except StopAsyncIteration:
        raise
    except BaseException as error:  # a refusal held back from the broker is none of `Exception`
        refusal = refusal_in(error)
        if refusal is None:
            raise
    raise refusal


def _with_tags(errand: Errand, ctx: Context) -> Context:
    """Say whom the call is for, where the program has not said so itself."""
    if not errand.tags:
        return ctx
    known = baggage.tags(ctx)
    said: dict[Dimension, str] = {
        name: value[: baggage.MOST_CHARACTERS] for name, value in errand.tags.items() if name not in known
    }
    return baggage.with_tags(said, ctx) if said else ctx
