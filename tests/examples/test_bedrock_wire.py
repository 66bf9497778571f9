"""Amazon's own SDK must not be able to tell the local server from the real one."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from examples.provider_server import ProviderServer, Rule
from tests.examples.raw import post

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ASK: dict[str, Any] = {
    "modelId": CLAUDE,
    "messages": [{"role": "user", "content": [{"text": "Say hello in 12 words"}]}],
}
SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}}
TOOLS = {"tools": [{"toolSpec": {"name": "look_up", "inputSchema": {"json": SCHEMA}}}]}
THINKING = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}
MESSAGES = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "Say hello in 12 words"}],
}


@pytest.fixture
def client(server: ProviderServer) -> Iterator[Any]:
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


def with_fault(client: Any, fault: str) -> None:
    def ask(request: Any, **_: Any) -> None:
        request.headers["x-fault"] = fault

    client.meta.events.register("before-send.*", ask)


def invoke(client: Any, model: str, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    answer = client.invoke_model(modelId=model, body=json.dumps(body))
    return json.loads(answer["body"].read()), answer["ResponseMetadata"]["HTTPHeaders"]


def chunks(client: Any, model: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    stream = client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))["body"]
    return [json.loads(event["chunk"]["bytes"]) for event in stream]


def test_usage_follows_the_documented_rule(client: Any, server: ProviderServer) -> None:
    answer = client.converse(**ASK, system=[{"text": "Be brief."}])

    usage = answer["usage"]
    assert (usage["inputTokens"], usage["outputTokens"], usage["totalTokens"]) == (16, 13, 29)
    assert answer["stopReason"] == "end_turn"
    assert (server.requests[0].provider, server.requests[0].path) == (
        "bedrock",
        "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse",
    )


def test_a_stream_says_and_costs_the_same(client: Any, server: ProviderServer) -> None:
    whole = client.converse(**ASK)
    events = list(client.converse_stream(**ASK)["stream"])

    text = "".join(each["contentBlockDelta"]["delta"]["text"] for each in events if "contentBlockDelta" in each)
    assert text == whole["output"]["message"]["content"][0]["text"]
    assert [*events[0], *events[-2], *events[-1]] == ["messageStart", "messageStop", "metadata"]
    assert events[-1]["metadata"]["usage"] == whole["usage"] == server.requests[1].usage


def test_a_tool_is_called_and_its_result_answered(client: Any) -> None:
    asked = client.converse(**ASK, toolConfig=TOOLS)
    message = asked["output"]["message"]
    result = {"toolUseId": message["content"][0]["toolUse"]["toolUseId"], "content": [{"json": {"found": "it"}}]}
    turns = [*ASK["messages"], message, {"role": "user", "content": [{"toolResult": result}]}]
    told = client.converse(**ASK | {"messages": turns}, toolConfig=TOOLS)
    events = list(client.converse_stream(**ASK, toolConfig=TOOLS)["stream"])

    assert (asked["stopReason"], told["stopReason"]) == ("tool_use", "end_turn")
    assert events[1]["contentBlockStart"]["start"]["toolUse"]["name"] == "look_up"
    given = "".join(each["contentBlockDelta"]["delta"]["toolUse"]["input"]
                    for each in events if "contentBlockDelta" in each)  # fmt: skip
    assert list(json.loads(given)) == ["query"]


def test_a_tool_can_be_insisted_on(client: Any) -> None:
    for choice in ({"any": {}}, {"tool": {"name": "look_up"}}):
        assert client.converse(**ASK, toolConfig=TOOLS | {"toolChoice": choice})["stopReason"] == "tool_use"


def test_thinking_is_billed_as_output(client: Any) -> None:
    answer = client.converse(**ASK, **THINKING, inferenceConfig={"maxTokens": 500})
    events = list(client.converse_stream(**ASK, **THINKING)["stream"])

    content = answer["output"]["message"]["content"]
    assert ["reasoningContent" in content[0], "text" in content[1]] == [True, True]
    assert answer["usage"]["outputTokens"] == 80 + 13
    assert "text" in events[1]["contentBlockDelta"]["delta"]["reasoningContent"]


def test_a_cache_point_is_written_once_and_then_read(client: Any) -> None:
    system = [{"text": "rule " * 1100}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    first, second = (client.converse(**ASK, system=system)["usage"] for _ in range(2))

    assert (first["cacheWriteInputTokens"], first["cacheReadInputTokens"], first["inputTokens"]) == (1104, 0, 9)
    assert first["cacheDetails"] == [{"ttl": "1h", "inputTokens": 1104}]
    assert (second["cacheWriteInputTokens"], second["cacheReadInputTokens"]) == (0, 1104)
    assert second["totalTokens"] == 1104 + 9 + 13


def test_media_and_tiers_are_taken(client: Any) -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"x"}}}
    turns = [{"role": "user", "content": [image, {"text": "two words"}]}]
    answer = client.converse(**ASK | {"messages": turns}, serviceTier={"type": "flex"})

    assert answer["usage"]["inputTokens"] == 85 + 2 + 4
    assert answer["serviceTier"] == {"type": "flex"}


def test_claude_is_invoked_with_its_own_bodies(client: Any, server: ProviderServer) -> None:
    body, headers = invoke(client, CLAUDE, MESSAGES)
    events = chunks(client, CLAUDE, MESSAGES)

    assert (body["type"], body["usage"]["output_tokens"]) == ("message", 13)
    counts = [headers[f"x-amzn-bedrock-{name}-token-count"] for name in ("input", "output", "cache-read-input")]
    assert counts == ["9", "13", "0"]
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]
    metrics = events[-1]["amazon-bedrock-invocationMetrics"]
    assert (metrics["inputTokenCount"], metrics["outputTokenCount"]) == (9, 13)
    assert server.requests[0].usage == server.requests[1].usage


def test_other_makers_are_invoked_with_theirs(client: Any) -> None:
    nova = {"messages": ASK["messages"], "schemaVersion": "messages-v1"}
    answers = [
        invoke(client, "amazon.nova-lite-v1:0", nova),
        invoke(client, "meta.llama3-1-8b-instruct-v1:0", {"prompt": "Say hello in 12 words", "max_gen_len": 50}),
        invoke(client, "amazon.titan-embed-text-v2:0", {"inputText": "one two", "dimensions": 256}),
        invoke(client, "cohere.embed-english-v3", {"texts": ["one two"], "input_type": "search_document"}),
        invoke(client, "cohere.rerank-v3-5:0", {"query": "a cat", "documents": ["a cat"], "api_version": 2}),
    ]

    bodies = [body for body, _ in answers]
    assert bodies[0]["usage"]["outputTokens"] == bodies[1]["generation_token_count"] == 13
    assert (len(bodies[2]["embedding"]), bodies[2]["inputTextTokenCount"]) == (256, 2)
    assert "meta" not in bodies[3]
    assert bodies[4]["results"][0]["relevance_score"] == 1
    assert [headers.get("x-amzn-bedrock-input-token-count") for _, headers in answers] == ["9", "5", "2", "2", None]


def test_other_makers_stream_too(client: Any) -> None:
    nova = chunks(client, "amazon.nova-lite-v1:0", {"messages": ASK["messages"]})
    llama = chunks(client, "meta.llama3-1-8b-instruct-v1:0", {"prompt": "Say hello in 12 words"})

    assert nova[-1]["metadata"]["usage"]["outputTokens"] == 13
    assert nova[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 13
    assert llama[-1]["amazon-bedrock-invocationMetrics"]["inputTokenCount"] == 5
    with pytest.raises(ClientError, match="unsupported for streaming"):
        chunks(client, "amazon.titan-embed-text-v2:0", {"inputText": "one two"})


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("400", "ValidationException"),
        ("403", "AccessDeniedException"),
        ("429", "ThrottlingException"),
        ("529", "ServiceUnavailableException"),
    ],
)
def test_a_fault_reaches_the_program_as_the_sdks_own_error(client: Any, fault: str, code: str) -> None:
    with_fault(client, fault)

    with pytest.raises(ClientError) as caught:
        client.converse(**ASK)
    assert caught.value.response["Error"]["Code"] == code


def test_an_error_can_come_in_the_middle_of_a_stream(client: Any) -> None:
    with_fault(client, "overloaded-mid-stream")

    stream = client.converse_stream(**ASK)["stream"]
    with contextlib.closing(stream), pytest.raises(EventStreamError, match="modelStreamErrorException"):
        list(stream)


def test_streams_survive_being_cut_into_odd_pieces(client: Any) -> None:
    with_fault(client, "chunk=7")

    assert [*list(client.converse_stream(**ASK)["stream"])[-1]] == ["metadata"]


def test_usage_can_be_left_out_or_replaced(client: Any, server: ProviderServer) -> None:
    server.script.add(Rule(model="us.anthropic.*", usage={"inputTokens": 7}, times=1))
    replaced = client.converse(**ASK)["usage"]
    with_fault(client, "no-usage")
    whole, headers = invoke(client, CLAUDE, MESSAGES)
    last = list(client.converse_stream(**ASK)["stream"])[-1]

    assert replaced["inputTokens"] == 7
    assert "usage" not in whole
    assert "usage" not in last["metadata"]
    assert "x-amzn-bedrock-input-token-count" not in headers


def test_a_model_that_is_asked_wrongly_says_so(client: Any, server: ProviderServer) -> None:
    with pytest.raises(ClientError, match="anthropic_version"):
        invoke(client, CLAUDE, {"messages": []})
    with pytest.raises(ClientError, match="only if it is not told to stream"):
        invoke(client, CLAUDE, MESSAGES | {"stream": True})
    assert b"Unknown request URL" in post(server, "/model/m/count-tokens", {})
