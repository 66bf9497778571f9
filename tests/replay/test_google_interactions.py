"""google-genai's interactions: a client of its own inside the SDK, with events of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from google import genai

from otel_llmcost import BudgetExceededError
from tests.instrumentation.conftest import Process, Start
from tests.replay.exchange import check, told
from tests.replay.google_bodies import MODEL, expected
from tests.replay.google_client import client, made
from tests.replay.server import ReplayServer, as_json, as_sse
from tests.replay.test_google_genai import BUDGET

if not hasattr(genai.Client, "interactions"):
    pytest.skip("this google-genai has no interactions", allow_module_level=True)

USAGE: dict[str, Any] = {
    "total_input_tokens": 1000,
    "total_output_tokens": 200,
    "total_thought_tokens": 500,
    "total_tool_use_tokens": 100,
    "total_cached_tokens": 400,
    "total_tokens": 1800,
    "input_tokens_by_modality": [{"modality": "text", "tokens": 900}, {"modality": "audio", "tokens": 100}],
    "output_tokens_by_modality": [{"modality": "text", "tokens": 200}],
}
TEXT = {"type": "text", "text": "Ein Fjord ist ein schmaler Meeresarm."}
WHOLE: dict[str, Any] = {
    "id": "v1_ChdQR2p",
    "object": "interaction",
    "status": "completed",
    "model": MODEL,
    "created": "2026-11-22T06:00:00Z",
    "updated": "2026-11-22T06:00:01Z",
    "steps": [{"type": "model_output", "content": [TEXT]}],
    "usage": USAGE,
}
# fresh: 600 text x 0.30, 100 sound x 1.00; cached 400 x 0.03; 700 x 2.50
MUST = expected(
    "0.002042",
    {
        "input_tokens": 1100,
        "input_audio_tokens": 100,
        "cache_read_tokens": 400,
        "output_tokens": 700,
        "reasoning_tokens": 500,
    },
    response_id="v1_ChdQR2p",
)
EVENTS: list[dict[str, Any]] = [
    {
        "event_type": "interaction.created",
        "interaction": {"id": "v1_ChdQR2p", "status": "in_progress", "model": MODEL},
    },
    {"event_type": "step.start", "index": 0, "step": {"type": "model_output", "content": []}},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "Ein Fjord"}},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": " ist ein Meeresarm."}},
    {"event_type": "step.stop", "index": 0},
    {"event_type": "interaction.completed", "interaction": {**WHOLE, "steps": []}},
]
ASK: dict[str, Any] = {"model": MODEL, "input": "What is a fjord?"}


def sync(replay: ReplayServer, **asked: Any) -> Any:
    with client(replay) as opened:
        found = opened.interactions.create(**asked)
        return list(found) if asked.get("stream") else found


def asynchronous(replay: ReplayServer, **asked: Any) -> Any:
    async def run() -> Any:
        async with made(replay).aio as opened:
            found = await opened.interactions.create(**asked)
            return [each async for each in found] if asked.get("stream") else found

    return asyncio.run(run())


@pytest.fixture(params=[sync, asynchronous])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return request.param


def test_an_interaction_is_charged_once(process: Process, replay: ReplayServer, ask: Any):
    replay.replies = [as_json(WHOLE)]

    found = ask(replay, **ASK)

    assert found.usage.total_output_tokens == 200
    check(process.charge, MUST)
    (span,) = process.spans
    assert told(span)["gen_ai.usage.reasoning.output_tokens"] == 500


def test_a_streamed_interaction_is_charged_by_its_end(process: Process, replay: ReplayServer, ask: Any):
    replay.replies = [as_sse(EVENTS)]

    found = ask(replay, stream=True, **ASK)

    assert [each.event_type for each in found] == [each["event_type"] for each in EVENTS]
    check(process.charge, MUST)
    assert len(process.spans) == 1


def test_a_stream_that_breaks_off_is_estimated(process: Process, replay: ReplayServer, ask: Any):
    error = {"event_type": "error", "error": {"code": "overloaded", "message": "The model is overloaded."}}
    replay.replies = [as_sse([*EVENTS[:4], error])]

    ask(replay, stream=True, **ASK)

    charge = process.charge
    assert (charge.status, charge.error_type) == ("estimated", "overloaded")
    assert charge.usage.output_tokens > 3


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_comes_unchanged_and_before_anything_is_sent(
    start: Start, replay: ReplayServer, ask: Any, stream: bool
):
    process = start(BUDGET.format(limit=0.000001))

    with pytest.raises(BudgetExceededError):
        ask(replay, stream=stream, **ASK)

    assert replay.received == []
    assert process.charges == []


def test_an_error_is_no_charge_but_a_span(process: Process, replay: ReplayServer, ask: Any):
    replay.replies = [as_json({"error": {"code": 404, "message": "no such model"}}, status=404)]

    with pytest.raises(Exception, match=r"404|no such model"):
        ask(replay, **ASK)

    assert process.charges == []
    assert told(process.spans[0])["error.type"] in ("404", "NotFoundError")


def test_searches_are_counted_by_google(process: Process, replay: ReplayServer):
    counts = [{"type": "google_search", "count": 2}, {"type": "google_maps", "count": 1}]
    replay.replies = [as_json({**WHOLE, "usage": {**USAGE, "grounding_tool_count": counts}})]

    sync(replay, **ASK)

    usage = process.charge.usage
    assert (usage["web_searches"], usage["maps_searches"]) == (2, 1)


def test_an_agent_of_google_s_is_named_in_the_model_s_place(process: Process, replay: ReplayServer):
    body = {**WHOLE, "agent": "deep-research-pro-preview-12-2025"}
    del body["model"]
    replay.replies = [as_json(body)]

    sync(replay, agent="deep-research-pro-preview-12-2025", input="What is a fjord?")

    charge = process.charge
    assert charge.requested_model == "deep-research-pro-preview-12-2025"
    assert charge.usage.output_tokens == 700
