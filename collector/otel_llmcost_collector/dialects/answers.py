"""What the JSON in an attribute tells: a provider's answer, its usage, or another product's own form of one.

Only what is needed is taken out, and nothing of it is kept; texts that are too long are not read at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import msgspec

from otel_llmcost.adapters import APIS, SDKS
from otel_llmcost.adapters.endpoint import Endpoint, tier_of
from otel_llmcost.adapters.getters import is_list
from otel_llmcost.core.usage import Unit
from otel_llmcost_collector.dialects.counting import Counts, whole
from otel_llmcost_collector.dialects.row import Form

MOST_CHARACTERS = 1_000_000
"""Of a text that is read; embeddings of a large batch are longer, and their tokens are told beside them."""


class Told(NamedTuple):
    """What such a text says, canonically."""

    counts: Mapping[Unit, int] | None = None
    """None: nothing, or nothing that can be understood."""
    response_id: str | None = None
    model: str | None = None
    tier: str | None = None
    operation: str | None = None
    cost_usd: float | None = None
    """What whoever answered says it costs."""


_NOTHING = Told()


class _Answer(msgspec.Struct, gc=False):
    """The fields of all providers' answers that are looked at; what else there is, is passed over unread."""

    id: Any = None
    response_id: Any = None
    responseId: Any = None  # noqa: N815 -- Google's name for it
    model: Any = None
    object: Any = None
    type: Any = None
    service_tier: Any = None
    usage: Any = None
    usage_metadata: Any = None
    usageMetadata: Any = None  # noqa: N815 -- Google's name for it
    meta: Any = None
    output: msgspec.Raw = msgspec.Raw()
    created: Any = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    data: msgspec.Raw = msgspec.Raw()


class _Fields(msgspec.Struct, gc=False):
    """An answer that another text is wrapped around."""

    data: _Answer


_answers = msgspec.json.Decoder(_Answer)
_wrapped = msgspec.json.Decoder(_Fields)
_any = msgspec.json.Decoder(dict[str, Any])


def _row(api: str, path: str) -> Endpoint:
    return next(each for row in (*SDKS, *APIS) if row.name == api for each in row.endpoints if each.path == path)


_MODIFIERS = ("service_tier", "speed", "inference_geo")
_ONLY_HERE = ("billed_units", "cache_creation_input_tokens", "iterations")

_CHAT = _row("openai", "/chat/completions")
_RESPONSES = _row("openai", "/responses")
_IMAGES = _row("openai", "/images/generations")
_MESSAGES = _row("anthropic", "/v1/messages")
_COHERE = _row("cohere", "/v2/chat")


def told_by(text: object, form: Form, provider: str, *, is_known: bool = False) -> Told:
    """Read such a text; one that is broken, cut off or too long tells nothing.

    Args:
        text: value of the attribute.
        form: of it.
        provider: who is paid.
        is_known: input and output are told elsewhere, so an answer is read only for what is told nowhere else.
    """
    if type(text) is not str or len(text) > MOST_CHARACTERS or not text.startswith("{"):
        return _NOTHING
    try:
        if form == "answer":
            return _of_answer(_answers.decode(text), text, is_known=is_known)
        return _in_form(_any.decode(_as_json(text) if form == "python" else text), form, provider)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _NOTHING


def _in_form(told: dict[str, Any], form: Form, provider: str) -> Told:
    if form == "metadata":
        return _of_metadata(told)
    if form == "buckets":
        return Told(counts=_of_buckets(told))
    return Told(counts=_of_details(told)) if form == "details" else _of_usage(told, provider)


def _of_answer(answer: _Answer, text: str, *, is_known: bool) -> Told:
    if answer.usage is None and answer.id is None and text.startswith('{"data": {'):
        answer = _wrapped.decode(text).data
    is_needed = not is_known or _tells_more(answer)
    counts, operation = _counted(answer) if is_needed else (None, None)
    usage = _object(answer.usage)
    words = (answer.service_tier, *map(usage.get, _MODIFIERS))
    return Told(
        counts=counts,
        response_id=_text(answer.id) or _text(answer.response_id) or _text(answer.responseId),
        model=_text(answer.model),
        tier=tier_of([word for word in words if type(word) is str]),
        operation=operation,
        cost_usd=_number(usage.get("cost")),
    )


