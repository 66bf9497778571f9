"""Hosts that speak OpenAI's chat completions, asked by whatever client."""

from __future__ import annotations

import httpx

from tests.instrumentation.conftest import Process
from tests.replay.exchange import Expected, check, told
from tests.replay.server import ReplayServer, Reply, as_json, as_sse

ANSWER = {
    "id": "chatcmpl-9f2",
    "object": "chat.completion",
    "created": 1789000000,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}


def test_a_request_by_hand_is_a_call_too(process: Process, replay: ReplayServer):
    """Nobody has to use an SDK: the HTTP client below it is where we stand."""
    replay.replies = [as_json(ANSWER)]

    answer = httpx.post(f"{replay.url}/v1/chat/completions", json=BODY)

    assert answer.json() == ANSWER
    check(
        process.charge,
        Expected(
            provider="openai",
            model="gpt-4o",
            served="gpt-4o-2024-08-06",
            usage={"input_tokens": 1000, "output_tokens": 100},
            cost_usd="0.0035",  # 1000 x 2.50 + 100 x 10.00 per million
            response_id="chatcmpl-9f2",
        ),
    )
    (span,) = process.spans
    assert told(span)["gen_ai.usage.input_tokens"] == 1000


def test_a_stream_by_hand_is_asked_for_its_usage_which_stays_hidden(process: Process, replay: ReplayServer):
    """What the program did not ask for it does not get to see."""
    piece = {
        "id": "chatcmpl-9f2",
        "object": "chat.completion.chunk",
        "created": 1789000000,
        "model": "gpt-4o-2024-08-06",
    }
    text = {**piece, "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}], "usage": None}
    last = {**piece, "choices": [], "usage": ANSWER["usage"]}
    replay.replies = [as_sse([text, last], done=True)]

    with httpx.stream("POST", f"{replay.url}/v1/chat/completions", json={**BODY, "stream": True}) as answer:
        seen = "".join(answer.iter_text())

    assert replay.received[0].json["stream_options"] == {"include_usage": True}
    assert seen == as_sse([text], done=True).body.decode()
    assert process.charge.cost_nano == 3_500_000
    assert process.charge.status == "confirmed"


def test_an_error_is_no_charge_but_a_span(process: Process, replay: ReplayServer):
    """The provider bills nothing for it, and its owner still sees it."""
    replay.replies = [as_json({"error": {"message": "slow down", "type": "rate_limit"}}, status=429)]

    assert httpx.post(f"{replay.url}/v1/chat/completions", json=BODY).status_code == 429

    assert process.charges == []
    (span,) = process.spans
    assert told(span)["error.type"] == "429"
    assert not span.status.is_ok


def test_events_are_events_even_where_the_server_calls_them_json(process: Process, replay: ReplayServer):
    """Told by how the body begins; what we asked for in the caller's place stays hidden here too."""
    text = {**ANSWER, "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}], "usage": None}
    last = {**ANSWER, "choices": []}
    events = as_sse([text, last], done=True)
    replay.replies = [Reply(content_type="application/json", body=b"\n" + events.body)]

    with httpx.stream("POST", f"{replay.url}/v1/chat/completions", json={**BODY, "stream": True}) as answer:
        seen = "".join(answer.iter_text())

    assert seen.lstrip() == as_sse([text], done=True).body.decode()
    assert process.charge.status == "confirmed"
    assert process.charge.usage.counts == {"input_tokens": 1000, "output_tokens": 100}


def test_a_stream_that_is_answered_with_nothing_is_estimated(process: Process, replay: ReplayServer):
    """An empty answer is neither JSON nor events."""
    replay.replies = [Reply(body=b"\n")]

    with httpx.stream("POST", f"{replay.url}/v1/chat/completions", json={**BODY, "stream": True}) as answer:
        assert answer.read() == b"\n"

    assert process.charge.status == "estimated"
