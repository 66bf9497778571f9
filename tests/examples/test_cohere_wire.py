"""Cohere's own SDK, both versions of its API, must not be able to tell the local server from the real one."""

from collections.abc import Iterator
from typing import Any

import cohere
import httpx
import pytest
from cohere.core import ApiError

from examples.provider_server import ProviderServer, Rule

ASK: dict[str, Any] = {"model": "command-a-03-2025", "messages": [{"role": "user", "content": "Say hello in 12 words"}]}
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"query": {"type": "string"}}}},
}
FIRST_TOOL = {
    "name": "look_up",
    "description": "Look something up",
    "parameter_definitions": {"query": {"type": "str", "required": True}},
}


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as http:
        yield http


@pytest.fixture
def client(server: ProviderServer, http: httpx.Client) -> cohere.ClientV2:
    return cohere.ClientV2(api_key="local", base_url=server.url, httpx_client=http)


@pytest.fixture
def first(server: ProviderServer, http: httpx.Client) -> cohere.Client:
    return cohere.Client(api_key="local", base_url=server.url, httpx_client=http)


def test_text_is_billed_and_its_framing_is_not(client: cohere.ClientV2, server: ProviderServer) -> None:
    answer = client.chat(**ASK)

    billed, tokens = answer.usage.billed_units, answer.usage.tokens
    assert (billed.input_tokens, billed.output_tokens, tokens.input_tokens, tokens.output_tokens) == (5, 13, 9, 14)
    assert (answer.finish_reason, answer.message.content[0].type) == ("COMPLETE", "text")
    assert (server.requests[0].provider, server.requests[0].path) == ("cohere", "/v2/chat")


def test_a_stream_says_and_costs_the_same(client: cohere.ClientV2, server: ProviderServer) -> None:
    whole = client.chat(**ASK)
    events = list(client.chat_stream(**ASK))

    text = "".join(event.delta.message.content.text for event in events if event.type == "content-delta")
    assert text == whole.message.content[0].text
    assert [events[0].type, events[1].type, events[-1].type] == ["message-start", "content-start", "message-end"]
    assert events[-1].delta.usage.billed_units.output_tokens == 13
    assert server.requests[0].usage == server.requests[1].usage


def test_a_tool_is_called_and_its_result_answered(client: cohere.ClientV2) -> None:
    asked = client.chat(**ASK, tools=[TOOL])
    call = asked.message.tool_calls[0]
    turns = [
        *ASK["messages"],
        {"role": "assistant", "tool_plan": asked.message.tool_plan, "tool_calls": [call]},
        {
            "role": "tool",
            "tool_call_id": call.id,
            "content": [{"type": "document", "document": {"data": {"text": "found it"}}}],
        },
    ]
    told = client.chat(**ASK | {"messages": turns}, tools=[TOOL])
    events = list(client.chat_stream(**ASK, tools=[TOOL]))

    assert (call.function.name, asked.finish_reason, told.finish_reason) == ("look_up", "TOOL_CALL", "COMPLETE")
    assert {"tool-plan-delta", "tool-call-start", "tool-call-delta", "tool-call-end"} <= {each.type for each in events}


def test_thinking_and_structured_output_are_served(client: cohere.ClientV2) -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}}
    thought = client.chat(**ASK, thinking={"type": "enabled"})
    plan = client.chat(**ASK, response_format={"type": "json_object", "schema": schema})

    assert [each.type for each in thought.message.content] == ["thinking", "text"]
    assert thought.usage.billed_units.output_tokens == 64 + 13
    assert plan.message.content[0].text.startswith('{"title":')


def test_the_first_versions_chat_is_served(first: cohere.Client, server: ProviderServer) -> None:
    ask = {"model": "command-r", "message": "Say hello in 12 words", "preamble": "Be brief."}
    whole = first.chat(**ask, chat_history=[{"role": "USER", "message": "Hi"}])
    events = list(first.chat_stream(**ask))

    billed = whole.meta.billed_units
    assert (billed.input_tokens, billed.output_tokens, whole.finish_reason) == (5 + 3 + 1, 13, "COMPLETE")
    assert "".join(each.text for each in events if each.event_type == "text-generation") == whole.text
    assert events[-1].response.meta.billed_units.output_tokens == 13
    assert server.requests[1].path == "/v1/chat"


