"""google-genai 1 to 3, and whoever else speaks to the Gemini API or to Vertex AI, by whatever HTTP client.

A tool loop that the SDK runs by itself is several requests, and each is a call. `countTokens` is free, and no row.
"""

from __future__ import annotations

from collections.abc import Mapping

from otel_llmcost.adapters.anthropic import MESSAGES
from otel_llmcost.adapters.base import Api, ClientSdk
from otel_llmcost.adapters.endpoint import ChunkShape, Endpoint
from otel_llmcost.adapters.openai import chat
from otel_llmcost.adapters.usage_at import Kind, UsageAt
from otel_llmcost.core.usage import Unit

GEMINI_HOSTS = {"generativelanguage*.googleapis.com": "gcp.gemini"}
VERTEX_HOSTS = {"*aiplatform*.googleapis.com": "gcp.vertex_ai"}
"""With and without a region before it, a group of regions or `mtls` behind it."""

_TIER_HEADERS = ("x-gemini-service-tier",)


def _modality(kind: str, *items: str) -> tuple[Kind, ...]:
    return tuple(Kind(each, "modality", kind, "tokenCount") for each in items)


_IN = ("promptTokensDetails", "toolUsePromptTokensDetails")
_OUT = ("candidatesTokensDetails", "responseTokensDetails")
_CACHED = ("cacheTokensDetails",)
_MODALITIES: Mapping[Unit, tuple[Kind, ...]] = {
    "input_audio_tokens": _modality("AUDIO", *_IN),
    "input_image_tokens": _modality("IMAGE", *_IN),
    "input_video_tokens": _modality("VIDEO", *_IN),
    "cache_read_audio_tokens": _modality("AUDIO", *_CACHED),
    "cache_read_image_tokens": _modality("IMAGE", *_CACHED),
    "output_audio_tokens": _modality("AUDIO", *_OUT),
    "output_image_tokens": _modality("IMAGE", *_OUT),
    "output_video_tokens": _modality("VIDEO", *_OUT),
}
_COUNTS: Mapping[Unit, tuple[str, ...]] = {
    # what tools of Google's own fetched is read as input, and no part of the prompt's count
    "input_tokens": ("promptTokenCount", "toolUsePromptTokenCount"),
    "cache_read_tokens": ("cachedContentTokenCount",),
    # thoughts are paid as output, and no part of the candidates' count; Live says response for candidates
    "output_tokens": ("candidatesTokenCount", "responseTokenCount", "thoughtsTokenCount"),
    "reasoning_tokens": ("thoughtsTokenCount",),
}


def _generated(*once: Unit) -> UsageAt:
    return UsageAt(
        where=("usageMetadata",),
        counts=_COUNTS,
        kinds=_MODALITIES,
        lengths={"web_searches": ("candidates.0.groundingMetadata.webSearchQueries", "")},
        having={"maps_searches": ("candidates.0.groundingMetadata.groundingChunks", "maps")},
        once=once,
    )


_CAPS = tuple(
    f"{settings}.{cap}"
    for settings in ("generationConfig", "generation_config")
    for cap in ("maxOutputTokens", "max_output_tokens")
)
"""Google takes either spelling, and litellm mixes them."""
_BEFORE_GEMINI_3 = ("gemini-1", "gemini-2", "gemini-pro")
_USAGE_BEFORE_GEMINI_3 = _generated("web_searches", "maps_searches")
"""Grounded prompts are billed, with however many searches."""
_USAGE = _generated("maps_searches")
"""From Gemini 3 on each search is billed."""


def _content(verb: str, *, parent: str) -> tuple[Endpoint, ...]:
    """Return the rows of generating content; `parent` is what stands before the model's name."""
    return tuple(
        Endpoint(
            path=f"{parent}{{model}}:{verb}",
            models=models,
            operation="generate_content",
            dialect="gemini.contents",
            usage=usage,
            caps=_CAPS,
            choices="generationConfig.candidateCount",
            tier=("usageMetadata.trafficType", "usageMetadata.serviceTier"),
            tier_headers=_TIER_HEADERS,
            asked_tier=("serviceTier", "service_tier"),
            chunk=ChunkShape(
                text=("candidates.0.content.parts.0.text",),
                words=('"finishReason"', '"groundingMetadata"', '"error"'),
                errors=("error.status", "error.message"),
                is_cumulative=True,
            ),
            streams=verb.startswith("stream"),
            served=("modelVersion",),
            ids=("responseId",),
        )
        for models, usage in ((_BEFORE_GEMINI_3, _USAGE_BEFORE_GEMINI_3), ((), _USAGE))
    )


_EMBEDDED = UsageAt(
    where=("usageMetadata", ""),
    counts=_COUNTS,
    kinds={
        **_MODALITIES,
        "input_tokens": (
            Kind("embeddings", "", "", "statistics.token_count"),
            Kind("predictions", "", "", "embeddings.statistics.token_count"),  # as `predict` answers
        ),
    },
)


LIVE = Endpoint(
    path="/live",
    operation="generate_content",
    dialect="gemini.contents",
    usage=_USAGE,
    tier=("usageMetadata.trafficType", "usageMetadata.serviceTier"),
    served=(),
    ids=(),
)
"""One answer on a Live session, which is no request: see `instrumentation.live`."""


def _embedded(verb: str, *, parent: str) -> Endpoint:
    return Endpoint(
        path=f"{parent}{{model}}:{verb}",
        operation="embeddings",
        dialect="gemini.embed",
        parts="requests",
        usage=_EMBEDDED,
        has_output=False,
        tier=("usageMetadata.trafficType",),
        tier_headers=_TIER_HEADERS,
        served=(),
        ids=(),
    )


