"""Ollama's own client must not be able to tell the local server from the real one."""

from collections.abc import Iterator
from typing import Any

import ollama
import pytest

from examples.provider_server import ProviderServer, Rule

ASK: dict[str, Any] = {"model": "llama3.2", "messages": [{"role": "user", "content": "Say hello in 12 words"}]}
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"query": {"type": "string"}}}},
}


@pytest.fixture
def client(server: ProviderServer) -> Iterator[ollama.Client]:
    with ollama.Client(host=server.url) as client:
        yield client


def with_fault(server: ProviderServer, fault: str, **more: Any) -> list[Any]:
    """Return the parts of an answer that has a fault, whole or streamed."""
    with ollama.Client(host=server.url, headers={"x-fault": fault}) as client:
        answer = client.chat(**ASK, **more)
        return list(answer) if more else [answer]


def test_counts_follow_the_documented_rule(client: ollama.Client, server: ProviderServer) -> None:
    answer = client.chat(**ASK)

    assert (answer.prompt_eval_count, answer.eval_count, answer.done_reason) == (9, 13, "stop")
    assert answer.total_duration == answer.prompt_eval_duration + answer.eval_duration == 22_000_000
    assert server.requests[0].provider == "ollama"


def test_a_stream_says_and_counts_the_same(client: ollama.Client, server: ProviderServer) -> None:
    whole = client.chat(**ASK)
    parts = list(client.chat(**ASK, stream=True))

    assert "".join(part.message.content for part in parts) == whole.message.content
    assert [part.eval_count for part in parts] == [None] * (len(parts) - 1) + [13]
    assert server.requests[0].usage == server.requests[1].usage


def test_a_tool_is_called_and_its_result_answered(client: ollama.Client) -> None:
    asked = client.chat(**ASK, tools=[TOOL]).message
    streamed = list(client.chat(**ASK, tools=[TOOL], stream=True))
    turns = [*ASK["messages"], asked, {"role": "tool", "tool_name": "look_up", "content": "found it"}]
    told = client.chat(**ASK | {"messages": turns}, tools=[TOOL]).message

    assert (asked.tool_calls[0].function.name, list(asked.tool_calls[0].function.arguments)) == ("look_up", ["query"])
    assert streamed[0].message.tool_calls
    assert told.content.startswith("On Say hello")


def test_thinking_images_and_schemas_are_served(client: ollama.Client) -> None:
    thought = client.chat(**ASK, think=True)
    thoughts = list(client.chat(**ASK, think=True, stream=True))
    seen = client.chat(model="llava", messages=[{"role": "user", "content": "two words", "images": [b"x"]}])
    plan = client.chat(**ASK, format={"type": "object", "properties": {"title": {"type": "string"}}})
    cut = client.chat(**ASK, options={"num_predict": 4})

    assert (bool(thought.message.thinking), thought.eval_count) == (True, 64 + 13)
    assert thoughts[0].message.thinking == thought.message.thinking
    assert seen.prompt_eval_count == 2 + 4 + 85
    assert plan.message.content.startswith('{"title":')
    assert (cut.eval_count, cut.done_reason) == (4, "length")


def test_texts_are_generated(client: ollama.Client) -> None:
    whole = client.generate(model="llama3.2", prompt="Say hello in 12 words", system="Be brief.", think=True)
    parts = list(client.generate(model="llama3.2", prompt="Say hello in 12 words", stream=True))

    assert (whole.prompt_eval_count, whole.eval_count, bool(whole.thinking)) == (5 + 4 + 3, 64 + 13, True)
    assert "".join(part.response for part in parts) == whole.response
    assert parts[-1].eval_count == 13


def test_texts_are_embedded(client: ollama.Client, server: ProviderServer) -> None:
    many = client.embed(model="nomic-embed-text", input=["one two", "three"])
    one = client.embed(model="nomic-embed-text", input="one two", dimensions=5)
    before = client.embeddings(model="nomic-embed-text", prompt="one two")

    assert ([len(each) for each in many.embeddings], many.prompt_eval_count) == ([768, 768], 3)
    assert (len(one.embeddings[0]), len(before.embedding)) == (5, 768)
    assert server.requests[-1].usage == {"prompt_eval_count": 2}


async def test_asynchronous_calls_are_answered_too(server: ProviderServer) -> None:
    async with ollama.AsyncClient(host=server.url) as client:
        answer = await client.chat(**ASK)
        parts = [part async for part in await client.chat(**ASK, stream=True)]

    assert answer.eval_count == parts[-1].eval_count == 13


def test_a_fault_reaches_the_program_as_the_clients_own_error(server: ProviderServer) -> None:
    for fault in ("404", "500"):
        with pytest.raises(ollama.ResponseError, match=fault):
            with_fault(server, fault)
    with pytest.raises(ollama.ResponseError, match="Overloaded"):
        with_fault(server, "overloaded-mid-stream", stream=True)


def test_counts_can_be_left_out_or_replaced(client: ollama.Client, server: ProviderServer) -> None:
    none = with_fault(server, "no-usage")[0]
    server.script.add(Rule(model="llama*", usage={"eval_count": 7}))

    assert (none.prompt_eval_count, none.eval_count) == (None, None)
    assert client.chat(**ASK).eval_count == list(client.chat(**ASK, stream=True))[-1].eval_count == 7