def test_the_first_versions_tools_are_called(first: cohere.Client) -> None:
    asked = first.chat(message="Hi", tools=[FIRST_TOOL])
    events = list(first.chat_stream(message="Hi", tools=[FIRST_TOOL]))
    result = {"call": asked.tool_calls[0], "outputs": [{"text": "found it"}]}
    told = first.chat(message="Hi", tools=[FIRST_TOOL], tool_results=[result])

    assert (asked.tool_calls[0].name, list(asked.tool_calls[0].parameters)) == ("look_up", ["query"])
    assert "tool-calls-generation" in {each.event_type for each in events}
    assert told.text


def test_texts_and_images_are_embedded(client: cohere.ClientV2, first: cohere.Client, server: ProviderServer) -> None:
    ask: dict[str, Any] = {"model": "embed-v4.0", "input_type": "search_document"}
    texts = client.embed(**ask, texts=["one two", "three"], embedding_types=["float", "int8"])
    images = client.embed(**ask, images=["data:image/png;base64,AAAA"], embedding_types=["float"])
    inputs = client.embed(**ask, inputs=[{"content": [{"type": "text", "text": "one two"}]}], embedding_types=["float"])
    before = first.embed(**ask, texts=["one two"])

    assert [len(each) for each in texts.embeddings.float_] == [1024, 1024]
    assert set(map(type, texts.embeddings.int8[0])) == {int}
    billed = [each.meta.billed_units for each in (texts, images, inputs, before)]
    assert [each.input_tokens for each in billed] == [3, 0, 2, 2]
    assert (billed[1].images, server.requests[1].usage["image_tokens"]) == (1, 85)
    assert len(before.embeddings[0]) == 1024


def test_documents_are_ranked_a_hundred_for_a_search(client: cohere.ClientV2, first: cohere.Client) -> None:
    documents = ["a dog", "a cat sleeps", *["something else"] * 99]
    found = client.rerank(model="rerank-v3.5", query="cat sleeps", documents=documents, top_n=2)
    before = first.rerank(model="rerank-v3.5", query="cat", documents=[{"text": "a cat"}, {"text": "a dog"}])

    assert found.results[0].index == 1
    assert (len(found.results), found.meta.billed_units.search_units) == (2, 2)
    assert before.meta.billed_units.search_units == 1


async def test_asynchronous_calls_are_answered_too(server: ProviderServer) -> None:
    async with httpx.AsyncClient() as http:
        client = cohere.AsyncClientV2(api_key="local", base_url=server.url, httpx_client=http)
        answer = await client.chat(**ASK)
        events = [event async for event in client.chat_stream(**ASK)]

    assert answer.usage.billed_units.output_tokens == events[-1].delta.usage.billed_units.output_tokens == 13


@pytest.mark.parametrize("fault", ["401", "404", "429", "500"])
def test_a_fault_reaches_the_program_as_the_sdks_own_error(client: cohere.ClientV2, fault: str) -> None:
    options = {"additional_headers": {"x-fault": fault}, "max_retries": 0}
    with pytest.raises(ApiError) as caught:
        client.chat(**ASK, request_options=options)

    assert caught.value.status_code == int(fault)


def test_a_stream_can_end_in_an_error(client: cohere.ClientV2, first: cohere.Client) -> None:
    options = {"additional_headers": {"x-fault": "overloaded-mid-stream"}, "max_retries": 0}
    last = list(client.chat_stream(**ASK, request_options=options))[-1]
    first_last = list(first.chat_stream(message="Hi", request_options=options))[-1]

    assert (last.delta.finish_reason, last.delta.usage) == ("ERROR", None)
    assert first_last.finish_reason == "ERROR"


def test_usage_can_be_left_out_or_replaced(client: cohere.ClientV2, server: ProviderServer) -> None:
    options = {"additional_headers": {"x-fault": "no-usage"}, "max_retries": 0}
    none = list(client.chat_stream(**ASK, request_options=options))[-1]
    server.script.add(Rule(model="command-*", usage={"billed_units": {"input_tokens": 7}}))
    events = list(client.chat_stream(**ASK))

    assert none.delta.usage is None
    assert events[-1].delta.usage.billed_units.input_tokens == client.chat(**ASK).usage.billed_units.input_tokens == 7
