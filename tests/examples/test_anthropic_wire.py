"""Anthropic's own SDK, oldest and newest, must not be able to tell the local server from the real one."""

import json
from typing import Any

import anthropic
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import BaseModel

from examples.provider_server import ProviderServer, Rule
from tests.examples.raw import IS_NEWEST, check, events, post

ASK: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "Say hello in 12 words"}],
}
TOOL = {
    "name": "look_up",
    "description": "Look something up",
    "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}
LONG = {"type": "text", "text": "rule " * 1100, "cache_control": {"type": "ephemeral"}}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
needs_newest = pytest.mark.skipif(not IS_NEWEST, reason=f"anthropic {anthropic.__version__} does not know this yet")


class Plan(BaseModel):
    title: str
    steps: list[str]


VARIANTS = [
    pytest.param({}, "end_turn", id="plain"),
    pytest.param({"tools": [TOOL]}, "tool_use", id="tool-use"),
    pytest.param({"max_tokens": 3}, "max_tokens", id="cut-at-maximum"),
    pytest.param({"system": [LONG]}, "end_turn", id="cached"),
    pytest.param(THINKING, "end_turn", id="thinking", marks=needs_newest),
]


@pytest.mark.parametrize(("extra", "stop_reason"), VARIANTS)
def test_messages_are_what_the_sdk_expects(server: ProviderServer, extra: dict[str, Any], stop_reason: str) -> None:
    message = json.loads(post(server, "/v1/messages", ASK | extra))

    check(Message, message)
    assert message["stop_reason"] == stop_reason


@pytest.mark.parametrize(("extra", "stop_reason"), VARIANTS)
def test_every_message_event_is_what_the_sdk_expects(
    server: ProviderServer, extra: dict[str, Any], stop_reason: str
) -> None:
    found = events(server, "/v1/messages", ASK | extra | {"stream": True})

    for event in found:
        check(RawMessageStreamEvent, event)
    assert found[0]["type"] == "message_start"
    assert found[-1]["type"] == "message_stop"
    assert found[-2]["delta"]["stop_reason"] == stop_reason


def test_a_streams_usage_is_a_total_that_replaces_what_came_before(server: ProviderServer) -> None:
    found = events(server, "/v1/messages", ASK | {"stream": True, "system": [LONG]})
    start, delta = found[0]["message"]["usage"], found[-2]["usage"]

    assert start["output_tokens"] == 1
    assert delta["output_tokens"] == 13
    assert delta["cache_creation_input_tokens"] == start["cache_creation_input_tokens"] == 1104


def test_usage_follows_the_documented_rule(anthropic_client: anthropic.Anthropic) -> None:
    message = anthropic_client.messages.create(**ASK, system="Be brief.")

    # 5 words + 4 for the message, 2 words and a full stop + 4 for the system prompt; a colon and twelve words back
    assert (message.usage.input_tokens, message.usage.output_tokens) == (9 + 7, 13)


def test_streamed_and_whole_messages_say_and_cost_the_same(
    anthropic_client: anthropic.Anthropic, server: ProviderServer
) -> None:
    whole = anthropic_client.messages.create(**ASK)
    with anthropic_client.messages.stream(**ASK) as stream:
        text = "".join(stream.text_stream)
        streamed = stream.get_final_message()

    assert text == whole.content[0].text == streamed.content[0].text
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert server.requests[0].usage == server.requests[1].usage


def test_a_tool_is_called_and_its_result_answered(anthropic_client: anthropic.Anthropic) -> None:
    with anthropic_client.messages.stream(**ASK, tools=[TOOL]) as stream:
        asked = stream.get_final_message()
    call = asked.content[0]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "found it"}
    turns = [*ASK["messages"], {"role": "assistant", "content": asked.content}, {"role": "user", "content": [result]}]
    told = anthropic_client.messages.create(**ASK | {"messages": turns}, tools=[TOOL])

    assert (call.name, list(call.input)) == ("look_up", ["query"])
    assert (asked.stop_reason, told.stop_reason) == ("tool_use", "end_turn")


