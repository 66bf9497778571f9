"""OpenAI's SDK on the responses API: in one piece, as events, and through the SDK's own helpers."""

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from examples.provider_server import ProviderServer
from tests.examples.raw import check, events, post

if not hasattr(openai.OpenAI, "responses"):
    pytest.skip(f"openai {openai.__version__} has no responses", allow_module_level=True)

from openai.types.beta import BetaResponse
from openai.types.responses import Response, ResponseStreamEvent

ASK = {"model": "gpt-4o", "input": "Say hello in 12 words"}
TOOL = {
    "type": "function",
    "name": "look_up",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
        "additionalProperties": False,
    },
}


class Plan(BaseModel):
    title: str
    steps: list[str]


VARIANTS = [
    pytest.param({}, "completed", id="plain"),
    pytest.param({"tools": [TOOL]}, "completed", id="tool-call"),
    pytest.param({"reasoning": {"effort": "medium"}}, "completed", id="reasoning"),
    pytest.param({"max_output_tokens": 3}, "incomplete", id="cut-at-maximum"),
    pytest.param({"instructions": "Be brief.", "service_tier": "priority"}, "completed", id="instructions"),
    pytest.param(
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]}, "completed", id="items"
    ),
]


@pytest.mark.parametrize(("extra", "status"), VARIANTS)
def test_responses_are_what_the_sdk_expects(server: ProviderServer, extra: dict[str, Any], status: str) -> None:
    response = json.loads(post(server, "/v1/responses", ASK | extra))

    check(Response, response)
    check(BetaResponse, response)
    assert response["status"] == status


@pytest.mark.parametrize(("extra", "status"), VARIANTS)
def test_every_response_event_is_what_the_sdk_expects(
    server: ProviderServer, extra: dict[str, Any], status: str
) -> None:
    found = events(server, "/v1/responses", ASK | extra | {"stream": True})

    for event in found:
        check(ResponseStreamEvent, event)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert [event["type"] for event in found[:2]] == ["response.created", "response.in_progress"]
    assert found[-1]["type"] == f"response.{status}"
    assert found[-1]["response"]["usage"] == server.requests[0].usage


def test_usage_follows_the_documented_rule(openai_client: openai.OpenAI) -> None:
    usage = openai_client.responses.create(**ASK, instructions="Be brief.").usage

    # 5 words + 4 for the message, 2 words and a full stop + 4 for the instructions; see chat for the answer's 13
    assert (usage.input_tokens, usage.output_tokens) == (9 + 7, 13)


def test_a_conversation_that_goes_on_bills_what_was_said_before(openai_client: openai.OpenAI) -> None:
    first = openai_client.responses.create(**ASK)
    second = openai_client.responses.create(**ASK, previous_response_id=first.id)

    assert second.usage.input_tokens == first.usage.input_tokens * 2 + first.usage.output_tokens + 4
    with pytest.raises(openai.BadRequestError, match="resp_unknown"):
        openai_client.responses.create(**ASK, previous_response_id="resp_unknown")


def test_a_tool_is_called_and_its_result_answered(openai_client: openai.OpenAI) -> None:
    asked = openai_client.responses.create(**ASK, tools=[TOOL])
    call = asked.output[0]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "found it"}
    told = openai_client.responses.create(model="gpt-4o", input=[call, result], tools=[TOOL])

    assert (call.name, list(json.loads(call.arguments))) == ("look_up", ["query"])
    assert told.output_text


def test_the_sdks_stream_helper_reads_the_stream(openai_client: openai.OpenAI) -> None:
    with openai_client.responses.stream(**ASK, tools=[TOOL], reasoning={"effort": "low"}) as stream:
        kinds = [event.type for event in stream]
        response = stream.get_final_response()

    assert "response.function_call_arguments.done" in kinds
    assert [item.type for item in response.output] == ["reasoning", "function_call"]
    assert response.usage.output_tokens_details.reasoning_tokens == 64


def test_structured_output_is_parsed_by_the_sdk(openai_client: openai.OpenAI) -> None:
    answer = openai_client.responses.parse(**ASK, text_format=Plan)

    assert len(answer.output_parsed.steps) == 3


def test_beta_responses_are_served_at_the_same_place(openai_client: openai.OpenAI, server: ProviderServer) -> None:
    response = openai_client.beta.responses.create(**ASK)

    assert response.usage.output_tokens == 13
    assert (server.requests[0].path, server.requests[0].query) == ("/v1/responses", "beta=true")


def test_input_tokens_are_counted_as_they_will_be_billed(openai_client: openai.OpenAI) -> None:
    counted = openai_client.responses.input_tokens.count(**ASK)

    assert counted.input_tokens == openai_client.responses.create(**ASK).usage.input_tokens


def test_an_overloaded_provider_says_so_by_an_event(server: ProviderServer) -> None:
    *_, last = events(server, "/v1/responses", ASK | {"stream": True}, x_fault="overloaded-mid-stream")

    check(ResponseStreamEvent, last)
    assert (last["type"], last["message"]) == ("error", "Overloaded")


async def test_asynchronous_streams_are_read_too(async_openai_client: openai.AsyncOpenAI) -> None:
    async with async_openai_client.responses.stream(**ASK) as stream:
        response = await stream.get_final_response()

    assert response.output_text.startswith("On Say hello")
