"""Every way to call openai is one charge, with the usage the provider reported and the price of its model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest

from examples.provider_server import ProviderServer
from tests.instrumentation.conftest import Process

ASK: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say it in 30 words"}]}
HAS_RESPONSES = hasattr(openai.OpenAI, "responses")
needs_responses = pytest.mark.skipif(not HAS_RESPONSES, reason="this openai has no Responses API")


def chat_plain(client: openai.OpenAI) -> Any:
    return client.chat.completions.create(**ASK)


def chat_stream(client: openai.OpenAI) -> Any:
    return list(client.chat.completions.create(**ASK, stream=True))


def chat_stream_with_usage(client: openai.OpenAI) -> Any:
    return list(client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}))


def chat_raw(client: openai.OpenAI) -> Any:
    return client.chat.completions.with_raw_response.create(**ASK).parse()


def chat_raw_stream(client: openai.OpenAI) -> Any:
    return list(client.chat.completions.with_raw_response.create(**ASK, stream=True).parse())


def chat_streaming_response(client: openai.OpenAI) -> Any:
    with client.chat.completions.with_streaming_response.create(**ASK) as response:
        return response.parse()


def chat_streamed_lines(client: openai.OpenAI) -> Any:
    with client.chat.completions.with_streaming_response.create(**ASK, stream=True) as response:
        return list(response.iter_lines())


CALLS = [
    chat_plain,
    chat_stream,
    chat_stream_with_usage,
    chat_raw,
    chat_raw_stream,
    chat_streaming_response,
    chat_streamed_lines,
]


@pytest.mark.parametrize("call", CALLS)
def test_a_chat_is_one_charge_at_the_reported_usage(
    call: Callable[[openai.OpenAI], Any], process: Process, server: ProviderServer
) -> None:
    """gpt-4o-mini costs 0.15 USD per million input tokens and 0.60 per million output tokens."""
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        assert call(client)

    charge = process.charge
    assert charge.status == "confirmed"
    assert charge.usage.input_tokens > 0
    assert charge.usage.output_tokens >= 30
    assert charge.cost_nano == charge.usage.input_tokens * 150 + charge.usage.output_tokens * 600
    assert charge.response_id is not None
    assert len(server.requests) == 1


async def achat_plain(client: openai.AsyncOpenAI) -> Any:
    return await client.chat.completions.create(**ASK)


async def achat_stream(client: openai.AsyncOpenAI) -> Any:
    return [chunk async for chunk in await client.chat.completions.create(**ASK, stream=True)]


async def achat_raw(client: openai.AsyncOpenAI) -> Any:
    return (await client.chat.completions.with_raw_response.create(**ASK)).parse()


async def achat_streaming_response(client: openai.AsyncOpenAI) -> Any:
    async with client.chat.completions.with_streaming_response.create(**ASK) as response:
        return await response.parse()


@pytest.mark.parametrize("call", [achat_plain, achat_stream, achat_raw, achat_streaming_response])
async def test_an_async_chat_is_one_charge_at_the_reported_usage(
    call: Callable[[openai.AsyncOpenAI], Awaitable[Any]], process: Process, server: ProviderServer
) -> None:
    """The same as for the sync client."""
    async with openai.AsyncOpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        assert await call(client)

    charge = process.charge
    assert charge.status == "confirmed"
    assert charge.cost_nano == charge.usage.input_tokens * 150 + charge.usage.output_tokens * 600


def test_the_usage_event_we_asked_for_is_hidden(process: Process, server: ProviderServer) -> None:
    """A program that reads `chunk.choices[0]` of every chunk must not fail because of us."""
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        stream = client.chat.completions.create(**ASK, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert isinstance(stream, openai.Stream)
    assert len(text.split()) == 30
    assert server.requests[0].body["stream_options"] == {"include_usage": True}
    assert process.charge.status == "confirmed"


def test_a_usage_event_the_caller_asked_for_is_shown(process: Process, server: ProviderServer) -> None:
    """Who asked for it gets it."""
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        chunks = chat_stream_with_usage(client)

    assert chunks[-1].usage.completion_tokens == process.charge.usage.output_tokens


@needs_responses
@pytest.mark.parametrize("is_stream", [False, True])
def test_responses_are_charged(is_stream: bool, process: Process, server: ProviderServer) -> None:
    """Plain and streamed, the Responses API reports usage in the response."""
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        answer = client.responses.create(model="gpt-4o-mini", input="Say it in 30 words", stream=is_stream)
        assert not is_stream or list(answer)

    charge = process.charge
    assert charge.status == "confirmed"
    assert charge.cost_nano == charge.usage.input_tokens * 150 + charge.usage.output_tokens * 600


@needs_responses
def test_the_stream_helpers_are_charged_once(process: Process, server: ProviderServer) -> None:
    """`.stream()` of chat and of responses goes through the same request as everything else."""
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        with client.responses.stream(model="gpt-4o-mini", input="Say it in 30 words") as events:
            assert events.get_final_response().output_text
        with client.chat.completions.stream(**ASK) as events:
            assert events.get_final_completion().choices[0].message.content

    assert [charge.status for charge in process.charges] == ["confirmed", "confirmed"]


def test_embeddings_cost_their_input(process: Process, server: ProviderServer) -> None:
    """text-embedding-3-small costs 0.02 USD per million tokens, and has no output."""
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        client.embeddings.create(model="text-embedding-3-small", input=["one", "two words"])

    charge = process.charge
    assert charge.operation == "embeddings"
    assert charge.usage.output_tokens == 0
    assert charge.cost_nano == charge.usage.input_tokens * 20


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_an_error_of_the_provider_costs_nothing(status: int, process: Process, server: ProviderServer) -> None:
    """An error answer is not billed, so no cost is made up for it."""
    with (
        openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client,
        pytest.raises(openai.APIStatusError),
    ):
        client.chat.completions.create(**ASK, extra_headers={"x-fault": str(status)})

    assert process.charges == []
    assert process.spans[0].attributes["error.type"].endswith("Error")


def test_an_sdk_retry_is_one_call(process: Process, server: ProviderServer) -> None:
    """The SDK repeats a request that met a 500; the user made one call."""
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=2) as client:
        client.chat.completions.create(**ASK, extra_headers={"x-fault": "500 times=1"})

    assert process.charge.status == "confirmed"


def test_our_span_says_what_it_cost(process: Process, server: ProviderServer) -> None:
    """One span of ours, by the conventions' names."""
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        chat_plain(client)

    (span,) = process.spans
    charge = process.charge
    assert span.name == "chat gpt-4o-mini"
    assert span.attributes["gen_ai.provider.name"] == "openai"
    assert span.attributes["gen_ai.usage.input_tokens"] == charge.usage.input_tokens
    assert span.attributes["gen_ai.usage.cost"] == pytest.approx(charge.cost_nano / 1e9)
    assert span.attributes["llmcost.cost.input"] + span.attributes["llmcost.cost.output"] == pytest.approx(
        charge.cost_nano / 1e9
    )
    assert span.attributes["llmcost.charge.id"] == charge.charge_id


def test_clients_in_many_tasks_are_all_charged(process: Process, server: ProviderServer) -> None:
    """Concurrency loses nothing."""

    async def main() -> None:
        async with openai.AsyncOpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
            await asyncio.gather(*(achat_plain(client) for _ in range(10)))

    asyncio.run(main())

    assert len(process.charges) == 10