def _tells_more(answer: _Answer) -> bool:
    """Tell whether an answer has what no attribute tells: billed units, how long a cache is kept, searches."""
    usage = _object(answer.usage)
    return (
        any(usage.get(name) for name in _ONLY_HERE)
        or any(_object(usage.get("server_tool_use")).values())
        or "billed_units" in _object(answer.meta)
        or b"_search_call" in bytes(answer.output)
    )


def _whole(answer: _Answer) -> dict[str, Any]:
    """Return the parts of an answer that a row reads; its contents only where they are counted."""
    output = msgspec.json.decode(answer.output) if b"_search_call" in bytes(answer.output) else None
    return {"usage": answer.usage, "meta": answer.meta, "output": output}


def _counted(answer: _Answer) -> tuple[Mapping[Unit, int] | None, str | None]:
    usage = _object(answer.usage)
    if usage:
        endpoint, operation = _speaks(answer, usage)
        return (None if endpoint is None else _read(endpoint, _whole(answer))), operation
    if "billed_units" in _object(answer.meta):
        return _read(_COHERE, _whole(answer)), None
    told = _object(answer.usage_metadata or answer.usageMetadata)
    if told:
        return _of_google(told), None
    return _of_ollama(answer), None


def _speaks(answer: _Answer, usage: dict[str, Any]) -> tuple[Endpoint | None, str | None]:
    """Tell whose usage it is by the fields that only theirs has."""
    if "billed_units" in usage:
        return _COHERE, None
    if "prompt_tokens" in usage:
        return _CHAT, None
    if answer.type == "message" or "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage:
        return _MESSAGES, None
    if "input_tokens_details" in usage and answer.object is None and answer.created is not None:
        return _IMAGES, "image_generation"
    return (_RESPONSES, None) if answer.object == "response" or "input_tokens_details" in usage else (None, None)


def _of_usage(usage: dict[str, Any], provider: str) -> Told:
    is_claude = provider == "anthropic"
    answer = _Answer(usage=usage, type="message" if is_claude else None)
    if "image_tokens" in (usage.get("output_tokens_details") or ()):
        answer.created = True
    counts, operation = _counted(answer)
    if "prompt_tokens" in usage and (written := whole(usage.get("cache_creation_input_tokens"))):
        with_written: Counts = {**(counts or {}), "cache_write_tokens": written}  # as LiteLLM has it, inside the prompt
        counts = with_written
    words = [usage.get(name) for name in _MODIFIERS] if is_claude else ()
    tier = tier_of(word for word in words if type(word) is str)
    return Told(counts=counts, tier=tier, operation=operation, cost_usd=_number(usage.get("cost")))


def _of_metadata(told: dict[str, Any]) -> Told:
    """Read what a provider tells beyond the counts that all have."""
    tiers = (_object(each).get("serviceTier") for each in told.values())
    tier = tier_of(word for word in tiers if type(word) is str)
    claude = _object(_object(told.get("anthropic")).get("usage"))
    return _of_usage(claude, "anthropic") if claude else Told(tier=tier)


_PYTHON = (("'", '"'), ("None", "null"), ("True", "true"), ("False", "false"))


def _as_json(text: str) -> str:
    """Write a dictionary of counts, as Python shows it, in JSON."""
    for python, json in _PYTHON:
        text = text.replace(python, json)
    return text


def _read(endpoint: Endpoint, answer: dict[str, Any]) -> Mapping[Unit, int] | None:
    seen: dict[str, float] = {}
    endpoint.usage.note(answer, seen)
    usage = endpoint.usage.usage(seen)
    return None if usage is None else usage.counts


