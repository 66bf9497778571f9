"""Mistral's own SDK must not be able to tell the local server from the real one."""

from collections.abc import Iterator
from typing import Any

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import MistralError, SDKError
from mistralai.client.utils import RetryConfig

from examples.provider_server import ProviderServer, Rule

ASK: dict[str, Any] = {
    "model": "mistral-large-latest",
    "messages": [{"role": "user", "content": "Say hello in 12 words"}],
}
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"query": {"type": "string"}}}},
}
DATA_URL = "data:application/pdf;base64,JVBERi0xLjcK"


@pytest.fixture
def client(server: ProviderServer) -> Iterator[Mistral]:
    never = RetryConfig("none", None, retry_connection_errors=False)
    with Mistral(api_key="local", server_url=server.mistral_url, retry_config=never) as client:
        yield client


def test_usage_follows_the_documented_rule(client: Mistral, server: ProviderServer) -> None:
    answer = client.chat.complete(**ASK)

    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (9, 13, 22)
    assert answer.choices[0].finish_reason == "stop"
    assert (server.requests[0].provider, server.requests[0].path) == ("mistral", "/mistral/v1/chat/completions")


def test_a_stream_says_and_costs_the_same(client: Mistral, server: ProviderServer) -> None:
    whole = client.chat.complete(**ASK)
    with client.chat.stream(**ASK) as stream:
        chunks = [event.data for event in stream]

    assert "".join(chunk.choices[0].delta.content for chunk in chunks) == whole.choices[0].message.content
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert server.requests[0].usage == server.requests[1].usage


def test_a_tool_is_called_and_its_result_answered(client: Mistral) -> None:
    asked = client.chat.complete(**ASK, tools=[TOOL], tool_choice="any").choices[0]
    call = asked.message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "name": "look_up", "content": "found it"}
    told = client.chat.complete(**ASK | {"messages": [*ASK["messages"], asked.message, result]}, tools=[TOOL])
    with client.chat.stream(**ASK, tools=[TOOL]) as stream:
        last = [event.data for event in stream][-1].choices[0]

    assert (call.function.name, asked.finish_reason) == ("look_up", "tool_calls")
    assert told.choices[0].finish_reason == "stop"
    assert (last.delta.tool_calls[0].function.name, last.finish_reason) == ("look_up", "tool_calls")


def test_reasoning_is_said_in_a_chunk_of_its_own(client: Mistral) -> None:
    answer = client.chat.complete(**ASK, prompt_mode="reasoning")
    with client.chat.stream(**ASK, prompt_mode="reasoning") as stream:
        kinds = [type(event.data.choices[0].delta.content).__name__ for event in stream]

    assert [chunk.type for chunk in answer.choices[0].message.content] == ["thinking", "text"]
    assert answer.usage.completion_tokens == 64 + 13
    assert kinds[1] == "list"


def test_a_long_prompt_is_cached_by_itself(client: Mistral) -> None:
    long = [{"role": "system", "content": "rule " * 1100}]
    for text in ("one", "two"):
        answer = client.chat.complete(**ASK | {"messages": [*long, {"role": "user", "content": text}]})

    assert answer.usage.model_extra["prompt_tokens_details"] == {"cached_tokens": 1024}


def test_agents_and_code_completion_are_served(client: Mistral, server: ProviderServer) -> None:
    agent = client.agents.complete(agent_id="ag_1", messages=ASK["messages"])
    code = client.fim.complete(model="codestral-latest", prompt="def a():", suffix="return x", max_tokens=5)

    assert agent.model == "mistral-medium-latest"
    assert (code.usage.prompt_tokens, code.usage.completion_tokens) == (7, 5)
    assert code.choices[0].finish_reason == "length"
    assert [exchange.status for exchange in server.requests] == [200, 200]


def test_texts_are_embedded(client: Mistral) -> None:
    answer = client.embeddings.create(model="mistral-embed", inputs=["one two", "three"])

    assert [len(each.embedding) for each in answer.data] == [1024, 1024]
    assert answer.usage.prompt_tokens == 3


