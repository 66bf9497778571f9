"""Bedrock asked without botocore: by the anthropic SDK's own client, and by requests that somebody signed himself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest
import requests
from botocore.awsrequest import AWSRequest
from botocore.eventstream import EventStreamBuffer
from botocore.httpsession import URLLib3Session

from otel_llmcost import BudgetExceededError
from tests.instrumentation.conftest import EXPORTER, Process, Start
from tests.replay import amazon
from tests.replay.amazon import answered, event, exception, streamed
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import Expected, check
from tests.replay.server import ReplayServer
from tests.replay.test_bedrock_converse import ANSWER, ASK, HAIKU, stream_of
from tests.replay.test_bedrock_invoke import (
    CACHED_USAGE,
    CLAUDE,
    CLAUDE_ANSWER,
    CLAUDE_ASK,
    cached_stream,
    claude_stream,
)

MESSAGE = {"model": CLAUDE, "max_tokens": 300, "messages": [{"role": "user", "content": "What is Norway's capital?"}]}
KEYS = {"aws_access_key": "AKIDEXAMPLE", "aws_secret_key": "secret", "aws_region": "us-east-1"}


@pytest.fixture
def claude(replay: ReplayServer) -> Iterator[anthropic.AnthropicBedrock]:
    with anthropic.AnthropicBedrock(**KEYS, base_url=replay.url, max_retries=0) as client:
        yield client


def expected(**differs: Any) -> Expected:
    """Claude 3 Haiku: 100 x 0.25 + 20 x 1.25 per million."""
    facts = {"usage": {"input_tokens": 100, "output_tokens": 20}, "cost_usd": "0.00005", "model": CLAUDE, **differs}
    return Expected(provider="aws.bedrock", **facts)


def test_the_anthropic_sdks_answer_is_charged_once(process: Process, replay: ReplayServer, claude: Any):
    """Its request goes to Bedrock's path, through an HTTP client that we stand around too."""
    replay.replies = [answered(CLAUDE_ANSWER)]

    assert claude.messages.create(**MESSAGE).content[0].text == "Oslo."

    assert replay.received[0].path == f"/model/{CLAUDE}/invoke"
    check(process.charge, expected(response_id=CLAUDE_ANSWER["id"]))


def as_events(client: Any) -> str:
    return "".join(
        each.delta.text for each in client.messages.create(**MESSAGE, stream=True) if each.type == "content_block_delta"
    )


def by_helper(client: Any) -> str:
    with client.messages.stream(**MESSAGE) as stream:
        return "".join(stream.text_stream)


@pytest.mark.parametrize("call", [as_events, by_helper])
def test_its_streams_come_in_amazons_frames(process: Process, replay: ReplayServer, claude: Any, call: Any):
    replay.replies = [streamed(claude_stream("Os", "lo."))]

    assert call(claude) == "Oslo."

    assert replay.received[0].path == f"/model/{CLAUDE}/invoke-with-response-stream"
    check(process.charge, expected())
    assert len(EXPORTER.get_finished_spans()) == 1  # its own where it makes one, else ours


async def test_an_async_stream_of_it_is_charged_with_all_details(process: Process, replay: ReplayServer):
    """Haiku 4.5 anywhere; the answer names the model without the place, and with it the price."""
    replay.replies = [cached_stream()]
    ask = {**MESSAGE, "model": "global.anthropic.claude-haiku-4-5-20251001-v1:0"}

    async with anthropic.AsyncAnthropicBedrock(**KEYS, base_url=replay.url, max_retries=0) as client:
        assert [each.type async for each in await client.messages.create(**ask, stream=True)][-1] == "message_stop"

    check(process.charge, expected(model=ask["model"], usage=CACHED_USAGE, cost_usd="0.001075"))


def test_a_stream_of_it_that_amazon_breaks_off_is_an_error(process: Process, replay: ReplayServer, claude: Any):
    replay.replies = [
        streamed([*claude_stream("Oslo is the capital of Norway")[:3], exception("throttlingException", "")])
    ]

    with pytest.raises(anthropic.APIStatusError if hasattr(anthropic, "_tracer") else Exception):
        as_events(claude)

    charge = process.charge
    assert (charge.status, charge.error_type) == ("estimated", "throttlingException")
    assert charge.usage.input_tokens == 100


def test_a_request_by_hand_is_charged(process: Process, replay: ReplayServer):
    """The path names the model, encoded or not."""
    replay.replies = [answered(ANSWER), answered(ANSWER), answered(CLAUDE_ANSWER)]
    body = {key: value for key, value in ASK.items() if key != "modelId"}

    assert httpx.post(f"{replay.url}/model/{HAIKU}/converse", json=body).json() == ANSWER
    assert requests.post(f"{replay.url}/model/{HAIKU.replace(':', '%3A')}/converse", json=body).json() == ANSWER
    assert httpx.post(f"{replay.url}/model/{CLAUDE}/invoke", json=CLAUDE_ASK).json() == CLAUDE_ANSWER

    first, second, third = process.charges
    for charge in (first, second):  # 100 x 1.10 + 20 x 5.50 per million
        check(charge, expected(model=HAIKU, cost_usd="0.00022", response_id=amazon.REQUEST_ID))
    check(third, expected(response_id=CLAUDE_ANSWER["id"]))


