"""Messages between agents, on a queue like that of AutoGen's runtime; tests/frameworks has the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import context as otel_context

from otel_llmcost import attribute
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.messages import JOIN
from otel_llmcost.telemetry import baggage


class Envelope:
    def __init__(self, *, text: str) -> None:
        self.text = text


class Runtime:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []

    async def _process_send(self, message: Any) -> None:
        await asyncio.sleep(0)
        self.seen.append((message.text, baggage.tags(otel_context.get_current()).get("user")))

    async def _process_publish(self, message: Any) -> None:
        await self._process_send(message)


MODULE = SimpleNamespace(
    SendMessageEnvelope=Envelope,
    PublishMessageEnvelope=type("Published", (Envelope,), {"__init__": Envelope.__init__}),
    SingleThreadedAgentRuntime=Runtime,
)


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(state, "is_installed", True)
    undo = [undo for join in JOIN.values() for undo in join(MODULE)]
    yield
    for each in undo:
        each()


@pytest.mark.usefixtures("joined")
async def test_a_message_is_for_whom_it_was_made_for() -> None:
    """Not for whoever started the runtime."""
    runtime = Runtime()
    with attribute(user="ada"):
        told = MODULE.SendMessageEnvelope(text="told")
    with attribute(user="lin"):
        published = MODULE.PublishMessageEnvelope(text="published")
    anybodys = MODULE.SendMessageEnvelope(text="anybody's")

    with attribute(user="root"):
        await asyncio.gather(runtime._process_send(told), runtime._process_publish(message=published))
        await runtime._process_send(anybodys)

    assert runtime.seen == [("told", "ada"), ("published", "lin"), ("anybody's", None)]


@pytest.mark.usefixtures("joined")
async def test_messages_pass_untouched_while_accounting_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "is_installed", False)
    runtime = Runtime()
    with attribute(user="ada"):
        message = MODULE.SendMessageEnvelope(text="told")

    await runtime._process_send(message)

    assert runtime.seen == [("told", None)]
    assert vars(message) == {"text": "told"}
