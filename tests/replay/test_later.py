"""What is paid before it is known: batches and background answers are charged when they are first seen, once."""

from __future__ import annotations

import json
from collections.abc import Iterator

import anthropic
import openai
import pytest

from otel_llmcost import attribute
from tests.instrumentation.conftest import Process, Start
from tests.replay import needs
from tests.replay.exchange import Expected, check
from tests.replay.server import ReplayServer, Reply, as_json

USAGE = {
    "input_tokens": 1_000_000,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 100_000,
    "output_tokens_details": {"reasoning_tokens": 40_000},
    "total_tokens": 1_100_000,
}
BATCH = {
    "id": "batch_6f1",
    "object": "batch",
    "endpoint": "/v1/responses",
    "model": "gpt-4o",
    "input_file_id": "file-in",
    "completion_window": "24h",
    "created_at": 1789000000,
    "status": "in_progress",
}
DONE = {**BATCH, "status": "completed", "output_file_id": "file-out", "usage": USAGE}
BUDGET = """
[[budget]]
name = "research"
limit = 5.00
window = "day"
scope = { team = "research" }
"""


@pytest.fixture
def ours(replay: ReplayServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=f"{replay.url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(replay: ReplayServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="k", base_url=replay.url, max_retries=0) as client:
        yield client


def test_a_batch_is_charged_at_its_price_when_it_is_done(start: Start, replay: ReplayServer, ours: openai.OpenAI):
    """However often it is looked at, and for whoever made it."""
    process = start(BUDGET)
    replay.replies = [as_json(BATCH), as_json(BATCH), as_json(DONE), as_json(DONE)]

    with attribute(team="research", agent="reader"):
        made = ours.batches.create(input_file_id="file-in", endpoint="/v1/responses", completion_window="24h")
    assert process.charges == []
    for _ in range(3):
        ours.batches.retrieve(made.id)

    check(
        process.charge,
        Expected(
            provider="openai",
            operation="batch",
            model="gpt-4o",
            served="gpt-4o",
            usage={"input_tokens": 1_000_000, "output_tokens": 100_000, "reasoning_tokens": 40_000},
            cost_usd="1.75",  # half of 1 x 2.50 + 0.1 x 10.00
            response_id="batch_6f1",
        ),
    )
    assert process.charge.tags["agent"] == "reader"
    assert process.balance("research").settled_nano == 1_750_000_000


@needs.responses
def test_an_answer_in_the_background_is_estimated_until_it_is_known(
    start: Start, replay: ReplayServer, ours: openai.OpenAI
):
    """The estimate is taken back then, at its own time and for whom it was."""
    process = start(BUDGET)
    queued = {"id": "resp_7", "object": "response", "model": "gpt-4o", "status": "queued", "output": [], "usage": None}
    known = {**queued, "status": "completed", "usage": USAGE, "service_tier": "default"}
    replay.replies = [as_json(queued), as_json({**queued, "status": "in_progress"}), as_json(known), as_json(known)]

    with attribute(team="research"):
        ours.responses.create(model="gpt-4o", input="Read all of it", background=True)
    assert process.charge.status == "estimated"
    for _ in range(3):
        ours.responses.retrieve("resp_7")

    assert sorted(charge.method for charge in process.charges) == ["no-usage-reported", "reported", "reversed"]
    assert sum(charge.cost_nano or 0 for charge in process.charges) == 3_500_000_000  # 1 x 2.50 + 0.1 x 10.00
    balance = process.balance("research")
    assert (balance.settled_nano, balance.calls) == (3_500_000_000, 1)


@needs.responses
def test_an_answer_that_was_charged_is_not_charged_again_when_it_is_looked_at(
    process: Process, replay: ReplayServer, ours: openai.OpenAI
):
    """Looking costs nothing."""
    known = {
        "id": "resp_8",
        "object": "response",
        "model": "gpt-4o",
        "status": "completed",
        "output": [],
        "usage": USAGE,
    }
    replay.replies = [as_json(known), as_json(known)]

    ours.responses.create(model="gpt-4o", input="Hello")
    ours.responses.retrieve("resp_8")

    assert process.charge.cost_nano == 3_500_000_000


MESSAGE = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 1000,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 100,
        "service_tier": "batch",
    },
}
LINES = [
    {"custom_id": "a", "result": {"type": "succeeded", "message": MESSAGE}},
    {"custom_id": "b", "result": {"type": "errored", "error": {"type": "error", "error": {"type": "api_error"}}}},
    {"custom_id": "c", "result": {"type": "succeeded", "message": {**MESSAGE, "id": "msg_02"}}},
]
CREATED = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "in_progress",
    "request_counts": {"processing": 3, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
    "created_at": "2026-11-22T00:00:00Z",
    "expires_at": "2026-11-23T00:00:00Z",
}