def _of_google(usage: dict[str, Any]) -> Mapping[Unit, int]:
    """Read Google's usage as its SDK writes it, or as it is sent."""
    prompt = _first(usage, "prompt_token_count", "promptTokenCount")
    tools = _first(usage, "tool_use_prompt_token_count", "toolUsePromptTokenCount")
    thoughts = _first(usage, "thoughts_token_count", "thoughtsTokenCount")
    counts: Counts = {
        "input_tokens": prompt + tools,
        "cache_read_tokens": _first(usage, "cached_content_token_count", "cachedContentTokenCount"),
        "output_tokens": _first(usage, "candidates_token_count", "candidatesTokenCount") + thoughts,
        "reasoning_tokens": thoughts,
        "input_audio_tokens": _of_modality(usage, "AUDIO", "prompt_tokens_details", "promptTokensDetails"),
        "output_audio_tokens": _of_modality(usage, "AUDIO", "candidates_tokens_details", "candidatesTokensDetails"),
        "output_image_tokens": _of_modality(usage, "IMAGE", "candidates_tokens_details", "candidatesTokensDetails"),
        "cache_read_audio_tokens": _of_modality(usage, "AUDIO", "cache_tokens_details", "cacheTokensDetails"),
    }
    return {unit: count for unit, count in counts.items() if count}


def _first(usage: dict[str, Any], *names: str) -> int:
    return next((whole(usage[name]) for name in names if usage.get(name) is not None), 0)


def _of_modality(usage: dict[str, Any], modality: str, *names: str) -> int:
    found = next((usage[name] for name in names if is_list(usage.get(name))), ())
    return sum(
        _first(each, "token_count", "tokenCount") for each in map(_object, found) if each.get("modality") == modality
    )


def _of_ollama(answer: _Answer) -> Mapping[Unit, int] | None:
    told = {"input_tokens": answer.prompt_eval_count, "output_tokens": answer.eval_count}
    counts: Counts = {unit: count for unit, value in told.items() if (count := whole(value))}  # type: ignore[misc]
    return counts or None


_BUCKETS: Mapping[str, tuple[Unit, ...]] = {
    "input": ("input_tokens",),
    "input_tokens": ("input_tokens",),
    "prompt_tokens": ("input_tokens",),
    "input_cached_tokens": ("input_tokens", "cache_read_tokens"),
    "cache_read_input_tokens": ("input_tokens", "cache_read_tokens"),
    "input_cache_read": ("input_tokens", "cache_read_tokens"),
    "input_cache_creation": ("input_tokens", "cache_write_tokens"),
    "cache_creation_input_tokens": ("input_tokens", "cache_write_tokens"),
    "input_audio_tokens": ("input_tokens", "input_audio_tokens"),
    "output": ("output_tokens",),
    "output_tokens": ("output_tokens",),
    "completion_tokens": ("output_tokens",),
    "output_reasoning_tokens": ("output_tokens", "reasoning_tokens"),
    "output_reasoning": ("output_tokens", "reasoning_tokens"),
    "output_audio_tokens": ("output_tokens", "output_audio_tokens"),
}
_DETAILS: Mapping[str, Unit] = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_creation": "cache_write_tokens",
    "ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "audio": "input_audio_tokens",
    "reasoning": "reasoning_tokens",
}


def _of_buckets(told: dict[str, Any]) -> Mapping[Unit, int] | None:
    """Add up buckets that do not overlap."""
    counts: Counts = {}
    for name, value in told.items():
        for unit in _BUCKETS.get(name, ()) if (count := whole(value)) else ():
            counts[unit] = counts.get(unit, 0) + count
    return counts or None


def _of_details(told: dict[str, Any]) -> Mapping[Unit, int] | None:
    """Read parts of the input or the output, or a usage that has both, as LangChain writes them."""
    inside = {**_object(told.get("output_token_details")), **_object(told.get("input_token_details"))}
    counts: Counts = {}
    for name, value in {**told, **inside}.items():
        if name in _DETAILS and (count := whole(value)):
            counts[_DETAILS[name]] = count
    return counts or None


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if type(value) is dict else {}


def _number(value: object) -> float | None:
    return float(value) if type(value) is float or type(value) is int else None


def _text(value: object) -> str | None:
    return value if type(value) is str and value else None
