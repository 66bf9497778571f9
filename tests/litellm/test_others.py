"""What litellm does besides chats, each one charge; and whoever else makes spans of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import litellm
import pytest
from openinference.instrumentation.litellm import LiteLLMInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

import otel_llmcost
from otel_llmcost.config import load
from tests.instrumentation.conftest import EXPORTER, PROVIDER, Process, Start
from tests.litellm.conftest import STREAMS, WHOLE, Call, awaited, plain, streamed
from tests.litellm.routes import ASK, CLAUDE, CLAUDE_EVENTS, ROUTES, TEXT, Route
from tests.replay.exchange import Expected, check
from tests.replay.server import ReplayServer, Reply, as_json, as_sse

VECTORS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 1000, "total_tokens": 1000},
}
RESPONSE = {
    "id": "resp_01",
    "object": "response",
    "created_at": 1789000000,
    "status": "completed",
    "model": "gpt-4o-2024-08-06",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": TEXT, "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 400},
        "output_tokens": 100,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 1100,
    },
}
COMPLETED = as_sse(
    [
        {
            "type": "response.created",
            "sequence_number": 0,
            "response": {**RESPONSE, "status": "in_progress", "output": [], "usage": None},
        },
        {"type": "response.completed", "sequence_number": 1, "response": RESPONSE},
    ],
    named=True,
)
TEXT_COMPLETION = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1789000000,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"text": TEXT, "index": 0, "finish_reason": "stop", "logprobs": None}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}
RANKED = {
    "id": "r1",
    "results": [{"index": 0, "relevance_score": 0.9}],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
}
PICTURE = {
    "created": 1789000000,
    "data": [{"b64_json": "aGk="}],
    "usage": {
        "input_tokens": 50,
        "output_tokens": 1000,
        "total_tokens": 1050,
        "input_tokens_details": {"text_tokens": 50, "image_tokens": 0},
    },
}
HEARD = {
    "text": TEXT,
    "usage": {
        "type": "tokens",
        "input_tokens": 14,
        "output_tokens": 10,
        "total_tokens": 24,
        "input_token_details": {"audio_tokens": 14, "text_tokens": 0},
    },
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A function of litellm's, and its arguments."""

    name: str
    reply: Reply
    expected: Expected
    base: str = "/v1"
    asked: dict[str, Any] = field(default_factory=dict[str, Any])

    def arguments(self, url: str) -> dict[str, Any]:
        return {"api_base": url + self.base, "api_key": "k", **self.asked}


