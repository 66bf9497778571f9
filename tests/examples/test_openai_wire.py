"""OpenAI's own SDK, oldest and newest, must not be able to tell the local server from the real one."""

import base64
import json
import struct
from typing import Any

import openai
import pytest
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from examples.provider_server import Answer, ProviderServer, Rule, ToolCall
from tests.examples.raw import check, events, post

HELLO = [{"role": "user", "content": "Say hello in 12 words"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Look something up",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string"}, "limit": {"type": "integer", "minimum": 2}},
            "required": ["query", "limit"],
        },
    },
}


class Plan(BaseModel):
    title: str
    steps: list[str]


SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "plan", "strict": True, "schema": Plan.model_json_schema()},
}
VARIANTS = [
    pytest.param({}, id="plain"),
    pytest.param({"tools": [TOOL]}, id="tool-call"),
    pytest.param({"n": 3}, id="several-choices"),
    pytest.param({"response_format": SCHEMA}, id="structured"),
    pytest.param({"reasoning_effort": "high"}, id="reasoning"),
    pytest.param({"max_tokens": 4}, id="cut-at-maximum"),
    pytest.param({"service_tier": "flex"}, id="service-tier"),
]


@pytest.mark.parametrize("extra", VARIANTS)
def test_chat_answers_are_what_the_sdk_expects(server: ProviderServer, extra: dict[str, Any]) -> None:
    check(
        ChatCompletion,
        json.loads(post(server, "/v1/chat/completions", {"model": "gpt-4o", "messages": HELLO, **extra})),
    )

    assert server.requests[0].status == 200


@pytest.mark.parametrize("extra", VARIANTS)
def test_every_chat_chunk_is_what_the_sdk_expects(server: ProviderServer, extra: dict[str, Any]) -> None:
    body = {"model": "gpt-4o", "messages": HELLO, "stream": True, "stream_options": {"include_usage": True}, **extra}

    chunks = events(server, "/v1/chat/completions", body)

    for chunk in chunks:
        check(ChatCompletionChunk, chunk)
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == server.requests[0].usage


def test_a_chat_stream_that_was_not_asked_for_usage_has_none(server: ProviderServer) -> None:
    chunks = events(server, "/v1/chat/completions", {"model": "gpt-4o", "messages": HELLO, "stream": True})

    assert all("usage" not in chunk and chunk["choices"] for chunk in chunks)


def test_chat_usage_follows_the_documented_rule(openai_client: openai.OpenAI) -> None:
    answer = openai_client.chat.completions.create(model="gpt-4o", messages=HELLO)

    # five words and 4 for the message; twelve words and a colon, of which "rarely" has just six letters
    assert answer.choices[0].message.content == "On Say hello in 12 words: What holds in one place rarely"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (9, 13)


def test_streamed_and_whole_chat_answers_say_and_cost_the_same(
    openai_client: openai.OpenAI, server: ProviderServer
) -> None:
    whole = openai_client.chat.completions.create(model="gpt-4o", messages=HELLO)
    chunks = list(openai_client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert server.requests[0].usage == server.requests[1].usage


def test_a_model_with_tools_calls_one_and_then_answers_from_its_result(openai_client: openai.OpenAI) -> None:
    asked = openai_client.chat.completions.create(model="gpt-4o", messages=HELLO, tools=[TOOL])
    call = asked.choices[0].message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": "found it"}
    told = openai_client.chat.completions.create(
        model="gpt-4o", messages=[*HELLO, asked.choices[0].message, result], tools=[TOOL]
    )

    assert asked.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)["limit"]) == ("look_up", 2)
    assert told.choices[0].finish_reason == "stop"
    assert told.usage.prompt_tokens > asked.usage.prompt_tokens


@pytest.mark.parametrize(("tool_choice", "reason"), [("none", "stop"), ("required", "tool_calls")])
def test_tool_choice_is_obeyed(openai_client: openai.OpenAI, tool_choice: str, reason: str) -> None:
    answer = openai_client.chat.completions.create(
        model="gpt-4o", messages=HELLO, tools=[TOOL], tool_choice=tool_choice
    )

    assert answer.choices[0].finish_reason == reason


def test_every_choice_and_all_reasoning_is_billed(openai_client: openai.OpenAI, server: ProviderServer) -> None:
    body = {"model": "o4-mini", "messages": HELLO, "n": 2}
    plain = openai_client.chat.completions.create(**body)
    thought = openai_client.chat.completions.create(**body, extra_body={"reasoning_effort": "low"})

    assert [choice.index for choice in thought.choices] == [0, 1]
    assert thought.usage.completion_tokens == plain.usage.completion_tokens + 2 * 64
    assert server.requests[1].usage["completion_tokens_details"]["reasoning_tokens"] == 2 * 64


def test_an_answer_ends_at_the_callers_maximum(openai_client: openai.OpenAI) -> None:
    answer = openai_client.chat.completions.create(model="gpt-4o", messages=HELLO, max_tokens=4)

    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].message.content == "On Say hello in"
    assert answer.usage.completion_tokens == 4


def test_a_prompt_that_began_alike_is_cached_from_1024_tokens_on(
    openai_client: openai.OpenAI, server: ProviderServer
) -> None:
    system = {"role": "system", "content": "rule " * 1100}
    for name in ("first", "second"):
        openai_client.chat.completions.create(
            model="gpt-4o", messages=[system, {"role": "user", "content": f"the {name} question"}]
        )

    cached = [exchange.usage["prompt_tokens_details"]["cached_tokens"] for exchange in server.requests]
    assert cached == [0, 1024]


