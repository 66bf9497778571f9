"""Changes what an answer or an event says of its usage, wherever each provider says it."""

from __future__ import annotations

from typing import Any

from examples.provider_server.wire import Json

_NAMES = ("usage", "usageMetadata", "usage_info", "meta", "amazon-bedrock-invocationMetrics")
"""Where a usage stands."""
_AROUND = ("message", "response", "delta", "interaction")
"""What it may stand in."""
_BARE = ("prompt_eval_count", "eval_count")
"""Counts that stand alone, as Ollama's."""


def with_usage(data: Json, *, is_left_out: bool, usage: Json) -> Json:
    """Return a body or an event without its usage, or with some of its fields replaced."""
    nested = {
        name: _changed(data[name], is_left_out=is_left_out, usage=usage)
        for name in _AROUND
        if isinstance(data.get(name), dict)
    }
    return _changed(data | nested, is_left_out=is_left_out, usage=usage)


def _changed(value: Json, *, is_left_out: bool, usage: Json) -> Json:
    found = [name for name in _NAMES if value.get(name)]
    bare = [name for name in _BARE if name in value]
    if is_left_out:
        return {name: inner for name, inner in value.items() if name not in (*found, *bare)}
    if bare:
        return value | usage
    return value | {name: merged(value[name], usage) for name in found}


def merged(old: Json, new: Json) -> Json:
    """Return `old` with the fields of `new`, field by field also inside of it."""
    result = dict(old)
    for name, value in new.items():
        inner: Any = result.get(name)
        result[name] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return result