CASES = {
    "embedding": Case(
        name="embedding",
        reply=as_json(VECTORS),
        asked={"model": "openai/text-embedding-3-small", "input": ["x"]},
        expected=Expected(  # 1000 x 0.02
            provider="openai",
            operation="embeddings",
            model="text-embedding-3-small",
            usage={"input_tokens": 1000},
            cost_usd="0.00002",
        ),
    ),
    "embedding-of-mistral": Case(
        name="embedding",
        reply=as_json({**VECTORS, "model": "mistral-embed"}),
        asked={"model": "mistral/mistral-embed", "input": ["x"]},
        expected=Expected(  # 1000 x 0.10
            provider="mistral_ai",
            operation="embeddings",
            model="mistral-embed",
            usage={"input_tokens": 1000},
            cost_usd="0.0001",
        ),
    ),
    "responses": Case(
        name="responses",
        reply=as_json(RESPONSE),
        asked={"model": "openai/gpt-4o", "input": "What is a fjord?"},
        expected=Expected(  # 600 x 2.50 + 400 x 1.25 + 100 x 10.00
            provider="openai",
            model="gpt-4o",
            usage={"input_tokens": 1000, "cache_read_tokens": 400, "output_tokens": 100},
            cost_usd="0.003",
            response_id="resp_01",
        ),
    ),
    "responses-of-anthropic": Case(
        name="responses",
        reply=as_json(CLAUDE),
        asked={"model": "anthropic/claude-sonnet-4-5", "input": "What is a fjord?"},
        base="",
        expected=ROUTES["anthropic"].expected,
    ),
    "text-completion": Case(
        name="text_completion",
        reply=as_json(TEXT_COMPLETION),
        asked={"model": "text-completion-openai/gpt-3.5-turbo-instruct", "prompt": "A fjord is"},
        expected=Expected(  # 1000 x 1.50 + 100 x 2.00
            provider="openai",
            operation="text_completion",
            model="gpt-3.5-turbo-instruct",
            usage={"input_tokens": 1000, "output_tokens": 100},
            cost_usd="0.0017",
        ),
    ),
    "rerank": Case(
        name="rerank",
        reply=as_json(RANKED),
        asked={"model": "cohere/rerank-v3.5", "query": "x", "documents": ["a", "b"]},
        base="/v2/rerank",
        expected=Expected(  # 1 search at 2.00 a thousand
            provider="cohere",
            operation="rerank",
            model="rerank-v3.5",
            usage={"search_units": 1},
            cost_usd="0.002",
        ),
    ),
    "image": Case(
        name="image_generation",
        reply=as_json(PICTURE),
        asked={"model": "openai/gpt-image-1", "prompt": "a fjord"},
        expected=Expected(  # 50 x 5.00 + 1000 x 40.00
            provider="openai",
            operation="image_generation",
            model="gpt-image-1",
            usage={"input_tokens": 50, "output_tokens": 1000, "images": 1},
            cost_usd="0.04025",
        ),
    ),
    "transcription": Case(
        name="transcription",
        reply=as_json(HEARD),
        asked={"model": "openai/gpt-4o-transcribe", "file": ("a.wav", b"RIFF" + bytes(100))},
        expected=Expected(  # 14 of sound x 6.00 + 10 x 10.00
            provider="openai",
            operation="transcription",
            model="gpt-4o-transcribe",
            usage={"input_tokens": 14, "input_audio_tokens": 14, "output_tokens": 10},
            cost_usd="0.000184",
        ),
    ),
    "speech": Case(
        name="speech",
        reply=Reply(content_type="audio/mpeg", body=b"ID3" * 50),
        asked={"model": "openai/tts-1", "input": "Hello there", "voice": "alloy"},
        expected=Expected(  # 11 characters at 15.00 a million
            provider="openai",
            operation="speech",
            model="tts-1",
            usage={"characters": 11},
            cost_usd="0.000165",
        ),
    ),
    "moderation": Case(
        name="moderation",
        reply=as_json(
            {
                "id": "modr-1",
                "model": "omni-moderation-latest",
                "results": [{"flagged": False, "categories": {}, "category_scores": {}}],
            }
        ),
        asked={"model": "omni-moderation-latest", "input": "x"},
        expected=Expected(
            provider="openai",
            operation="moderation",
            model="omni-moderation-latest",
            usage={"requests": 1},
            cost_usd="0",
        ),
    ),
}


@pytest.mark.parametrize("call", WHOLE)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_one_charge(process: Process, replay: ReplayServer, case: Case, call: Call):
    replay.replies = [case.reply]

    call(case.name, **case.arguments(replay.url))

    assert len(replay.received) == 1
    check(process.charge, case.expected)
    assert len(process.spans) == 1


@pytest.mark.parametrize("call", STREAMS)
def test_a_streamed_response_is_one_charge(process: Process, replay: ReplayServer, call: Call):
    replay.replies = [COMPLETED]

    call("responses", **CASES["responses"].arguments(replay.url))

    check(process.charge, CASES["responses"].expected)


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_s_messages_are_one_charge_on_python_s_route(process: Process, replay: ReplayServer, stream: bool):
    replay.replies = [CLAUDE_EVENTS if stream else as_json(CLAUDE)]
    asked: dict[str, Any] = {"model": "anthropic/claude-sonnet-4-5", "messages": ASK, "max_tokens": 200, "api_key": "k"}

    async def ask() -> Any:
        answer: Any = await litellm.anthropic_messages(api_base=replay.url, stream=stream, **asked)
        return [piece async for piece in answer] if stream else answer

    asyncio.run(ask())

    check(process.charge, ROUTES["anthropic"].expected)
    assert len(process.spans) == 1


