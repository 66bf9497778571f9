"""A provider that breaks a stream off says so in an event, in a form of its own; the span says so too."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from tests.instrumentation.conftest import Start
from tests.replay import needs
from tests.replay.exchange import told
from tests.replay.server import ReplayServer, as_sse
from tests.replay.twice import twice

PIECE = {
    "id": "chatcmpl-9f2",
    "object": "chat.completion.chunk",
    "created": 1789000000,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "delta": {"content": 'an "error": none'}, "finish_reason": None}],
}
TEXT = {
    "id": "cmpl-9f2",
    "object": "text_completion",
    "created": 1789000000,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"index": 0, "text": "Hi", "finish_reason": None, "logprobs": None}],
}
RESPONSE: dict[str, Any] = {
    "id": "resp_9f2",
    "object": "response",
    "created_at": 1789000000,
    "status": "in_progress",
    "error": None,
    "model": "gpt-4o-2024-08-06",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": None,
}
CREATED = {"type": "response.created", "sequence_number": 0, "response": RESPONSE}
FAILED = {"code": "server_error", "message": "The server had an error"}
USED = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 100,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 1100,
}
STARTED: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_9f2",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    },
}

TOLD: Any = {"include_usage": True}


def chat(url: str) -> Any:
    client = openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0)
    messages: Any = [{"role": "user", "content": "Hi"}]
    return [*client.chat.completions.create(model="gpt-4o", messages=messages, stream=True, stream_options=TOLD)]


def completion(url: str) -> Any:
    client = openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0)
    return [*client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Hi", stream=True, stream_options=TOLD)]


def respond(url: str) -> Any:
    client = openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0)
    return [*client.responses.create(model="gpt-4o", input="Hi", stream=True)]


def message(url: str) -> Any:
    client = anthropic.Anthropic(api_key="k", base_url=url, max_retries=0)
    messages: Any = [{"role": "user", "content": "Hi"}]
    return [*client.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=messages, stream=True)]


@pytest.mark.parametrize(
    ("program", "events", "name"),
    [
        pytest.param(
            chat, [PIECE, {"error": {"message": "busy", "type": "server_error", "code": None}}], "server_error"
        ),
        pytest.param(chat, [{**PIECE, "error": {"message": "bad gateway", "code": 502}}], "502"),
        pytest.param(completion, [TEXT, {"error": {"message": "busy"}}], "busy"),
        pytest.param(
            respond,
            [CREATED, {"type": "error", "sequence_number": 1, "param": None, **FAILED}],
            "server_error",
            marks=needs.responses,
        ),
        pytest.param(
            respond,
            [CREATED, {"type": "error", "error": {"type": "overloaded"}}],
            "overloaded",
            marks=needs.responses,
        ),
        pytest.param(
            message,
            [STARTED, {"type": "error", "error": {"type": "overloaded_error", "message": ""}}],
            "overloaded_error",
        ),
    ],
)
def test_the_span_of_a_stream_that_the_provider_broke_off_names_its_error(
    start: Start, replay: ReplayServer, program: Any, events: list[object], name: str
) -> None:
    """No usage came, so nothing is confirmed; the call is there all the same."""
    process = twice(start, replay, [as_sse(events, named=program in (respond, message))], lambda: program(replay.url))

    assert process.charge.status != "confirmed"
    assert process.charge.error_type == name
    if program is not message:  # that SDK has a span of its own, which says it in its own words
        (span,) = process.spans
        assert told(span)["error.type"] == name
        assert not span.status.is_ok


@needs.responses
def test_what_a_failed_response_used_is_charged_as_told(start: Start, replay: ReplayServer) -> None:
    """It failed, and its usage is whole: it came with the last event."""
    failed = {**RESPONSE, "status": "failed", "error": FAILED, "usage": USED}
    events = [CREATED, {"type": "response.failed", "sequence_number": 1, "response": failed}]

    process = twice(start, replay, [as_sse(events, named=True)], lambda: respond(replay.url))

    (span,) = process.spans
    assert (process.charge.status, process.charge.cost_nano) == ("confirmed", 3_500_000)  # 1000 x 2.50 + 100 x 10.00
    assert told(span)["error.type"] == "server_error"