def results() -> list[Reply]:
    ended = {**CREATED, "processing_status": "ended", "results_url": "/v1/messages/batches/msgbatch_1/results"}
    body = "".join(json.dumps(line) + "\n" for line in LINES).encode()
    return [as_json(ended), Reply(content_type="application/x-jsonl", body=body)]


@needs.claude_batches
def test_each_answer_of_an_anthropic_batch_is_charged_once(
    process: Process, replay: ReplayServer, claude: anthropic.Anthropic
):
    """What failed is not billed; the lines come to the reader as they are."""
    replay.replies = [as_json(CREATED), *results(), *results()]

    with attribute(agent="reader"):
        claude.messages.batches.create(requests=[])
    for _ in range(2):
        read = list(claude.messages.batches.results("msgbatch_1"))

    assert [line.custom_id for line in read] == ["a", "b", "c"]
    assert {charge.response_id: charge.cost_nano for charge in process.charges} == {
        "msg_01": 2_250_000,  # half of 1000 x 3.00 + 100 x 15.00 per million
        "msg_02": 2_250_000,
    }
    assert {charge.tags["agent"] for charge in process.charges} == {"reader"}
    assert {charge.tier for charge in process.charges} == {"batch"}


@needs.claude_batches
async def test_the_same_holds_for_an_async_client(process: Process, replay: ReplayServer):
    replay.replies = results()

    async with anthropic.AsyncAnthropic(api_key="k", base_url=replay.url, max_retries=0) as client:
        read = [line.custom_id async for line in await client.messages.batches.results("msgbatch_1")]

    assert read == ["a", "b", "c"]
    assert [charge.cost_nano for charge in process.charges] == [2_250_000, 2_250_000]


@needs.claude_beta
def test_a_model_that_advises_is_charged_beside_the_one_that_answers(
    process: Process, replay: ReplayServer, claude: anthropic.Anthropic
):
    """Its tokens are no part of the answer's totals, and cost what it costs; so does summing up the context."""
    counts = {
        "input_tokens": 2000,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 200,
    }
    iterations = [
        {"type": "message", **counts, "input_tokens": 1000, "output_tokens": 100},
        {"type": "compaction", **counts},
        {"type": "advisor_message", "model": "claude-opus-4-1-20250805", **counts},
    ]
    usage = {**MESSAGE["usage"], "service_tier": "standard", "iterations": iterations}
    replay.replies = [as_json({**MESSAGE, "usage": usage})]

    claude.beta.messages.create(model="claude-sonnet-5", max_tokens=100, messages=[{"role": "user", "content": "Hi"}])

    own, advice = sorted(process.charges, key=lambda charge: charge.charge_id)
    assert dict(own.usage.counts) == {"input_tokens": 3000, "output_tokens": 300}
    assert own.cost_nano == 13_500_000  # 3000 x 3.00 + 300 x 15.00 per million
    assert (advice.served_model, advice.cost_nano) == ("claude-opus-4-1-20250805", 45_000_000)  # 2000 x 15 + 200 x 75
