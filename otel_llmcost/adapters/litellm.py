"""litellm 1: every provider in one form, through the openai SDK, HTTP clients of its own, or its native route."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from otel_llmcost.adapters.anthropic import ANTHROPIC
from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.brokers import Entry, Errand, Native, both
from otel_llmcost.adapters.frameworks import argument, first_text, text
from otel_llmcost.adapters.mistral import MISTRAL
from otel_llmcost.adapters.openai import OPENAI
from otel_llmcost.core.attribution import Dimension

PROVIDERS: Mapping[str, str] = {
    **{
        name: name
        for name in (
            *("anthropic", "baseten", "cerebras", "cohere", "databricks", "deepinfra", "deepseek", "elevenlabs"),
            *("github", "groq", "huggingface", "hyperbolic", "meta_llama", "minimax", "novita", "nscale", "ollama"),
            *("openai", "openrouter", "ovhcloud", "perplexity", "replicate", "sambanova", "zai", "llamafile"),
            *("cloudflare", "vllm", "xinference", "triton", "lemonade", "oobabooga", "docker_model_runner"),
        )
    },
    "ai21_chat": "ai21",
    "anthropic_text": "anthropic",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_text": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "codestral": "mistral_ai",
    "cohere_chat": "cohere",
    "dashscope": "alibaba_cloud",
    "fireworks_ai": "fireworks",
    "gemini": "gcp.gemini",
    "github_copilot": "github-copilot",
    "hosted_vllm": "vllm",
    "jina_ai": "jina",
    "lambda_ai": "lambda",
    "lm_studio": "lmstudio",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "nvidia_nim": "nvidia",
    "ollama_chat": "ollama",
    "sagemaker": "aws.sagemaker",
    "sagemaker_chat": "aws.sagemaker",
    "text-completion-codestral": "mistral_ai",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "voyage": "voyageai",
    "watsonx": "ibm.watsonx.ai",
    "watsonx_text": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""Its word for a provider → ours. A gateway, or whatever speaks OpenAI's form, is no provider and not in here."""

_METADATA: Mapping[Dimension, tuple[str, ...]] = {
    "user": ("trace_user_id", "user_id", "user_api_key_end_user_id"),
    "session": ("session_id", "trace_session_id"),
    "agent": ("agent", "agent_name"),
    "task": ("task", "task_id"),
}
"""What loggers of traces read in a call's metadata."""


def errand(_instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Errand:
    """Read what one of its functions was called with."""
    return Errand(_provider(argument(args, kwargs, 0, "model"), kwargs.get("custom_llm_provider")), _tags(kwargs))


def _provider(model: Any, named: Any) -> str:
    """Tell who is meant, as it tells it: by a word of its own, else by what stands before the model's name."""
    word = text(named) or (text(model) or "").partition("/")[0]
    return PROVIDERS.get(word, "")


def _tags(kwargs: Mapping[str, Any]) -> Mapping[Dimension, str]:
    """Tell whom a call is for."""
    told = kwargs.get("metadata")
    found: dict[Dimension, str] = {}
    if isinstance(told, Mapping):
        for dimension, names in _METADATA.items():
            if value := first_text(told, *names):
                found[dimension] = value
    if user := text(kwargs.get("user")):
        found.setdefault("user", user)
    return found


def _id_of(made: Any) -> str:
    """Read the id of a call in what was set up for it: its logging and its arguments."""
    return text(getattr(made[0], "litellm_call_id", None)) or ""


def _tracers() -> list[Any]:
    """Find what litellm's own OpenTelemetry logger makes spans with, if it is at work."""
    library: Any = sys.modules.get("litellm")
    names = ("callbacks", "success_callback", "_async_success_callback")
    loggers = [each for name in names for each in getattr(library, name, ())]
    return [each.tracer for each in loggers if type(each).__name__ == "OpenTelemetry"]


def _asked_natively(body: Mapping[str, Any]) -> tuple[str, str]:
    model, named = text(body.get("model")) or "", body.get("custom_llm_provider")
    word, slash, name = model.partition("/")
    return (name if slash and word in PROVIDERS else model), _provider(model, named)


def _native(name: str, api: Api, path: str) -> dict[str, Native]:
    place = api.place(path)
    assert place is not None  # noqa: S101 -- one row names another
    return {
        prefix + name: Native(
            api=api,
            endpoint=place.endpoint,
            asked=_asked_natively,
            declined="RustBridgeDeclined",
            is_async=bool(prefix),
        )
        for prefix in ("", "a")
    }


_NATIVES = {
    **_native("messages", ANTHROPIC, "/v1/messages"),
    **_native("ocr", MISTRAL, "/v1/ocr"),
    **_native("transcription", OPENAI, "/v1/audio/transcriptions"),
    **_native("completion", OPENAI, "/v1/chat/completions"),
    **_native("responses", OPENAI, "/v1/responses"),
    **_native("embedding", OPENAI, "/v1/embeddings"),
}

_TWINS = (
    *("completion", "text_completion", "embedding", "responses", "rerank", "ocr"),
    *("image_generation", "image_edit", "image_variation", "transcription", "speech", "moderation"),
)
_STREAMS = "litellm.litellm_core_utils.streaming_handler"
_ROUTER = "litellm.router"

ENTRIES = (
    *(entry for name in _TWINS for entry in both("litellm", name, errand)),
    Entry(module="litellm", name="anthropic_messages", is_async=True, errand=errand),
    Entry(module="litellm", name="anthropic_messages_handler", errand=errand),
    Entry(module="litellm", name="completion_with_retries", errand=errand),
    Entry(module="litellm", name="acompletion_with_retries", is_async=True, errand=errand),
    Entry(module="litellm.utils", name="function_setup", part="naming", id_of=_id_of, tracers=_tracers),
    Entry(module="litellm.rust_bridge.bindings", name="NativeBinding.load", part="natives", natives=_NATIVES),
    # All that a router does passes these two, its retries and fallbacks included.
    Entry(module=_ROUTER, name="Router.function_with_fallbacks"),
    Entry(module=_ROUTER, name="Router.async_function_with_fallbacks", is_async=True),
    Entry(module=_STREAMS, name="CustomStreamWrapper.__init__", part="making"),
    Entry(module=_STREAMS, name="CustomStreamWrapper.fetch_sync_stream", part="opening"),
    Entry(module=_STREAMS, name="CustomStreamWrapper.fetch_stream", is_async=True, part="opening"),
    Entry(module=_STREAMS, name="CustomStreamWrapper.__next__", part="reading"),
    Entry(module=_STREAMS, name="CustomStreamWrapper.__anext__", is_async=True, part="reading"),
)
