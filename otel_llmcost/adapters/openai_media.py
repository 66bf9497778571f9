"""OpenAI beside text: images, sound, film, moderation."""

from __future__ import annotations

from otel_llmcost.adapters.endpoint import ChunkShape, Endpoint
from otel_llmcost.adapters.usage_at import UsageAt

_IMAGES_USAGE = UsageAt(
    where=("usage", ""),
    counts={
        "input_tokens": ("input_tokens",),
        "input_image_tokens": ("input_tokens_details.image_tokens",),
        "cache_read_tokens": ("input_tokens_details.cached_tokens",),
        "output_tokens": ("output_tokens",),
        "output_image_tokens": ("output_tokens_details.image_tokens",),
    },
    lengths={"images": ("data", "")},  # what models before gpt-image are paid by
)
_SPEECH_USAGE = UsageAt(
    where=("usage",), counts={"input_tokens": ("input_tokens",), "output_tokens": ("output_tokens",)}
)
_TRANSCRIPT_USAGE = UsageAt(
    where=("usage", "x_groq.usage", ""),
    counts={
        "input_tokens": ("input_tokens",),
        "input_audio_tokens": ("input_token_details.audio_tokens",),
        "output_tokens": ("output_tokens",),
        "audio_milliseconds": ("seconds", "duration"),  # older models say it beside the text, if asked to be verbose
    },
    scales={"seconds": 1000, "duration": 1000},
)


def _images(verb: str) -> Endpoint:
    return Endpoint(
        path=f"/images/{verb}",
        operation="image_generation",
        dialect="openai.images",
        usage=_IMAGES_USAGE,
        asked_tier=("size", "quality"),
        choices="n",
        has_output=False,
        chunk=ChunkShape(text=(), ends=frozenset({"image_generation.completed", "image_edit.completed"})),
        unnamed="dall-e-2",
    )


def transcription(verb: str) -> Endpoint:
    """Return the row of sound made to text, for OpenAI and for those who copied it."""
    return Endpoint(
        path=f"/audio/{verb}",
        operation="transcription",
        dialect="openai.transcription",
        usage=_TRANSCRIPT_USAGE,
        asked_tier=(),
        ids=("id", "x_groq.id"),
        chunk=ChunkShape(text=("delta",), ends=frozenset({"transcript.text.done"})),
    )


def speech() -> Endpoint:
    """Return the row of text made to sound; an answer of nothing but sound says nothing of its usage."""
    return Endpoint(
        path="/audio/speech",
        operation="speech",
        dialect="openai.speech",
        usage=_SPEECH_USAGE,
        as_asked=("characters",),
        asked_tier=(),
        has_output=False,
        chunk=ChunkShape(text=(), ends=frozenset({"speech.audio.done"})),
    )


MEDIA = (
    _images("generations"),
    _images("edits"),
    _images("variations"),
    speech(),
    transcription("transcriptions"),
    transcription("translations"),
    Endpoint(
        path="/videos",
        operation="video_generation",
        dialect="openai.videos",
        usage=UsageAt(where=("",), counts={"video_milliseconds": ("seconds",)}, scales={"seconds": 1000}),
        as_asked=("video_milliseconds",),
        asked_tier=("size",),
        has_output=False,
        unnamed="sora-2",
    ),
    Endpoint(
        path="/moderations",
        operation="moderation",
        dialect="openai.embeddings",
        usage=UsageAt(where=("",), counts={}, lengths={"requests": ("results", "")}),
        has_output=False,
        unnamed="omni-moderation-latest",
    ),
)
