"""Answers of the Gemini API and Vertex AI as they are documented, and what must be charged for them."""

from __future__ import annotations

from typing import Any

from tests.replay.exchange import Expected

MODEL = "gemini-2.5-flash"
# USD per million tokens: input 0.30 (audio 1.00), cached 0.03 (audio 0.10), output 2.50, thoughts included


def content(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}
    return {"candidates": [candidate if finish is None else {**candidate, "finishReason": finish}]}


def answer(usage: dict[str, Any], *parts: dict[str, Any], model: str = MODEL, **more: Any) -> dict[str, Any]:
    found = {
        **content(*(parts or ({"text": "Ein Fjord ist ein schmaler Meeresarm."},)), **more),
        "usageMetadata": usage,
        "modelVersion": model,
        "responseId": "kX4hae-ZMYa3vdIPz9Lh6AU",
    }
    return {name: value for name, value in found.items() if value != {}}


def details(**modalities: int) -> list[dict[str, Any]]:
    return [{"modality": name.upper(), "tokenCount": count} for name, count in modalities.items()]


def expected(cost_usd: str | None, usage: dict[str, int], **more: Any) -> Expected:
    told: dict[str, Any] = {
        "provider": "gcp.gemini",
        "operation": "generate_content",
        "model": MODEL,
        "served": MODEL,
        "response_id": "kX4hae-ZMYa3vdIPz9Lh6AU",
        **more,
    }
    return Expected(usage=usage, cost_usd=cost_usd, **told)


PLAIN = {
    "promptTokenCount": 1000,
    "candidatesTokenCount": 200,
    "totalTokenCount": 1200,
    "promptTokensDetails": details(text=1000),
}
CALL = {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}}

CASES: dict[str, tuple[dict[str, Any], Expected]] = {
    "plain": (
        answer(PLAIN),
        expected("0.0008", {"input_tokens": 1000, "output_tokens": 200}),  # 1000 x 0.30 + 200 x 2.50
    ),
    "thoughts-are-output-and-no-part-of-the-candidates": (
        answer({**PLAIN, "thoughtsTokenCount": 500, "totalTokenCount": 1700}),
        # 1000 x 0.30 + 700 x 2.50
        expected("0.00205", {"input_tokens": 1000, "output_tokens": 700, "reasoning_tokens": 500}),
    ),
    "nothing-but-thoughts": (
        answer({"promptTokenCount": 1000, "thoughtsTokenCount": 300, "totalTokenCount": 1300}, finish="MAX_TOKENS"),
        expected("0.00105", {"input_tokens": 1000, "output_tokens": 300, "reasoning_tokens": 300}),
    ),
    "what-tools-fetched-is-input": (
        answer(
            {
                **PLAIN,
                "toolUsePromptTokenCount": 4000,
                "toolUsePromptTokensDetails": details(text=4000),
                "totalTokenCount": 5200,
            }
        ),
        expected("0.002", {"input_tokens": 5000, "output_tokens": 200}),  # 5000 x 0.30 + 200 x 2.50
    ),
    "cached-is-inside-the-prompt": (
        answer({**PLAIN, "cachedContentTokenCount": 600, "cacheTokensDetails": details(text=600)}),
        # 400 x 0.30 + 600 x 0.03 + 200 x 2.50
        expected("0.000638", {"input_tokens": 1000, "cache_read_tokens": 600, "output_tokens": 200}),
    ),
    "sound-and-pictures": (
        answer(
            {
                "promptTokenCount": 1558,
                "candidatesTokenCount": 200,
                "cachedContentTokenCount": 300,
                "promptTokensDetails": details(text=800, audio=500, image=258),
                "cacheTokensDetails": details(text=200, audio=100),
                "totalTokenCount": 1758,
            }
        ),
        # fresh: 600 text + 258 image x 0.30, 400 sound x 1.00; cached: 200 x 0.03, 100 sound x 0.10; 200 x 2.50
        expected(
            "0.0011734",
            {
                "input_tokens": 1558,
                "cache_read_tokens": 300,
                "cache_read_audio_tokens": 100,
                "input_audio_tokens": 500,
                "input_image_tokens": 258,
                "output_tokens": 200,
            },
        ),
    ),
    "a-film": (
        answer(
            {
                "promptTokenCount": 5260,
                "candidatesTokenCount": 200,
                "promptTokensDetails": details(video=5000, text=260),
                "totalTokenCount": 5460,
            }
        ),
        expected("0.002078", {"input_tokens": 5260, "input_video_tokens": 5000, "output_tokens": 200}),
    ),
    "a-tool-is-called": (
        answer(PLAIN, CALL),
        expected("0.0008", {"input_tokens": 1000, "output_tokens": 200}),
    ),
    "a-prompt-is-grounded-once-however-many-searches-it-takes": (
        answer(PLAIN, groundingMetadata={"webSearchQueries": ["fjord", "what is a fjord"], "groundingChunks": []}),
        # 0.0008 and 35.00 per 1,000 grounded prompts
        expected("0.0358", {"input_tokens": 1000, "output_tokens": 200, "web_searches": 1}),
    ),
    "blocked": (
        {
            "promptFeedback": {"blockReason": "SAFETY"},
            "usageMetadata": {"promptTokenCount": 1000, "totalTokenCount": 1000},
            "modelVersion": MODEL,
            "responseId": "kX4hae-ZMYa3vdIPz9Lh6AU",
        },
        expected("0.0003", {"input_tokens": 1000}),
    ),
    "zero": (
        answer({"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0}),
        expected("0", {}),
    ),
    "odd-numbers-are-none": (
        answer({"promptTokenCount": 1000, "candidatesTokenCount": "200", "thoughtsTokenCount": None}),
        expected("0.0003", {"input_tokens": 1000}),
    ),
}


def pieces(usage: dict[str, Any], *texts: str) -> list[dict[str, Any]]:
    """Return a stream's events: each tells all so far, only the last one says that it is the last."""
    said = texts or ("Ein Fjord", " ist ein schmaler", " Meeresarm.")
    events: list[dict[str, Any]] = []
    for number, text in enumerate(said, 1):
        is_last = number == len(said)
        so_far = {"promptTokenCount": usage["promptTokenCount"], "candidatesTokenCount": number}
        events.append(
            {
                **content({"text": text}, finish="STOP" if is_last else None),
                "usageMetadata": usage if is_last else so_far,
                "modelVersion": MODEL,
                "responseId": "kX4hae-ZMYa3vdIPz9Lh6AU",
            }
        )
    return events