def _predicted(operation: str, usage: UsageAt, *models: str, parent: str) -> Endpoint:
    return Endpoint(
        path=f"{parent}{{model}}:predict",
        models=models,
        operation=operation,
        dialect="gemini.predict",
        usage=usage,
        has_output=False,
        served=(),
        ids=(),
    )


_IMAGES = UsageAt(where=("",), counts={}, having={"images": ("predictions", "mimeType")})
"""An image that was filtered out is not paid, and has no type."""
_EMBEDDINGS = UsageAt(
    where=("",),
    counts={"characters": ("metadata.billableCharacterCount",)},
    kinds={"input_tokens": (Kind("predictions", "", "", "embeddings.statistics.token_count"),)},
)


def _interactions(path: str) -> Endpoint:
    def tokens(kind: str, *items: str) -> tuple[Kind, ...]:
        return tuple(Kind(f"{each}_tokens_by_modality", "modality", kind, "tokens") for each in items)

    return Endpoint(
        path=path,
        operation="generate_content",
        dialect="gemini.interactions",
        usage=UsageAt(
            where=("usage",),
            counts={
                "input_tokens": ("total_input_tokens", "total_tool_use_tokens"),
                "cache_read_tokens": ("total_cached_tokens",),
                "output_tokens": ("total_output_tokens", "total_thought_tokens"),
                "reasoning_tokens": ("total_thought_tokens",),
            },
            kinds={
                "input_audio_tokens": tokens("audio", "input", "tool_use"),
                "input_image_tokens": tokens("image", "input", "tool_use"),
                "input_video_tokens": tokens("video", "input", "tool_use"),
                "cache_read_audio_tokens": tokens("audio", "cached"),
                "cache_read_image_tokens": tokens("image", "cached"),
                "output_audio_tokens": tokens("audio", "output"),
                "output_image_tokens": tokens("image", "output"),
                "output_video_tokens": tokens("video", "output"),
                "web_searches": (Kind("grounding_tool_count", "type", "google_search", "count"),),
                "maps_searches": (Kind("grounding_tool_count", "type", "google_maps", "count"),),
            },
        ),
        caps=("generation_config.max_output_tokens",),
        tier=("service_tier",),
        tier_headers=_TIER_HEADERS,
        chunk=ChunkShape(
            text=("delta.text",),
            end_key="event_type",
            ends=frozenset({"interaction.completed"}),
            answer=("interaction",),
            words=('"interaction.completed"', '"error"'),
            are_ends_told=True,
            errors=("error.code", "error.message"),
        ),
        model=("model", "agent"),
        served=("model",),
    )


def _claude(verb: str) -> Endpoint:
    return Endpoint(
        path=f"/publishers/anthropic/models/{{model}}:{verb}",
        models=("claude",),  # `count-tokens:rawPredict` is free
        operation=MESSAGES.operation,
        dialect=MESSAGES.dialect,
        usage=MESSAGES.usage,
        caps=MESSAGES.caps,
        thinking=MESSAGES.thinking,
        tier=MESSAGES.tier,
        chunk=MESSAGES.chunk,
        streams=verb.startswith("stream"),
    )


def _others(verb: str) -> Endpoint:
    row = chat(asks_usage=False)
    return Endpoint(
        path=f"/publishers/mistralai/models/{{model}}:{verb}",
        operation=row.operation,
        dialect=row.dialect,
        usage=row.usage,
        caps=row.caps,
        cap_at=row.cap_at,
        choices=row.choices,
        chunk=row.chunk,
        streams=verb.startswith("stream"),
    )


_PUBLISHED = "/publishers/google/models/"
_TUNED = "/endpoints/"
_MODEL = "/models/"
_TUNED_MODEL = "/tunedModels/"

VERTEX = Api(
    name="google-genai",
    provider="gcp.vertex_ai",
    hosts=VERTEX_HOSTS,
    agents=("google-genai-sdk",),
    is_common=True,
    endpoints=(
        *(row for parent in (_PUBLISHED, _TUNED) for row in _content("generateContent", parent=parent)),
        *(row for parent in (_PUBLISHED, _TUNED) for row in _content("streamGenerateContent", parent=parent)),
        _embedded("embedContent", parent=_PUBLISHED),
        _embedded("batchEmbedContents", parent=_PUBLISHED),
        _predicted("image_generation", _IMAGES, "imagen", "imagegeneration", "image-segmentation", parent=_PUBLISHED),
        _predicted("embeddings", _EMBEDDINGS, "embedding", "textembedding", parent=_PUBLISHED),
        *(_claude(verb) for verb in ("rawPredict", "streamRawPredict")),
        *(_others(verb) for verb in ("rawPredict", "streamRawPredict")),
        _interactions("/locations/{id}/interactions"),
    ),
)

GEMINI = Api(
    name="google-genai",
    provider="gcp.gemini",
    hosts=GEMINI_HOSTS,
    agents=("google-genai-sdk",),
    is_common=True,
    endpoints=(
        *(row for parent in (_MODEL, _TUNED_MODEL) for row in _content("generateContent", parent=parent)),
        *(row for parent in (_MODEL, _TUNED_MODEL) for row in _content("streamGenerateContent", parent=parent)),
        _embedded("embedContent", parent=_MODEL),
        _embedded("batchEmbedContents", parent=_MODEL),
        _predicted("image_generation", _IMAGES, "imagen", parent=_MODEL),
        _interactions("/interactions"),
    ),
)

INTERACTIONS = ClientSdk(
    name="google-interactions",
    module="google.genai._interactions._base_client",
    within="google-genai",
    provider="gcp.gemini",
    hosts={**GEMINI_HOSTS, **VERTEX_HOSTS},
    endpoints=(_interactions("/interactions"),),
)
"""The client for interactions within google-genai 1 and early 2, which makes errors of its own of others'."""
