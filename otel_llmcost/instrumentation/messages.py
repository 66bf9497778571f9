"""Messages that agents send one another through a queue: the answer is for whoever the question was for.

One runtime of AutoGen serves all its users by tasks of its own. It notes in each message which span it belongs to,
but nothing of the baggage.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from opentelemetry import context as otel_context

from otel_llmcost.core.attribution import Tags
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained
from otel_llmcost.instrumentation.hops import around
from otel_llmcost.telemetry import baggage

_MARK = "_llmcost_tags"
_AUTOGEN = "autogen_core._single_threaded_agent_runtime"


def _make(wrapped: Callable[..., None], message: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Note on a message who it is for."""
    wrapped(*args, **kwargs)
    with contained("carry attribution in a message between agents"):
        if state.is_installed and not state.is_disabled:
            setattr(message, _MARK, dict(baggage.tags(otel_context.get_current())))


def _deliver(
    wrapped: Callable[..., Awaitable[Any]], _runtime: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Awaitable[Any]:
    """Deliver the message, which is the only argument, for them."""
    tags = next((getattr(message, _MARK, None) for message in (*args, *kwargs.values())), None)
    delivery = wrapped(*args, **kwargs)
    return delivery if tags is None else _work(delivery, tags)


async def _work(delivery: Awaitable[Any], tags: Tags) -> Any:
    token = otel_context.attach(baggage.with_only(tags))
    try:
        return await delivery
    finally:
        otel_context.detach(token)


def _join_autogen(module: Any) -> list[Callable[[], None]]:
    return [
        *around(module.SendMessageEnvelope, ("__init__",), _make),
        *around(module.PublishMessageEnvelope, ("__init__",), _make),
        *around(module.SingleThreadedAgentRuntime, ("_process_send", "_process_publish"), _deliver),
    ]


JOIN: Mapping[str, Callable[[Any], list[Callable[[], None]]]] = {_AUTOGEN: _join_autogen}
"""Module → what to do when it is imported; it returns what takes that back."""
