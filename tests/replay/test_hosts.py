"""Hosts that speak OpenAI's chat completions in a way of their own, asked by openai's SDK and by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import openai
import pytest

from tests.instrumentation.conftest import Process, Start
from tests.replay.elsewhere import HTTP, transport
from tests.replay.exchange import Expected, check, told
from tests.replay.server import ReplayServer, as_json, as_sse
from tests.replay.twice import twice

Ask = Callable[..., Any]
HELLO = [{"role": "user", "content": "What is a fjord?"}]
TEXT = "Ein Fjord ist ein schmaler Meeresarm."


def by_sdk(replay: ReplayServer, url: str, **asked: Any) -> Any:
    with (
        HTTP.Client(transport=transport(replay)) as http,
        openai.OpenAI(api_key="k", base_url=url, http_client=http, max_retries=0) as client,
    ):
        found = client.chat.completions.create(**asked, messages=HELLO)
        if not asked.get("stream"):
            return found
        with found as stream:
            return [type(stream).__name__, *stream]


def by_hand(replay: ReplayServer, url: str, **asked: Any) -> Any:
    with (
        httpx.Client(transport=transport(replay, httpx)) as http,
        http.stream("POST", f"{url}/chat/completions", json={**asked, "messages": HELLO}) as found,
    ):
        return found.read().decode()


@pytest.fixture(params=[by_sdk, by_hand])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


def usage(read: int, written: int, total: int | None = None, **more: Any) -> dict[str, Any]:
    total = read + written if total is None else total
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": total, **more}


def answer(model: str, told_usage: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": TEXT}
    return {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1789000000,
        "model": model,
        "choices": [{"index": 0, "message": said, "finish_reason": "stop", "logprobs": None}],
        "usage": told_usage,
    }


def spoken(model: str, told_usage: Any, *pieces: str) -> list[dict[str, Any]]:
    base = {"id": "c-1", "object": "chat.completion.chunk", "created": 1789000000, "model": model}
    return [
        *(
            base | {"choices": [{"index": 0, "delta": {"content": each}, "finish_reason": None}], "usage": None}
            for each in pieces
        ),
        base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None},
        base | {"choices": [], "usage": told_usage},
    ]


def tokens(read: int, written: int, **more: int) -> dict[str, int]:
    return {"input_tokens": read, "output_tokens": written, **more}


def cached(count: int, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens_details": {"cached_tokens": count}, **more}


SEARCHED = {"input_tokens_cost": 0.003, "output_tokens_cost": 0.0015, "request_cost": 0.006, "total_cost": 0.0105}
THOUGHT = {"completion_tokens_details": {"reasoning_tokens": 300}}


def expected(model: str, counts: dict[str, int], provider: str, cost: str | None) -> Expected:
    status = "unpriced" if cost is None else "confirmed"
    return Expected(
        provider=provider, model=model, usage=counts, cost_usd=cost, status=status, served=model, response_id="c-1"
    )


CASES: list[Any] = [
    pytest.param((url, told_usage, expected(model, counts, provider, cost)), id=name)
    for name, url, model, told_usage, counts, provider, cost in [
        (
            "DeepSeek tells what it had cached twice",
            "https://api.deepseek.com/v1",
            "deepseek-chat",
            usage(1000, 300, prompt_cache_hit_tokens=400, prompt_cache_miss_tokens=600, **cached(400)),
            tokens(1000, 300, cache_read_tokens=400),
            "deepseek",
            "0.0003052",  # 600 x 0.28 + 400 x 0.028 + 300 x 0.42
        ),
        (
            "DeepSeek once told it once",
            "https://api.deepseek.com",
            "deepseek-chat",
            usage(1000, 300, prompt_cache_hit_tokens=400, prompt_cache_miss_tokens=600),
            tokens(1000, 300, cache_read_tokens=400),
            "deepseek",
            "0.0003052",
        ),
        (
            "xAI leaves reasoning out of the completion",
            "https://api.x.ai/v1",
            "grok-4",
            usage(1000, 100, 1400, **THOUGHT, **cached(200)),
            tokens(1000, 400, reasoning_tokens=300, cache_read_tokens=200),
            "x_ai",
            "0.00855",  # 800 x 3 + 200 x 0.75 + 400 x 15
        ),
        (
            "Google's thoughts are in the total alone",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "gemini-2.5-flash",
            usage(1000, 200, 1700),
            tokens(1000, 700, reasoning_tokens=500),
            "gcp.gemini",
            "0.00205",  # 1000 x 0.30 + 700 x 2.50
        ),
        (
            "OpenRouter says what it costs",
            "https://openrouter.ai/api/v1",
            "openai/gpt-4o",
            usage(1000, 100, cost=0.0021, is_byok=False, cost_details={"upstream_inference_cost": None}, **cached(0)),
            tokens(1000, 100),
            "openrouter",
            "0.0021",
        ),
        (
            "Perplexity does too, in parts",
            "https://api.perplexity.ai",
            "sonar-pro",
            usage(1000, 100, search_context_size="low", cost=SEARCHED),
            tokens(1000, 100, requests=1),
            "perplexity",
            "0.0105",
        ),
        (
            "Fireworks",
            "https://api.fireworks.ai/inference/v1",
            "accounts/fireworks/models/gpt-oss-120b",
            usage(1000, 100, **cached(400)),
            tokens(1000, 100, cache_read_tokens=400),
            "fireworks",
            "0.000156",  # 600 x 0.15 + 400 x 0.015 + 100 x 0.60
        ),
        (
            "Moonshot has its own word for what was cached",
            "https://api.moonshot.ai/v1",
            "kimi-k2-0905-preview",
            usage(1000, 100, cached_tokens=400),
            tokens(1000, 100, cache_read_tokens=400),
            "moonshot_ai",
            "0.00067",  # 600 x 0.60 + 400 x 0.15 + 100 x 2.50
        ),
        (
            "Z.ai",
            "https://api.z.ai/api/paas/v4",
            "glm-4.6",
            usage(1000, 100, **cached(400)),
            tokens(1000, 100, cache_read_tokens=400),
            "zai",
            "0.000624",  # 600 x 0.60 + 400 x 0.11 + 100 x 2.20
        ),
        (
            "Mistral, not asked by its own SDK",
            "https://api.mistral.ai/v1",
            "mistral-small-latest",
            usage(1000, 100),
            tokens(1000, 100),
            "mistral_ai",
            "0.00021",  # 1000 x 0.15 + 100 x 0.60
        ),
        (
            "Cohere, not asked by its own SDK",
            "https://api.cohere.ai/compatibility/v1",
            "command-a-03-2025",
            usage(1000, 100),
            tokens(1000, 100),
            "cohere",
            "0.0035",  # 1000 x 2.50 + 100 x 10.00
        ),
        *(
            (
                f"{provider} has no price for {model} here",
                url,
                model,
                usage(1000, 100),
                tokens(1000, 100),
                provider,
                None,
            )
            for provider, url, model in [
                ("nvidia", "https://integrate.api.nvidia.com/v1", "meta/llama-3.1-8b-instruct"),
                ("github", "https://models.github.ai/inference", "openai/gpt-4o"),
                ("vercel", "https://ai-gateway.vercel.sh/v1", "openai/gpt-4o"),
                ("lmstudio", "http://localhost:1234/v1", "gpt-4o"),
                ("ollama", "http://localhost:11434/v1", "gpt-oss:20b"),
                ("openai", "http://localhost:8000/v1", "Qwen/Qwen3-8B"),
                ("openai", "http://gpu.internal:8080/v1", "deepseek-chat"),
                ("openai", "http://gpu.internal:8080/v1", "mistral-small-latest"),
            ]
        ),
    ]
]


@pytest.mark.parametrize("case", CASES)
def test_a_host_is_known_and_its_answer_read(start: Start, replay: ReplayServer, ask: Ask, case: Any):
    url, told_usage, must = case
    reply = as_json(answer(must.model, told_usage))

    process = twice(start, replay, [reply], lambda: ask(replay, url, model=must.model))

    check(process.charge, must)
    (span,) = process.spans
    assert told(span)["gen_ai.provider.name"] == must.provider
    assert ("gen_ai.usage.cost" in told(span)) is (must.cost_usd is not None)


@pytest.mark.parametrize("case", CASES)
def test_its_stream_is_too(start: Start, replay: ReplayServer, ask: Ask, case: Any):
    url, told_usage, must = case
    reply = as_sse(spoken(must.model, told_usage, "Ein Fjord ", "ist ein Meeresarm."), done=True)
    asked = {"model": must.model, "stream": True, "stream_options": {"include_usage": True}}

    process = twice(start, replay, [reply], lambda: ask(replay, url, **asked))

    check(process.charge, must)
    assert len(process.spans) == 1


def test_a_server_that_does_not_take_the_option_is_asked_again_without_it(process: Process, replay: ReplayServer):
    """The program sees nothing of it."""
    refused = as_json({"error": {"message": "unknown field: stream_options"}}, status=422)
    pieces = spoken("local-model", None, TEXT)[:-1]
    replay.replies = [refused, as_sse(pieces, done=True), as_sse(pieces, done=True)]

    for _ in range(2):
        found = by_sdk(replay, "http://gpu.internal:9/v1", model="local-model", stream=True)
        assert [each.choices[0].delta.content for each in found[1:]] == [TEXT, None]

    assert ["stream_options" in each.json for each in replay.received] == [True, False, False]
    assert {each.status for each in process.charges} == {"unpriced"}


def test_azure_names_the_model_in_its_answer_and_filters_in_a_chunk_without_choices(start: Start, replay: ReplayServer):
    filtered = [{"prompt_index": 0, "content_filter_results": {}}]
    first = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": filtered}
    events = [first, *spoken("gpt-4o-2024-08-06", usage(1000, 100), "Ein Fjord ", "ist ein Meeresarm.")]
    asked = {"model": "our-deployment", "stream": True, "stream_options": {"include_usage": True}}

    def program() -> Any:
        with (
            HTTP.Client(transport=transport(replay)) as http,
            openai.AzureOpenAI(
                api_key="k", api_version="2025-01-01", azure_endpoint="https://us.openai.azure.com", http_client=http
            ) as client,
        ):
            return list(client.chat.completions.create(**asked, messages=HELLO))

    process = twice(start, replay, [as_sse(events, done=True)], program)

    assert replay.received[0].path.startswith("/openai/deployments/our-deployment/chat/completions")
    check(
        process.charge,
        Expected(
            provider="azure.ai.openai",
            model="our-deployment",
            served="gpt-4o-2024-08-06",
            usage=tokens(1000, 100),
            cost_usd="0.0035",  # 1000 x 2.50 + 100 x 10.00
        ),
    )


def test_azure_s_first_chunk_does_not_end_a_stream_whose_usage_we_asked_for(process: Process, replay: ReplayServer):
    first = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}
    events = [first, *spoken("gpt-4o-2024-08-06", usage(1000, 100), TEXT)]
    replay.replies = [as_sse(events, done=True)]
    url = "https://us.openai.azure.com/openai/deployments/our-deployment"

    seen = by_hand(replay, url, model="our-deployment", stream=True)

    lines = [json.loads(each[6:]) for each in seen.splitlines() if each.startswith("data: {")]
    assert lines == events[:-1]
    assert process.charge.cost_nano == 3_500_000


def test_deep_research_counts_what_it_read_and_thought_beside_the_answer(process: Process, replay: ReplayServer):
    """Without a cost of its own it is worked out: 2 x 33 + 8 x 7163 + 2 x 20016 + 3 x 193930, and 0.005 a search."""
    told_usage = usage(33, 7163, 7196, citation_tokens=20016, num_search_queries=28, reasoning_tokens=193930)
    replay.replies = [as_json(answer("sonar-deep-research", told_usage))]

    by_hand(replay, "https://api.perplexity.ai", model="sonar-deep-research")

    charge = process.charge
    assert charge.usage["web_searches"] == 28
    assert charge.cost_nano == 66_000 + 57_304_000 + 40_032_000 + 581_790_000 + 140_000_000


@pytest.mark.parametrize(
    "delta",
    [
        {"content": TEXT},
        {"content": None, "reasoning_content": TEXT},
        {"content": "", "reasoning": TEXT},
        {"tool_calls": [{"index": 0, "function": {"arguments": TEXT}}]},
    ],
)
def test_whatever_came_before_a_cut_is_measured(process: Process, replay: ReplayServer, delta: dict[str, Any]):
    events = [{"id": "c-1", "model": "deepseek-chat", "choices": [{"index": 0, "delta": delta}]}] * 9
    reply = as_sse([*events, *spoken("deepseek-chat", usage(1000, 100), "x")])
    replay.replies = [replace(reply, breaks_after=len(as_sse(events).body) + 20)]

    with pytest.raises(httpx.RemoteProtocolError):
        by_hand(replay, "https://api.deepseek.com/v1", model="deepseek-chat", stream=True)

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")
    assert process.charge.usage.output_tokens >= 60
