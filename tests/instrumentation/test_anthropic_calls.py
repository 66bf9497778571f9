"""Every way to call anthropic is one charge, with the usage the provider reported and the price of its model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import pytest

from examples.provider_server import ProviderServer
from examples.provider_server.script import Rule
from otel_llmcost import attribute
from tests.instrumentation.conftest import Process

MODEL = "claude-3-haiku-20240307"
"""0.25 USD per million input tokens, 1.25 per million output tokens."""
ASK: Any = {"model": MODEL, "max_tokens": 200, "messages": [{"role": "user", "content": "Say it in 30 words"}]}


def plain(client: anthropic.Anthropic) -> Any:
    return client.messages.create(**ASK)


def stream(client: anthropic.Anthropic) -> Any:
    return list(client.messages.create(**ASK, stream=True))


def stream_helper(client: anthropic.Anthropic) -> Any:
    with client.messages.stream(**ASK) as events:
        return events.get_final_message()


def stream_helper_text(client: anthropic.Anthropic) -> Any:
    with client.messages.stream(**ASK) as events:
        return "".join(events.text_stream)


def raw(client: anthropic.Anthropic) -> Any:
    return client.messages.with_raw_response.create(**ASK).parse()


def streaming_response(client: anthropic.Anthropic) -> Any:
    with client.messages.with_streaming_response.create(**ASK) as response:
        return response.json()


def beta(client: anthropic.Anthropic) -> Any:
    beta_messages = getattr(client.beta, "messages", None) or client.beta.prompt_caching.messages
    return beta_messages.create(**ASK)


@pytest.mark.parametrize("call", [plain, stream, stream_helper, stream_helper_text, raw, streaming_response, beta])
def test_a_message_is_one_charge_at_the_reported_usage(
    call: Callable[[anthropic.Anthropic], Any], process: Process, server: ProviderServer
) -> None:
    """Whatever the program does with the answer, its usage is read once."""
    with anthropic.Anthropic(base_url=server.anthropic_url, api_key="k", max_retries=0) as client:
        assert call(client)

    charge = process.charge
    assert charge.status == "confirmed"
    assert charge.usage.output_tokens >= 30
    assert charge.cost_nano == charge.usage.input_tokens * 250 + charge.usage.output_tokens * 1250
    assert charge.response_id is not None
    assert len(server.requests) == 1


async def aplain(client: anthropic.AsyncAnthropic) -> Any:
    return await client.messages.create(**ASK)


async def astream(client: anthropic.AsyncAnthropic) -> Any:
    return [event async for event in await client.messages.create(**ASK, stream=True)]


async def astream_helper(client: anthropic.AsyncAnthropic) -> Any:
    async with client.messages.stream(**ASK) as events:
        return await events.get_final_message()


@pytest.mark.parametrize("call", [aplain, astream, astream_helper])
async def test_an_async_message_is_one_charge_at_the_reported_usage(
    call: Callable[[anthropic.AsyncAnthropic], Awaitable[Any]], process: Process, server: ProviderServer
) -> None:
    """The same as for the sync client."""
    async with anthropic.AsyncAnthropic(base_url=server.anthropic_url, api_key="k", max_retries=0) as client:
        assert await call(client)

    charge = process.charge
    assert charge.status == "confirmed"
    assert charge.cost_nano == charge.usage.input_tokens * 250 + charge.usage.output_tokens * 1250


@pytest.mark.parametrize("call", [plain, stream])
def test_cached_tokens_are_part_of_the_input_and_priced_apart(
    call: Callable[[anthropic.Anthropic], Any], process: Process, server: ProviderServer
) -> None:
    """`input_tokens` leaves cached ones out: 100 fresh + 1,000 read + 500 written, of these 200 for an hour.

    Haiku 3 per million: fresh 0.25, read 0.03, written for five minutes 0.30, for an hour twice the input price, 0.50.
    """
    usage = {
        "input_tokens": 100,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 500,
        "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 10,
    }
    server.script.add(Rule(usage=usage))
    with anthropic.Anthropic(base_url=server.anthropic_url, api_key="k", max_retries=0) as client:
        call(client)

    charge = process.charge
    assert charge.usage.input_tokens == 1600
    assert charge.usage["cache_write_1h_tokens"] == 200
    assert charge.cost_nano == 100 * 250 + 1000 * 30 + 300 * 300 + 200 * 500 + 10 * 1250


def test_anthropics_own_span_is_enriched_and_no_second_one_made(process: Process, server: ProviderServer) -> None:
    """anthropic 2 makes a span itself: ours would be a double; it gets the cost instead."""
    if not hasattr(anthropic.Anthropic, "_tracer"):
        pytest.skip("this anthropic makes no spans of its own")
    from tests.instrumentation.conftest import EXPORTER

    with anthropic.Anthropic(base_url=server.anthropic_url, api_key="k", max_retries=0) as client:
        plain(client)
        stream_helper(client)

    spans = EXPORTER.get_finished_spans()
    assert [span.instrumentation_scope.name.split(".")[1] for span in spans] == ["anthropic", "anthropic"]
    first, second = process.charges
    assert spans[0].attributes["gen_ai.usage.cost"] == pytest.approx(first.cost_nano / 1e9)
    assert spans[1].attributes["gen_ai.usage.cost"] == pytest.approx(second.cost_nano / 1e9)


def test_anthropics_own_span_says_whom_the_call_is_for(process: Process, server: ProviderServer) -> None:
    """It is made within our call, where no baggage is; whoever has the span alone wants to know all the same."""
    if not hasattr(anthropic.Anthropic, "_tracer"):
        pytest.skip("this anthropic makes no spans of its own")
    from tests.instrumentation.conftest import EXPORTER

    with (
        attribute(agent="writer", user="ada"),
        anthropic.Anthropic(base_url=server.anthropic_url, api_key="k") as client,
    ):
        plain(client)

    (span,) = EXPORTER.get_finished_spans()
    assert process.charge.tags["agent"] == "writer"
    assert (span.attributes["gen_ai.agent.name"], span.attributes["user.id"]) == ("writer", "ada")