def test_structured_output_is_parsed_by_the_sdk(openai_client: openai.OpenAI) -> None:
    parse = getattr(openai_client.chat.completions, "parse", None)
    if parse is None:
        pytest.skip(f"openai {openai.__version__} has no chat.completions.parse")

    answer = parse(model="gpt-4o", messages=HELLO, response_format=Plan)

    assert len(answer.choices[0].message.parsed.steps) == 3


def test_the_sdks_chat_stream_helper_reads_the_stream(openai_client: openai.OpenAI) -> None:
    stream = getattr(openai_client.chat.completions, "stream", None)
    if stream is None:
        pytest.skip(f"openai {openai.__version__} has no chat.completions.stream")

    with stream(model="gpt-4o", messages=HELLO, tools=[TOOL], stream_options={"include_usage": True}) as opened:
        kinds = {event.type for event in opened}
        answer = opened.get_final_completion()

    assert "tool_calls.function.arguments.done" in kinds
    assert answer.choices[0].message.tool_calls[0].function.name == "look_up"
    assert answer.usage.prompt_tokens > 0


async def test_asynchronous_streams_are_read_too(async_openai_client: openai.AsyncOpenAI) -> None:
    stream = await async_openai_client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)

    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert text.startswith("On Say hello")


def test_a_script_says_what_is_answered(server: ProviderServer, openai_client: openai.OpenAI) -> None:
    call = ToolCall(name="look_up", arguments={"query": "x"})
    server.script.add(Rule(contains="hello", answer=Answer(text="Wait.", tool_calls=(call,)), times=1))

    first, second = (openai_client.chat.completions.create(model="gpt-4o", messages=HELLO) for _ in range(2))

    assert (first.choices[0].message.content, first.choices[0].finish_reason) == ("Wait.", "tool_calls")
    assert second.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("extra", [{}, {"n": 2}, {"prompt": ["one", "two"]}])
def test_completions_are_what_the_sdk_expects(server: ProviderServer, extra: dict[str, Any]) -> None:
    body = {"model": "gpt-3.5-turbo-instruct", "prompt": "Once upon a time", **extra}

    check(Completion, json.loads(post(server, "/v1/completions", body)))
    for chunk in events(server, "/v1/completions", body | {"stream": True, "stream_options": {"include_usage": True}}):
        for choice in chunk["choices"]:
            choice["finish_reason"] = choice["finish_reason"] or "stop"  # null until the last, whatever the model says
        check(Completion, chunk)

    assert server.requests[0].usage == server.requests[1].usage


def test_completions_bill_every_choice_of_every_prompt(openai_client: openai.OpenAI) -> None:
    answer = openai_client.completions.create(model="gpt-3.5-turbo-instruct", prompt=["one", "two"], n=2, max_tokens=5)

    assert len(answer.choices) == 4
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 20)


def test_embeddings_are_the_same_as_numbers_and_as_base64(server: ProviderServer, openai_client: openai.OpenAI) -> None:
    body: dict[str, Any] = {"model": "text-embedding-3-small", "input": ["one two", [7, 8, 9]], "dimensions": 8}
    raw = json.loads(post(server, "/v1/embeddings", body))
    check(CreateEmbeddingResponse, raw)

    read = openai_client.embeddings.create(**body)  # newer SDKs ask for base64 and decode it
    packed = openai_client.embeddings.create(**body, encoding_format="base64")

    assert raw["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    for numbers, mine, text in zip(raw["data"], read.data, packed.data, strict=True):
        assert mine.embedding == pytest.approx(numbers["embedding"])
        assert struct.unpack("<8f", base64.b64decode(text.embedding)) == pytest.approx(numbers["embedding"])


def test_models_are_listed(openai_client: openai.OpenAI) -> None:
    assert "gpt-4o-mini" in [model.id for model in openai_client.models.list()]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        pytest.param("/v1/chat/completions", {"messages": HELLO}, "model", id="no-model"),
        pytest.param("/v1/chat/completions", {"model": "gpt-4o", "messages": []}, "messages", id="no-messages"),
        pytest.param("/v1/chat/completions", {"model": "gpt-4o", "messages": [1]}, "shape", id="wrong-shape"),
        pytest.param("/v1/embeddings", {"model": "m", "input": {"a": 1}}, "input", id="wrong-input"),
        pytest.param(
            "/v1/chat/completions",
            {"model": "gpt-4o", "messages": HELLO, "stream_options": {"include_usage": True}},
            "stream_options",
            id="stream-options-without-stream",
        ),
        pytest.param("/v1/nowhere", {}, "/v1/nowhere", id="unknown-path"),
    ],
)
def test_a_wrong_request_gets_an_error_that_says_why(
    server: ProviderServer, path: str, body: dict[str, Any], says: str
) -> None:
    answer = json.loads(post(server, path, body))

    assert answer["error"]["type"] == "invalid_request_error"
    assert says in answer["error"]["message"]


def test_a_request_without_a_key_is_refused(server: ProviderServer) -> None:
    post(server, "/v1/chat/completions", {"model": "gpt-4o", "messages": HELLO}, authorization="")

    assert server.requests[0].status == 401