def test_a_marked_prompt_is_written_to_the_cache_once_and_then_read(server: ProviderServer) -> None:
    for ttl in ("5m", "1h", "1h"):
        system = [LONG | {"text": ttl + " rule" * 1100, "cache_control": {"type": "ephemeral", "ttl": ttl}}]
        post(server, "/v1/messages", ASK | {"system": system})

    used = [
        (
            exchange.usage["cache_creation"]["ephemeral_5m_input_tokens"],
            exchange.usage["cache_creation"]["ephemeral_1h_input_tokens"],
            exchange.usage["cache_read_input_tokens"],
            exchange.usage["input_tokens"],
        )
        for exchange in server.requests
    ]
    assert used == [(1105, 0, 0, 9), (0, 1105, 0, 9), (0, 0, 1105, 9)]


def test_a_marked_prompt_below_the_minimum_is_not_cached(server: ProviderServer) -> None:
    for _ in range(2):
        post(server, "/v1/messages", ASK | {"system": [LONG | {"text": "short"}]})

    assert [exchange.usage["cache_read_input_tokens"] for exchange in server.requests] == [0, 0]


@needs_newest
def test_thinking_is_billed_as_output_and_said_apart(anthropic_client: anthropic.Anthropic) -> None:
    with anthropic_client.messages.stream(**ASK, **THINKING) as stream:
        message = stream.get_final_message()

    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.usage.output_tokens_details.thinking_tokens == 80
    assert message.usage.output_tokens == 80 + 13


@needs_newest
def test_structured_output_is_parsed_by_the_sdk(anthropic_client: anthropic.Anthropic) -> None:
    message = anthropic_client.messages.parse(**ASK, output_format=Plan)

    assert len(message.parsed_output.steps) == 3


@needs_newest
def test_beta_messages_are_served_at_the_same_place(
    anthropic_client: anthropic.Anthropic, server: ProviderServer
) -> None:
    from anthropic.types.beta import BetaMessage

    message = anthropic_client.beta.messages.create(**ASK, betas=["context-1m-2025-08-07"])
    with anthropic_client.beta.messages.stream(**ASK) as stream:
        streamed = stream.get_final_message()

    check(BetaMessage, message.to_dict())
    assert streamed.usage.output_tokens == message.usage.output_tokens == 13
    assert {exchange.path for exchange in server.requests} == {"/v1/messages"}
    assert json.loads(post(server, "/v1/messages?beta=true", ASK))["usage"]["output_tokens"] == 13  # as SDKs 0.x ask


@needs_newest
def test_tokens_are_counted_as_they_will_be_billed(anthropic_client: anthropic.Anthropic) -> None:
    ask = {name: value for name, value in ASK.items() if name != "max_tokens"} | {"tools": [TOOL]}

    counted = anthropic_client.messages.count_tokens(**ask)

    assert counted.input_tokens == anthropic_client.messages.create(**ask, max_tokens=9).usage.input_tokens


@needs_newest
def test_models_are_listed(anthropic_client: anthropic.Anthropic) -> None:
    assert "claude-haiku-4-5" in [model.id for model in anthropic_client.models.list()]


async def test_asynchronous_streams_are_read_too(async_anthropic_client: anthropic.AsyncAnthropic) -> None:
    async with async_anthropic_client.messages.stream(**ASK) as stream:
        text = "".join([piece async for piece in stream.text_stream])

    assert text.startswith("On Say hello")


def test_a_script_replaces_parts_of_the_usage(server: ProviderServer, anthropic_client: anthropic.Anthropic) -> None:
    server.script.add(
        Rule(model="claude-*", usage={"input_tokens": 7, "cache_creation": {"ephemeral_1h_input_tokens": 5}})
    )
    with anthropic_client.messages.stream(**ASK) as stream:
        message = stream.get_final_message()

    assert message.usage.input_tokens == 7
    assert server.requests[0].usage["cache_creation"] == {
        "ephemeral_5m_input_tokens": 0,
        "ephemeral_1h_input_tokens": 5,
    }


@pytest.mark.parametrize("missing", ["model", "messages", "max_tokens"])
def test_a_request_that_lacks_a_field_is_told_which(server: ProviderServer, missing: str) -> None:
    answer = json.loads(post(server, "/v1/messages", {name: value for name, value in ASK.items() if name != missing}))

    assert answer["type"] == "error"
    assert answer["error"]["type"] == "invalid_request_error"
    assert missing in answer["error"]["message"]
