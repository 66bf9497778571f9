"""OpenAI beside text: images, sound, moderation, film, and the fees of tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.instrumentation.conftest import Process
from tests.replay import needs
from tests.replay.exchange import Expected, check
from tests.replay.server import ReplayServer, Reply, as_json

Call = Callable[[openai.OpenAI], Any]

IMAGES_USAGE = {
    "total_tokens": 1100,
    "input_tokens": 100,
    "input_tokens_details": {"text_tokens": 60, "image_tokens": 40},
    "output_tokens": 1000,
    "output_tokens_details": {"image_tokens": 1000, "text_tokens": 0},
}
IMAGE = {"created": 1789000000, "data": [{"b64_json": "aGk="}], "size": "1024x1024", "quality": "high"}
SOUND = b"RIFF\x24\x00\x00\x00WAVEfmt "


def responses(output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    usage = {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 100,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 1100,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1789000000,
        "status": "completed",
        "model": "gpt-4o-2024-08-06",
        "output": output,
        "usage": usage,
        **more,
    }


def searched(kind: str) -> dict[str, Any]:
    action = {"type": kind, "query": "price"} if kind == "search" else {"type": kind, "url": "https://example.com"}
    return {"id": f"ws_{kind}", "type": "web_search_call", "status": "completed", "action": action}


EXCHANGES = [
    pytest.param(
        as_json({**IMAGE, "usage": IMAGES_USAGE}),
        lambda ours: ours.images.generate(model="gpt-image-1", prompt="A cat", size="1024x1024", quality="high"),
        Expected(
            provider="openai",
            operation="image_generation",
            model="gpt-image-1",
            usage={
                "input_tokens": 100,
                "input_image_tokens": 40,
                "output_tokens": 1000,
                "output_image_tokens": 1000,
                "images": 1,
            },
            cost_usd="0.0407",  # 60 x 5.00 + 40 x 10.00 + 1000 x 40.00 per million
        ),
        id="image-by-its-tokens",
    ),
    pytest.param(
        as_json({"created": 1789000000, "data": [{"url": "https://x/1"}]}),
        lambda ours: ours.images.generate(model="dall-e-3", prompt="A cat", size="1024x1792", quality="hd"),
        Expected(
            provider="openai",
            operation="image_generation",
            model="dall-e-3",
            usage={"images": 1},
            cost_usd="0.12",  # one of 1024 x 1792 in HD
        ),
        id="image-by-size-and-quality",
    ),
    pytest.param(
        as_json({**IMAGE, "usage": IMAGES_USAGE}),
        lambda ours: ours.images.edit(model="gpt-image-1", image=("a.png", b"png"), prompt="A hat on it"),
        Expected(
            provider="openai",
            operation="image_generation",
            model="gpt-image-1",
            usage={
                "input_tokens": 100,
                "input_image_tokens": 40,
                "output_tokens": 1000,
                "output_image_tokens": 1000,
                "images": 1,
            },
            cost_usd="0.0407",
        ),
        id="image-sent-as-a-form",
    ),
    pytest.param(
        Reply(content_type="audio/wav", body=SOUND * 50),
        lambda ours: ours.audio.speech.create(model="tts-1", voice="alloy", input="x" * 1000).read(),
        Expected(
            provider="openai",
            operation="speech",
            model="tts-1",
            usage={"characters": 1000},
            cost_usd="0.015",  # 1000 x 15.00 per million characters
        ),
        id="speech-by-its-characters",
    ),
    pytest.param(
        as_json({"text": "Hello", "usage": {"type": "duration", "seconds": 90}}),
        lambda ours: ours.audio.transcriptions.create(model="whisper-1", file=("a.wav", SOUND)),
        Expected(
            provider="openai",
            operation="transcription",
            model="whisper-1",
            usage={"audio_milliseconds": 90_000},
            cost_usd="0.009",  # 1.5 minutes x 0.006
        ),
        id="transcription-by-its-length",
    ),
    pytest.param(
        as_json(
            {
                "text": "Hello",
                "usage": {
                    "type": "tokens",
                    "input_tokens": 1000,
                    "input_token_details": {"text_tokens": 100, "audio_tokens": 900},
                    "output_tokens": 50,
                    "total_tokens": 1050,
                },
            }
        ),
        lambda ours: ours.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", SOUND)),
        Expected(
            provider="openai",
            operation="transcription",
            model="gpt-4o-transcribe",
            usage={"input_tokens": 1000, "input_audio_tokens": 900, "output_tokens": 50},
            cost_usd="0.00615",  # 100 x 2.50 + 900 x 6.00 + 50 x 10.00 per million
        ),
        id="transcription-by-its-tokens",
    ),
    pytest.param(
        as_json({"id": "modr-1", "model": "omni-moderation-latest", "results": [{"flagged": False}]}),
        lambda ours: ours.moderations.create(input="Hello"),
        Expected(
            provider="openai",
            operation="moderation",
            model="omni-moderation-latest",
            usage={"requests": 1},
            cost_usd="0",
        ),
        id="moderation-is-free",
    ),
    pytest.param(
        as_json(responses([searched("search"), searched("open_page"), searched("search")])),
        lambda ours: ours.responses.create(model="gpt-4o", input="Search", tools=[{"type": "web_search"}]),
        Expected(
            provider="openai",
            model="gpt-4o",
            usage={"input_tokens": 1000, "output_tokens": 100, "web_searches": 2},
            cost_usd="0.0235",  # 1000 x 2.50 + 100 x 10.00 per million, 2 searches x 10.00 per thousand
        ),
        id="searches-but-not-pages-that-were-opened",
        marks=needs.responses,
    ),
    pytest.param(
        as_json(responses([], service_tier="flex", model="o3-2025-04-16")),
        lambda ours: ours.responses.create(model="o3", input="Think", service_tier="flex"),
        Expected(
            provider="openai",
            model="o3",
            usage={"input_tokens": 1000, "output_tokens": 100},
            cost_usd="0.0014",  # 1000 x 1.00 + 100 x 4.00 per million
            tier="flex",
        ),
        id="flex",
        marks=needs.responses,
    ),
]


@pytest.mark.parametrize(("reply", "call", "expected"), EXCHANGES)
def test_what_is_no_chat_is_charged_by_its_own_measure(
    process: Process, replay: ReplayServer, reply: Reply, call: Call, expected: Expected
):
    replay.replies = [reply]

    with openai.OpenAI(api_key="k", base_url=f"{replay.url}/v1", max_retries=0) as ours:
        call(ours)

    check(process.charge, expected)
    assert len(process.spans) == 1