def test_a_stream_by_hand_is_charged(process: Process, replay: ReplayServer):
    """Others than botocore decode Amazon's frames from the bytes as they come."""
    frames = stream_of("Os", "lo.")
    replay.replies = [streamed(frames)]
    decoder = EventStreamBuffer()

    with httpx.stream("POST", f"{replay.url}/model/{HAIKU}/converse-stream", json={"messages": []}) as answer:
        for data in answer.iter_bytes(chunk_size=1024):
            decoder.add_data(data)

    assert len(list(decoder)) == len(frames)
    check(process.charge, expected(model=HAIKU, cost_usd="0.00022"))


def test_a_stream_by_hand_without_an_end_is_estimated(process: Process, replay: ReplayServer):
    replay.replies = [streamed([event("contentBlockDelta", {"delta": {"text": "Oslo is the capital"}}), b"\x00\x00"])]

    with httpx.stream("POST", f"{replay.url}/model/{HAIKU}/converse-stream", json={"messages": []}) as answer:
        answer.read()

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")
    assert process.charge.usage.output_tokens >= 4


@pytest.mark.parametrize("garbage", [b"\xff" * 500, b"\x00" * 500, b"{}", b"\x00\x00\x00\x20" + b"\xff" * 500])
def test_what_is_no_frame_harms_nobody(process: Process, replay: ReplayServer, garbage: bytes):
    replay.replies = [streamed([garbage])]

    answer = httpx.post(f"{replay.url}/model/{HAIKU}/converse-stream", json={"messages": []})

    assert answer.content == garbage
    assert process.charge.status == "estimated"


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_request_sent_with_botocores_http_client_alone_is_charged(
    process: Process, replay: ReplayServer, is_streamed: bool
):
    """Some sign a request with botocore and send it with what is below its clients."""
    replay.replies = [streamed(stream_of("Oslo.")) if is_streamed else answered(ANSWER)]
    path = "converse-stream" if is_streamed else "converse"
    request = AWSRequest("POST", f"{replay.url}/model/{HAIKU}/{path}", data=json.dumps({"messages": []}))
    request.stream_output = is_streamed
    session = URLLib3Session()

    answer = session.send(request.prepare())
    if is_streamed:
        assert len(b"".join(answer.raw.stream())) == len(b"".join(stream_of("Oslo.")))
    session.close()

    check(process.charge, expected(model=HAIKU, cost_usd="0.00022"))


def test_a_refusal_passes_the_anthropic_sdk(start: Start, replay: ReplayServer, claude: Any):
    start('[[budget]]\nname = "all"\nlimit = 0.000001\nwindow = "day"\n')

    with pytest.raises(BudgetExceededError):
        claude.messages.create(**MESSAGE)

    assert replay.received == []


def test_the_anthropic_sdk_signs_what_was_changed(start: Start, replay: ReplayServer, claude: Any):
    process = changing(start, cap=50, route={"*claude*": "anthropic.claude-haiku-4-5-v1:0"})
    replay.replies = [answered(CLAUDE_ANSWER)]

    claude.messages.create(**MESSAGE)

    (received,) = replay.received
    assert received.path == "/model/anthropic.claude-haiku-4-5-v1:0/invoke"
    assert received.json["max_tokens"] == 50
    assert amazon.is_rightly_signed(replay.url, received)
    assert len(the_charge(process).actions) == 2


@pytest.mark.parametrize("authorization", ["AWS4-HMAC-SHA256 Credential=AKID", "Bearer key"])
def test_what_somebody_signed_himself_is_sent_as_it_is(start: Start, replay: ReplayServer, authorization: str):
    """A key of Amazon's that is no signature holds for anything."""
    process = changing(start, cap=50)
    replay.replies = [answered(ANSWER)]
    request = AWSRequest("POST", f"{replay.url}/model/{HAIKU}/converse", data=json.dumps({"messages": ASK["messages"]}))
    request.headers["authorization"] = authorization

    URLLib3Session().send(request.prepare())

    (received,) = replay.received
    is_changed = authorization.startswith("Bearer")
    assert ("inferenceConfig" in received.json) is is_changed
    assert len(received.body) == int(received.headers["content-length"])
    assert the_charge(process).actions == ("cap 50: b at 50%" + ("" if is_changed else " (not possible)"),)
