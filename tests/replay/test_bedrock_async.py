"""Bedrock through aiobotocore, which aioboto3 is built on. It asks for a botocore of its own, older than the newest."""

from __future__ import annotations

import gc
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from otel_llmcost import BudgetExceededError
from tests.instrumentation.conftest import Process, Start
from tests.replay import amazon
from tests.replay.amazon import answered, exception, streamed
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import Expected, check, told
from tests.replay.server import ReplayServer
from tests.replay.test_bedrock_converse import ANSWER, ASK, HAIKU, stream_of
from tests.replay.test_bedrock_invoke import CLAUDE, CLAUDE_ANSWER, CLAUDE_ASK, claude_stream

session = pytest.importorskip("aiobotocore.session")
config = pytest.importorskip("aiobotocore.config")
eventstream = pytest.importorskip("aiobotocore.eventstream")


@pytest.fixture
async def bedrock(replay: ReplayServer) -> AsyncIterator[Any]:
    made = session.get_session().create_client(
        "bedrock-runtime",
        endpoint_url=replay.url,
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=config.AioConfig(retries={"total_max_attempts": 1}),
    )
    async with made as client:
        yield client


def expected(model: str, cost: str, *, response_id: str = amazon.REQUEST_ID) -> Expected:
    return Expected(
        provider="aws.bedrock",
        model=model,
        usage={"input_tokens": 100, "output_tokens": 20},
        cost_usd=cost,
        response_id=response_id,
    )


async def test_an_answer_is_charged(process: Process, replay: ReplayServer, bedrock: Any):
    """100 x 1.10 + 20 x 5.50 per million; the HTTP client below, which we stand around too, adds nothing."""
    replay.replies = [answered(ANSWER)]

    assert (await bedrock.converse(**ASK))["output"] == ANSWER["output"]

    check(process.charge, expected(HAIKU, "0.00022"))
    assert len(process.spans) == 1


async def test_a_stream_is_charged(process: Process, replay: ReplayServer, bedrock: Any):
    replay.replies = [streamed(stream_of("Os", "lo."))]

    stream = (await bedrock.converse_stream(**ASK))["stream"]

    assert type(stream) is eventstream.AioEventStream
    assert len([each async for each in stream]) == 6
    check(process.charge, expected(HAIKU, "0.00022"))


async def test_a_models_own_body_is_charged(process: Process, replay: ReplayServer, bedrock: Any):
    """Claude 3 Haiku: 100 x 0.25 + 20 x 1.25 per million."""
    replay.replies = [answered(CLAUDE_ANSWER)]

    body = (await bedrock.invoke_model(modelId=CLAUDE, body=json.dumps(CLAUDE_ASK)))["body"]

    assert json.loads(await body.read()) == CLAUDE_ANSWER
    check(process.charge, expected(CLAUDE, "0.00005", response_id=CLAUDE_ANSWER["id"]))


async def test_a_models_own_stream_is_charged(process: Process, replay: ReplayServer, bedrock: Any):
    replay.replies = [streamed(claude_stream("Os", "lo."))]

    answer = await bedrock.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(CLAUDE_ASK))

    assert len([each async for each in answer["body"]]) == 7
    check(process.charge, expected(CLAUDE, "0.00005", response_id=CLAUDE_ANSWER["id"]))


async def test_a_stream_that_is_closed_early_is_estimated(process: Process, replay: ReplayServer, bedrock: Any):
    replay.replies = [streamed(stream_of(*["word"] * 3000))]
    answer = await bedrock.converse_stream(**ASK)

    async for _ in answer["stream"]:
        break
    answer["stream"].close()
    del answer
    gc.collect()

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")
    assert process.open_reservations == 0


async def test_a_stream_that_the_provider_breaks_off_is_an_error(process: Process, replay: ReplayServer, bedrock: Any):
    replay.replies = [streamed([*stream_of("Oslo is")[:2], exception("throttlingException", "too many")])]
    stream = (await bedrock.converse_stream(**ASK))["stream"]

    with pytest.raises(EventStreamError):
        [each async for each in stream]
    stream.close()  # else its connection is found open when it is collected

    assert (process.charge.status, process.charge.error_type) == ("estimated", "throttlingException")


async def test_an_error_is_no_charge_but_a_span(process: Process, replay: ReplayServer, bedrock: Any):
    replay.replies = [amazon.failed(429, "ThrottlingException")]

    with pytest.raises(ClientError):
        await bedrock.converse(**ASK)

    assert process.charges == []
    (span,) = process.spans
    assert told(span)["error.type"] == "429"


async def test_a_refused_call_is_not_sent(start: Start, replay: ReplayServer, bedrock: Any):
    start('[[budget]]\nname = "all"\nlimit = 0.000001\nwindow = "day"\n')

    with pytest.raises(BudgetExceededError):
        await bedrock.converse_stream(**ASK)

    assert replay.received == []


async def test_another_model_and_a_cap_arrive(start: Start, replay: ReplayServer, bedrock: Any):
    process = changing(start, cap=50, route={"*.anthropic.*": "us.amazon.nova-lite-v1:0"})
    replay.replies = [answered(ANSWER)]

    await bedrock.converse(**ASK)

    assert replay.received[0].path == "/model/us.amazon.nova-lite-v1%3A0/converse"
    assert replay.received[0].json["inferenceConfig"] == {"maxTokens": 50}
    assert len(the_charge(process).actions) == 2
