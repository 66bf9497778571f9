"""SDKs built like openai's (groq, together, cerebras), and OpenRouter's: streams stay what they are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import reduce
from importlib import import_module
from inspect import signature
from typing import Any, NamedTuple

import pytest

from otel_llmcost import BudgetExceededError
from tests.instrumentation.conftest import Start
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import Expected, check, told
from tests.replay.server import ReplayServer, Reply, as_json, as_sse
from tests.replay.twice import run, twice

HELLO = [{"role": "user", "content": "What is a fjord?"}]
TEXT = "Ein Fjord ist ein schmaler Meeresarm."
Ask = Callable[..., Any]


class Sdk(NamedTuple):
    module: str
    sync: str
    asynchronous: str
    path: str
    provider: str
    model: str
    cost_usd: str
    """Of 1000 tokens read and 100 written."""


SDKS = {
    "groq": Sdk("groq", "Groq", "AsyncGroq", "", "groq", "llama-3.3-70b-versatile", "0.000669"),
    "together": Sdk(
        "together",
        "Together",
        "AsyncTogether",
        "/v1",
        "together",
        "openai/gpt-oss-120b",
        "0.00021",
    ),
    "cerebras": Sdk("cerebras.cloud.sdk", "Cerebras", "AsyncCerebras", "", "cerebras", "gpt-oss-120b", "0.000425"),
}
"""1000 x 0.59 + 100 x 0.79; 1000 x 0.15 + 100 x 0.60; 1000 x 0.35 + 100 x 0.75 per million."""


def made(name: str, cls: str, replay: ReplayServer) -> Any:
    try:
        module = import_module(SDKS[name].module)
    except ImportError:
        pytest.skip(f"this {name} has no module here")
    client = getattr(module, cls)
    more = {"warm_tcp_connection": False} if "warm_tcp_connection" in signature(client).parameters else {}
    return client(api_key="k", base_url=replay.url + SDKS[name].path, max_retries=0, **more)


def closed(found: Any) -> Any:
    """Give what can be closed, to be closed; together's client was built otherwise before version 2."""
    return found if hasattr(found, "__enter__") or hasattr(found, "__aenter__") else nullcontext(found)


def _method(opened: Any, name: str) -> Any:
    return reduce(getattr, name.split("."), opened)


def sync(replay: ReplayServer, sdk: str, name: str, **asked: Any) -> Any:
    with closed(made(sdk, SDKS[sdk].sync, replay)) as opened:
        found = _method(opened, name)(**asked)
        if not asked.get("stream"):
            return found
        with closed(found) as stream:
            return [type(stream).__name__, *stream]


def asynchronous(replay: ReplayServer, sdk: str, name: str, **asked: Any) -> Any:
    async def ask() -> Any:
        async with closed(made(sdk, SDKS[sdk].asynchronous, replay)) as opened:
            found = await _method(opened, name)(**asked)
            if not asked.get("stream"):
                return found
            async with closed(found) as stream:
                return [type(stream).__name__, *[each async for each in stream]]

    return run(ask)


@pytest.fixture(params=[sync, asynchronous])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


@pytest.fixture(params=SDKS)
def sdk(request: pytest.FixtureRequest) -> str:
    return str(request.param)


USAGE: dict[str, Any] = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
TOKENS = {"input_tokens": 1000, "output_tokens": 100}