def test_documents_are_read_page_by_page(client: Mistral) -> None:
    whole = client.ocr.process(model="mistral-ocr-latest", document={"type": "document_url", "document_url": DATA_URL})
    part = client.ocr.process(
        model="mistral-ocr-latest", document={"type": "document_url", "document_url": DATA_URL}, pages=[3]
    )
    image = client.ocr.process(model="mistral-ocr-latest", document={"type": "image_url", "image_url": "data:"})

    assert [each.usage_info.pages_processed for each in (whole, part, image)] == [2, 1, 1]
    assert part.pages[0].markdown.startswith("# Page 4")


async def test_asynchronous_calls_are_answered_too(server: ProviderServer) -> None:
    async with Mistral(api_key="local", server_url=server.mistral_url) as client:
        answer = await client.chat.complete_async(**ASK)
        stream = await client.chat.stream_async(**ASK)
        chunks = [event.data async for event in stream]

    assert answer.usage.completion_tokens == chunks[-1].usage.completion_tokens == 13


@pytest.mark.parametrize("fault", ["401", "429", "500", "garbage"])
def test_a_fault_reaches_the_program_as_the_sdks_own_error(client: Mistral, fault: str) -> None:
    with pytest.raises(MistralError):
        client.chat.complete(**ASK, http_headers={"x-fault": fault})


def test_usage_can_be_left_out_or_replaced(client: Mistral, server: ProviderServer) -> None:
    with client.chat.stream(**ASK, http_headers={"x-fault": "no-usage"}) as stream:
        none = [event.data.usage for event in stream]
    server.script.add(Rule(model="mistral-*", usage={"prompt_tokens": 7}))

    assert not any(none)
    assert client.chat.complete(**ASK).usage.prompt_tokens == 7


def test_pages_given_as_a_text_are_refused(client: Mistral) -> None:
    with pytest.raises(SDKError, match="pages"):
        client.ocr.process(model="m", document={"type": "document_url", "document_url": DATA_URL}, pages="0-3")


def test_conversations_are_kept(client: Mistral, server: ProviderServer) -> None:
    beta = client.beta.conversations
    begun = beta.start(model="mistral-medium-latest", inputs="Say hello in 12 words", instructions="Be brief.")
    more = beta.append(conversation_id=begun.conversation_id, inputs=[{"role": "user", "content": "two words"}])
    with beta.start_stream(agent_id="ag_1", inputs="Say hello in 12 words") as stream:
        events = [event.data for event in stream]

    assert (begun.usage.prompt_tokens, begun.usage.completion_tokens) == (5 + 4 + 5, 13)
    assert more.usage.prompt_tokens == 14 + (13 + 4) + (2 + 4)
    text = "".join(each.content for each in events if each.type == "message.output.delta")
    assert text == begun.outputs[0].content
    assert (events[-1].type, events[-1].usage.completion_tokens) == ("conversation.response.done", 13)
    assert server.requests[1].path == f"/mistral/v1/conversations/{begun.conversation_id}"


def test_a_conversation_calls_tools(client: Mistral) -> None:
    beta = client.beta.conversations
    asked = beta.start(model="mistral-medium-latest", inputs="Hi", tools=[TOOL])
    call = asked.outputs[0]
    result = {"type": "function.result", "tool_call_id": call.tool_call_id, "result": "found it"}
    told = beta.append(conversation_id=asked.conversation_id, inputs=[result])
    with beta.start_stream(model="mistral-medium-latest", inputs="Hi", tools=[TOOL]) as stream:
        kinds = [event.data.type for event in stream]

    assert (call.type, call.name, told.outputs[0].type) == ("function.call", "look_up", "message.output")
    assert kinds[1] == "function.call.delta"


def test_a_conversation_without_a_model_is_refused(client: Mistral) -> None:
    with pytest.raises(SDKError, match="model"):
        client.beta.conversations.start(inputs="Hi")
