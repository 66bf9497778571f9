"""Where litellm sends a chat to, what is answered there, and what must be charged for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.replay.exchange import Expected
from tests.replay.server import Reply, as_json, as_lines, as_sse

ASK: list[dict[str, str]] = [{"role": "user", "content": "What is a fjord?"}]
TEXT = "A narrow arm of the sea."


def openai_answer(model: str, **usage: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-9f",
        "object": "chat.completion",
        "created": 1789000000,
        "model": model,
        "service_tier": "default",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, **usage},
    }


def openai_chunks(model: str, **usage: Any) -> Reply:
    whole = openai_answer(model, **usage)
    base = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    deltas: list[tuple[dict[str, str], str | None]] = [({"content": word + " "}, None) for word in TEXT.split()]
    pieces = [
        {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
        for delta, end in [({"role": "assistant", "content": ""}, None), *deltas, ({}, "stop")]
    ]
    return as_sse([*pieces, {**base, "choices": [], "usage": whole["usage"]}], done=True)


CLAUDE = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": TEXT}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 400,
        "cache_read_input_tokens": 600,
        "cache_creation_input_tokens": 0,
        "output_tokens": 100,
        "service_tier": "standard",
    },
}
CLAUDE_EVENTS = as_sse(
    [
        {
            "type": "message_start",
            "message": {**CLAUDE, "content": [], "stop_reason": None, "usage": {**CLAUDE["usage"], "output_tokens": 3}},  # type: ignore[dict-item]
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 100},
        },
        {"type": "message_stop"},
    ],
    named=True,
)
GEMINI = {
    "candidates": [{"content": {"parts": [{"text": TEXT}], "role": "model"}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {
        "promptTokenCount": 1000,
        "candidatesTokenCount": 200,
        "thoughtsTokenCount": 500,
        "totalTokenCount": 1700,
    },
    "modelVersion": "gemini-2.5-flash",
    "responseId": "kX4hae",
}
CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1000, "outputTokens": 100, "totalTokens": 1100},
    "metrics": {"latencyMs": 3},
}
COHERED = {
    "id": "c14c80c3",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": TEXT}]},
    "usage": {
        "billed_units": {"input_tokens": 10, "output_tokens": 5},
        "tokens": {"input_tokens": 70, "output_tokens": 6},
    },
}
LLAMA = {
    "model": "llama3.2",
    "created_at": "2026-08-04T19:22:45.499127Z",
    "message": {"role": "assistant", "content": TEXT},
    "done": True,
    "done_reason": "stop",
    "total_duration": 4883583458,
    "load_duration": 1334875,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 342546000,
    "eval_count": 9,
    "eval_duration": 4535599000,
}


@dataclass(frozen=True, kw_only=True)
class Route:
    """A model as litellm names it.

    Attributes:
        base: what follows the server's address in `api_base`.
        at: the argument that takes the server's address.
    """

    model: str
    whole: Reply
    stream: Reply | None = None
    expected: Expected
    base: str = ""
    at: str = "api_base"
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def arguments(self, url: str) -> dict[str, Any]:
        key = {} if self.at != "api_base" else {"api_key": "sk-test"}
        return {"model": self.model, "messages": ASK, self.at: url + self.base, **key, **self.more}


def _like_openai(model: str, name: str, expected: Expected, *, base: str = "/v1", **more: Any) -> Route:
    usage = more.pop("usage", {})
    return Route(
        model=model,
        whole=as_json(openai_answer(name, **usage)),
        stream=openai_chunks(name, **usage),
        expected=expected,
        base=base,
        more=more,
    )


_USED = {"input_tokens": 1000, "output_tokens": 100}
_GPT = Expected(  # 1000 x 2.50 + 100 x 10.00 per million
    provider="openai", model="gpt-4o", served="gpt-4o-2024-08-06", usage=_USED, cost_usd="0.0035"
)
ROUTES: dict[str, Route] = {
    "openai": _like_openai("openai/gpt-4o", "gpt-4o-2024-08-06", _GPT),
    "azure": _like_openai(
        "azure/gpt-4o",
        "gpt-4o-2024-08-06",
        replace(_GPT, provider="azure.ai.openai"),
        base="",
        api_version="2024-10-21",
    ),
    "mistral": _like_openai(
        "mistral/mistral-large-latest",
        "mistral-large-latest",
        # 1000 x 0.50 + 100 x 1.50
        replace(_GPT, provider="mistral_ai", model="mistral-large-latest", served=None, cost_usd="0.00065"),
    ),
    "groq": _like_openai(
        "groq/llama-3.3-70b-versatile",
        "llama-3.3-70b-versatile",
        # 1000 x 0.59 + 100 x 0.79
        replace(_GPT, provider="groq", model="llama-3.3-70b-versatile", served=None, cost_usd="0.000669"),
    ),
    "deepseek": _like_openai(
        "deepseek/deepseek-chat",
        "deepseek-chat",
        Expected(  # 400 x 0.28 + 600 x 0.028 + 100 x 0.42
            provider="deepseek",
            model="deepseek-chat",
            usage={**_USED, "cache_read_tokens": 600},
            cost_usd="0.0001708",
        ),
        base="",
        usage={"prompt_cache_hit_tokens": 600, "prompt_cache_miss_tokens": 400},
    ),
    "openrouter-with-its-own-cost": _like_openai(
        "openrouter/openai/gpt-4o",
        "openai/gpt-4o",
        replace(_GPT, provider="openrouter", model="openai/gpt-4o", served=None, cost_usd="0.0031"),
        usage={"cost": 0.0031},
    ),
    "together": _like_openai(
        "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        # 1100 x 1.04
        replace(
            _GPT,
            provider="together",
            model="meta-llama/Llama-3.3-70B-Instruct-Turbo",
            served=None,
            cost_usd="0.001144",
        ),
    ),
    "xai": _like_openai(
        "xai/grok-4",
        "grok-4",
        replace(_GPT, provider="x_ai", model="grok-4", served=None, cost_usd="0.0045"),  # 1000 x 3 + 100 x 15
    ),
    "a-server-of-one-s-own": _like_openai(
        "hosted_vllm/gpt-4o",
        "gpt-4o",
        replace(_GPT, provider="vllm", served=None, cost_usd=None, status="unpriced"),
    ),
    "anthropic": Route(
        model="anthropic/claude-sonnet-4-5",
        whole=as_json(CLAUDE),
        stream=CLAUDE_EVENTS,
        expected=Expected(  # 400 x 3.00 + 600 x 0.30 + 100 x 15.00
            provider="anthropic",
            model="claude-sonnet-4-5",
            usage={**_USED, "cache_read_tokens": 600},
            cost_usd="0.00288",
            response_id="msg_01",
        ),
    ),
    "gemini": Route(
        model="gemini/gemini-2.5-flash",
        whole=as_json(GEMINI),
        stream=as_sse([GEMINI]),
        expected=Expected(  # 1000 x 0.30 + 700 x 2.50: thoughts are output
            provider="gcp.gemini",
            operation="generate_content",
            model="gemini-2.5-flash",
            usage={"input_tokens": 1000, "output_tokens": 700, "reasoning_tokens": 500},
            cost_usd="0.00205",
            response_id="kX4hae",
        ),
    ),
    "bedrock": Route(
        model="bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0",
        whole=as_json(CONVERSED),
        expected=Expected(  # in one region: 1000 x 3.30 + 100 x 16.50
            provider="aws.bedrock",
            model="anthropic.claude-sonnet-4-5-20250929-v1:0",
            usage=_USED,
            cost_usd="0.00495",
        ),
        at="aws_bedrock_runtime_endpoint",
    ),
    "cohere": Route(
        model="cohere_chat/command-a-03-2025",
        whole=as_json(COHERED),
        expected=Expected(  # billed units alone: 10 x 2.50 + 5 x 10.00
            provider="cohere",
            model="command-a-03-2025",
            usage={"input_tokens": 10, "output_tokens": 5},
            cost_usd="0.000075",
        ),
        base="/v2/chat",
    ),
    "ollama": Route(
        model="ollama_chat/llama3.2",
        whole=as_json(LLAMA),
        stream=as_lines(
            [
                {**{name: LLAMA[name] for name in ("model", "created_at", "message")}, "done": False},
                {**LLAMA, "message": {"role": "assistant", "content": ""}},
            ]
        ),
        expected=Expected(
            provider="ollama",
            model="llama3.2",
            usage={"input_tokens": 26, "output_tokens": 9, "gpu_milliseconds": 4884},
            cost_usd=None,
            status="unpriced",
        ),
    ),
}