def answer(model: str, usage: Any = USAGE, **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": TEXT, **message}
    return {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1789000000,
        "model": model,
        "choices": [{"index": 0, "message": said, "finish_reason": "stop", "logprobs": None}],
        "usage": usage,
        "system_fingerprint": "fp",
    }


def spoken(sdk: str, *pieces: str, usage: Any = USAGE) -> list[dict[str, Any]]:
    """Say the usage where each of them does: groq in a field of its own, the others beside the last choice."""
    base = {
        "id": "c-1",
        "object": "chat.completion.chunk",
        "created": 1789000000,
        "model": SDKS[sdk].model,
        "system_fingerprint": "fp",
    }
    last: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    told_usage = {"x_groq": {"id": "req_1", "usage": usage}} if sdk == "groq" else {"usage": usage}
    return [
        *(base | {"choices": [{"index": 0, "delta": {"content": each}, "finish_reason": None}]} for each in pieces),
        base | last | told_usage,
    ]


def expected(sdk: str, **more: Any) -> Expected:
    row = SDKS[sdk]
    return Expected(
        **{
            "provider": row.provider,
            "model": row.model,
            "served": row.model,
            "usage": TOKENS,
            "cost_usd": row.cost_usd,
            "response_id": "c-1",
        }
        | more
    )


CALL = {"id": "call_1", "type": "function", "index": 0, "function": {"name": "look_up", "arguments": "{}"}}


@pytest.mark.parametrize("message", [{}, {"content": None, "tool_calls": [CALL]}, {"reasoning": "Water."}])
def test_an_answer_is_charged_once(start: Start, replay: ReplayServer, ask: Ask, sdk: str, message: dict[str, Any]):
    asked = {"model": SDKS[sdk].model, "messages": HELLO}
    replies = [as_json(answer(SDKS[sdk].model, **message))]

    process = twice(start, replay, replies, lambda: ask(replay, sdk, "chat.completions.create", **asked))

    check(process.charge, expected(sdk))
    (span,) = process.spans
    assert told(span)["gen_ai.provider.name"] == sdk


def test_a_stream_is_charged_once_and_stays_one(start: Start, replay: ReplayServer, ask: Ask, sdk: str):
    """Nothing is asked for that the program did not ask for: they tell a stream's usage by themselves."""
    asked = {"model": SDKS[sdk].model, "messages": HELLO, "stream": True}
    replies = [as_sse(spoken(sdk, "Ein Fjord ", "ist ein Meeresarm."), done=True)]

    process = twice(start, replay, replies, lambda: ask(replay, sdk, "chat.completions.create", **asked))

    check(process.charge, expected(sdk))
    assert len(process.spans) == 1


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("status", [401, 404, 429, 500, 529])
def test_an_error_is_no_charge_but_a_span(
    start: Start, replay: ReplayServer, ask: Ask, sdk: str, status: int, is_stream: bool
):
    asked = {"model": SDKS[sdk].model, "messages": HELLO, "stream": is_stream}
    replies = [as_json({"error": {"message": "no", "type": "t"}}, status=status)]

    process = twice(start, replay, replies, lambda: ask(replay, sdk, "chat.completions.create", **asked))

    assert process.charges == []
    (span,) = process.spans
    assert told(span)["error.type"]
    assert not span.status.is_ok


def test_a_cut_connection_is_charged_for_what_came(start: Start, replay: ReplayServer, ask: Ask, sdk: str):
    asked = {"model": SDKS[sdk].model, "messages": HELLO, "stream": True}
    reply = as_sse(spoken(sdk, *[TEXT] * 9), done=True)
    cut = Reply(content_type=reply.content_type, body=reply.body, breaks_after=len(reply.body) - 330)

    process = twice(start, replay, [cut], lambda: ask(replay, sdk, "chat.completions.create", **asked))

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")
    assert process.charge.usage.output_tokens >= 40


@pytest.mark.parametrize("usage", [None, {}])
def test_a_usage_that_is_missing_is_estimated(start: Start, replay: ReplayServer, ask: Ask, sdk: str, usage: Any):
    asked = {"model": SDKS[sdk].model, "messages": HELLO, "stream": True}
    replies = [as_sse(spoken(sdk, TEXT, usage=usage), done=True)]

    process = twice(start, replay, replies, lambda: ask(replay, sdk, "chat.completions.create", **asked))

    assert process.charge.status == "estimated"
    assert process.charge.cost_nano


def test_a_refusal_reaches_the_program_and_nothing_is_sent(start: Start, replay: ReplayServer, ask: Ask, sdk: str):
    process = start('[[budget]]\nname = "b"\nlimit = 0\nwindow = "day"\n')

    for is_stream in (False, True):
        with pytest.raises(BudgetExceededError):
            ask(
                replay,
                sdk,
                "chat.completions.create",
                model=SDKS[sdk].model,
                messages=HELLO,
                stream=is_stream,
            )

    assert replay.received == []
    assert process.charges == []


def test_groq_tells_what_it_had_cached_and_thought(start: Start, replay: ReplayServer, ask: Ask):
    usage = USAGE | {
        "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 60},
        "queue_time": 0.03,
        "total_time": 0.4,
    }
    asked = {"model": "openai/gpt-oss-120b", "messages": HELLO}
    replies = [as_json(answer("openai/gpt-oss-120b", usage))]

    process = twice(start, replay, replies, lambda: ask(replay, "groq", "chat.completions.create", **asked))

    counts = TOKENS | {"cache_read_tokens": 400, "reasoning_tokens": 60}
    must = expected("groq", model="openai/gpt-oss-120b", served="openai/gpt-oss-120b", usage=counts, cost_usd="0.00018")
    check(process.charge, must)  # 600 x 0.15 + 400 x 0.075 + 100 x 0.60


def test_groq_s_sound_is_paid_by_the_second_told_and_its_speech_by_the_character(
    start: Start, replay: ReplayServer, ask: Ask
):
    said = {"text": " A fjord.", "duration": 36.0, "language": "English", "x_groq": {"id": "req_2"}}
    process = start()
    replay.replies = [as_json(said), Reply(content_type="audio/wav", body=b"RIFF")]

    ask(replay, "groq", "audio.transcriptions.create", model="whisper-large-v3", file=("a.wav", b"RIFF"))
    ask(
        replay,
        "groq",
        "audio.speech.create",
        model="canopylabs/orpheus-v1-english",
        voice="troy",
        input="What is a fjord?",
    )

    heard, spoke = process.charges
    assert (heard.operation, dict(heard.usage.counts)) == ("transcription", {"audio_milliseconds": 36_000})
    assert heard.cost_nano == 1_110_000  # 36 s x 0.111 / 3600
    assert heard.response_id == "req_2"
    assert (spoke.operation, dict(spoke.usage.counts)) == ("speech", {"characters": 16})
    assert spoke.cost_nano == 352_000  # 16 x 22 per million


def test_together_sells_pictures_embeddings_and_ranks(start: Start, replay: ReplayServer, ask: Ask):
    process = start()
    replay.replies = [
        as_json({"id": "i-1", "object": "list", "model": "m", "data": [{"index": 0, "url": "https://x.test/1.png"}]}),
        as_json({"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}]}),
        as_json({"object": "rerank", "model": "m", "results": [], "usage": USAGE | {"completion_tokens": 0}}),
    ]

    ask(replay, "together", "images.generate", model="black-forest-labs/FLUX.2-max", prompt="A fjord")
    ask(replay, "together", "embeddings.create", model="intfloat/multilingual-e5-large-instruct", input="A fjord")
    ask(replay, "together", "rerank.create", model="Salesforce/Llama-Rank-V1", query="q", documents=["a"])

    drawn, embedded, ranked = process.charges
    assert (drawn.operation, drawn.usage["images"]) == ("image_generation", 1)
    assert (embedded.operation, embedded.method) == ("embeddings", "no-usage-reported")
    assert (ranked.operation, dict(ranked.usage.counts)) == ("rerank", {"input_tokens": 1000})
    assert ranked.cost_nano == 100_000  # 1000 x 0.10 per million


def openrouter(replay: ReplayServer, is_async: bool, **asked: Any) -> Any:
    try:
        made_of = import_module("openrouter").OpenRouter
    except ImportError:
        pytest.skip("this openrouter has no module here")

    def ask() -> Any:
        with made_of(api_key="k", server_url=f"{replay.url}/api/v1") as opened:
            found = opened.chat.send(**asked)
            if not asked.get("stream"):
                return found
            with found as stream:
                return [type(stream).__name__, *stream]

    async def ask_async() -> Any:
        async with made_of(api_key="k", server_url=f"{replay.url}/api/v1") as opened:
            found = await opened.chat.send_async(**asked)
            if not asked.get("stream"):
                return found
            async with found as stream:
                return [type(stream).__name__, *[each async for each in stream]]

    return run(ask_async) if is_async else ask()


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("is_stream", [False, True])
def test_openrouter_s_own_sdk_is_believed_what_it_costs(
    start: Start, replay: ReplayServer, is_async: bool, is_stream: bool
):
    usage = USAGE | {"cost": 0.00195, "cost_details": {"upstream_inference_cost": 0.0018}, "is_byok": False}
    model = "anthropic/claude-sonnet-4.5"
    base = {"id": "c-1", "object": "chat.completion.chunk", "created": 1789000000, "model": model}
    events = [
        base | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": TEXT}, "finish_reason": None}]},
        base | {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}], "usage": usage},
    ]
    replies = [as_sse(events, done=True) if is_stream else as_json(answer(model, usage))]
    asked = {"model": model, "messages": HELLO, "stream": is_stream}
    asked |= {"stream_options": {"include_usage": True}} if is_stream else {}

    process = twice(start, replay, replies, lambda: openrouter(replay, is_async, **asked))

    must = Expected(
        provider="openrouter", model=model, served=model, usage=TOKENS, cost_usd="0.00195", response_id="c-1"
    )
    check(process.charge, must)
    assert len(process.spans) == 1


@pytest.mark.parametrize("is_stream", [False, True])
def test_another_model_and_a_cap_arrive(start: Start, replay: ReplayServer, ask: Ask, sdk: str, is_stream: bool):
    process = changing(start, cap=50, route={SDKS[sdk].model: "llama-3.1-8b-instant"})
    replay.replies = [as_sse(spoken(sdk, TEXT), done=True) if is_stream else as_json(answer("llama-3.1-8b-instant"))]
    asked = {"model": SDKS[sdk].model, "messages": HELLO, "stream": is_stream}

    ask(replay, sdk, "chat.completions.create", **asked)

    assert replay.received[0].json["model"] == "llama-3.1-8b-instant"
    assert replay.received[0].json["max_tokens"] == 50
    assert len(the_charge(process).actions) == 2