@pytest.fixture(params=["they-first", "we-first"])
def beside(request: pytest.FixtureRequest, start: Start) -> Iterator[Process]:
    process = start() if request.param == "we-first" else None
    LiteLLMInstrumentor().instrument()
    yield process or start()
    LiteLLMInstrumentor().uninstrument()


NAMED = ("openai", "anthropic", "gemini", "bedrock", "mistral")


@pytest.mark.parametrize("call", WHOLE)
@pytest.mark.parametrize("route", [ROUTES[name] for name in NAMED], ids=NAMED)
def test_beside_openinference_there_is_one_charge_on_their_span(
    beside: Process, replay: ReplayServer, route: Route, call: Call
):
    replay.replies = [route.whole]

    call("completion", **route.arguments(replay.url))

    check(beside.charge, route.expected)
    (span,) = EXPORTER.get_finished_spans()
    assert span.instrumentation_scope.name.startswith("openinference")
    assert span.attributes is not None
    assert span.attributes["llmcost.charge.id"] == beside.charge.charge_id


@pytest.mark.parametrize("call", STREAMS)
@pytest.mark.parametrize("route", [ROUTES[name] for name in ("openai", "anthropic", "gemini")])
def test_so_it_is_for_streams(beside: Process, replay: ReplayServer, route: Route, call: Call):
    assert route.stream is not None
    replay.replies = [route.stream]

    call("completion", **route.arguments(replay.url))

    check(beside.charge, route.expected)
    (span,) = EXPORTER.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["gen_ai.usage.cost"] == float(route.expected.cost_usd or 0)


class Arrival(SpanProcessor):
    """Tells that litellm has made the span of a call: it does so in the background."""

    def __init__(self) -> None:
        self.came = threading.Event()

    def on_end(self, span: ReadableSpan) -> None:
        if span.name == "litellm_request" and "llmcost.charge.id" in (span.attributes or {}):
            self.came.set()


@pytest.fixture(scope="module")
def arrival() -> Arrival:
    processor = Arrival()
    PROVIDER.add_span_processor(processor)
    return processor


def litellm_s_spans(replay: ReplayServer, route: Route, call: Call, arrival: Arrival) -> list[dict[str, Any]]:
    """Let litellm make its own spans of a call, and wait for them."""
    litellm.callbacks = ["otel"]
    arrival.came.clear()

    async def ask() -> None:
        if call is awaited:
            await litellm.acompletion(**route.arguments(replay.url))
        else:
            await asyncio.to_thread(call, "completion", **route.arguments(replay.url))
        await asyncio.to_thread(arrival.came.wait, 10)

    asyncio.run(ask())
    return [dict(span.attributes or {}) for span in EXPORTER.get_finished_spans() if span.name == "litellm_request"]


@pytest.mark.parametrize("call", [plain, awaited, streamed])
@pytest.mark.parametrize("name", ["openai", "anthropic", "mistral"])
def test_beside_litellm_s_own_spans_there_is_one_charge_on_theirs(
    process: Process, replay: ReplayServer, arrival: Arrival, call: Call, name: str
):
    route = ROUTES[name]
    replay.replies = [route.stream if call is streamed and route.stream is not None else route.whole]

    spans = litellm_s_spans(replay, route, call, arrival)

    check(process.charge, route.expected)
    assert process.spans == []
    (told,) = [each for each in spans if each.get("llmcost.charge.id") == process.charge.charge_id]
    assert told["gen_ai.usage.cost"] == float(route.expected.cost_usd or 0)


def test_taken_out_nothing_of_ours_is_left(tmp_path: Path):
    otel_llmcost.instrument(load({"OTEL_LLMCOST_STORE": "memory://"}, cwd=tmp_path, home=tmp_path))
    was_there = hasattr(litellm.completion, "_self_wrapper")

    otel_llmcost.uninstrument()

    assert was_there
    assert not any(hasattr(vars(litellm)[name], "_self_wrapper") for name in ("completion", "acompletion", "ocr"))
