"""Connections on which many answers are made: OpenAI's realtime API, and its responses over a websocket."""

from __future__ import annotations

from dataclasses import dataclass

from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.endpoint import Endpoint
from otel_llmcost.adapters.openai import OPENAI, RESPONSES
from otel_llmcost.adapters.usage_at import UsageAt

REALTIME = Endpoint(
    path="/realtime",
    operation="chat",
    dialect="openai.responses",
    usage=UsageAt(
        where=("usage",),
        counts={
            "input_tokens": ("input_tokens",),
            "input_audio_tokens": ("input_token_details.audio_tokens",),
            "input_image_tokens": ("input_token_details.image_tokens",),
            "cache_read_tokens": ("input_token_details.cached_tokens",),
            "cache_read_audio_tokens": ("input_token_details.cached_tokens_details.audio_tokens",),
            "cache_read_image_tokens": ("input_token_details.cached_tokens_details.image_tokens",),
            "output_tokens": ("output_tokens",),
            "output_audio_tokens": ("output_token_details.audio_tokens",),
        },
    ),
    caps=("max_output_tokens",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A kind of connection, by the events that pass on it."""

    module: str
    """Patched when the app imports it."""
    connection: str
    """The class whose `send` takes an event, and whose `recv_bytes` gives one as JSON."""
    is_async: bool
    api: Api
    endpoint: Endpoint
    asks: str = "response.create"
    """Type of an event that asks for an answer."""
    starts: str = "response.created"
    """Type of an event that tells that an answer is being made, asked for or not."""
    ends: tuple[str, ...]
    """Types of events that tell what an answer came to."""
    names: tuple[str, ...] = ("session.created", "session.updated")
    """Types of events that name the model, under `session`."""
    answer: str = "response"
    """Field of an event that holds the answer, or what is asked for."""


_REALTIME_MODULES = ("openai.resources.realtime.realtime", "openai.resources.beta.realtime.realtime")
_ANSWERED = ("response.completed", "response.incomplete", "response.failed")

SESSIONS = (
    *(
        Session(
            module=module,
            connection=f"{prefix}RealtimeConnection",
            is_async=bool(prefix),
            api=OPENAI,
            endpoint=REALTIME,
            ends=("response.done",),
        )
        for module in _REALTIME_MODULES
        for prefix in ("", "Async")
    ),
    *(
        Session(
            module="openai.resources.responses.responses",
            connection=f"{prefix}ResponsesConnection",
            is_async=bool(prefix),
            api=OPENAI,
            endpoint=RESPONSES,
            ends=_ANSWERED,
            names=(),
        )
        for prefix in ("", "Async")
    ),
)
