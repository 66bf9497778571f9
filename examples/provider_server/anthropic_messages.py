"""Anthropic's messages: in one piece, as a stream of events, and the count of a request's tokens."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from examples.provider_server.tokens import TOKENS_PER_MESSAGE, compact, count, first, pieces, read
from examples.provider_server.wire import (
    Answer,
    Event,
    Json,
    Prompt,
    Reply,
    Request,
    Segment,
    Stream,
    Tool,
    new_id,
    segment,
)

_CACHE_MINIMUM = 1024
_THOUGHT = (
    "The request is plain. What is asked for, for whom, and how long it may be is known, so I can write it down. "
)
_THINKING_TOKENS = 80
_SIGNATURE = "EqQBCkYIARgCKkDk0z4cZ3V2s0g7"
_MODELS = ("claude-haiku-4-5", "claude-sonnet-4-5")


def messages(request: Request) -> Reply | Stream:
    """Answer `POST /v1/messages`."""
    prompt = _prompt(request)
    answer = request.answer(prompt).fitted(request.required("max_tokens"))
    message: Json = {
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": prompt.model,
        "content": _content(answer),
        "stop_reason": _stop_reason(answer),
        "stop_sequence": None,
        "usage": _usage(request, prompt, answer),
    }
    usage = message["usage"]
    return Stream(tuple(_events(message)), usage) if request.body.get("stream") else Reply(message, usage)


def count_tokens(request: Request) -> Reply:
    """Answer `POST /v1/messages/count_tokens`."""
    return Reply({"input_tokens": _prompt(request).input_tokens})


def models(_request: Request) -> Reply:
    """Answer `GET /v1/models`."""
    data = [
        {
            "id": name,
            "type": "model",
            "display_name": name,
            "created_at": "2026-01-01T00:00:00Z",
            "lifecycle": "active",
        }
        for name in _MODELS
    ]
    return Reply({"data": data, "has_more": False, "first_id": _MODELS[0], "last_id": _MODELS[-1]})


def _prompt(request: Request) -> Prompt:
    body = request.body
    model, turns = request.required("model"), request.required("messages")
    tools = [tool for tool in body.get("tools") or () if "input_schema" in tool]
    form = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    thinking = (body.get("thinking") or {}).get("type")
    last = turns[-1]["content"]
    return Prompt(
        model=model,
        ask=next((read(turn["content"])[0] for turn in reversed(turns) if turn["role"] == "user"), ""),
        segments=tuple(_segments(body, turns)),
        tools=tuple(Tool(name=tool["name"], schema=tool["input_schema"]) for tool in tools),
        tool_choice=_tool_choice(body.get("tool_choice") or {}),
        answers_tool=isinstance(last, list) and any(block.get("type") == "tool_result" for block in last),
        schema=form.get("schema"),
        reasoning_tokens=_THINKING_TOKENS if thinking in ("enabled", "adaptive") else 0,
    )


def _segments(body: Json, turns: list[Json]) -> Iterator[Segment]:
    """Give every block a segment of its own: each may carry the mark that ends a cached prefix."""
    for tool in body.get("tools") or ():
        yield segment(compact(_unmarked(tool)), cache=_cache(tool))
    for content in chain([body.get("system")], (turn["content"] for turn in turns)):
        blocks: list[Any] = content if isinstance(content, list) else [content] if content else []
        for index, block in enumerate(blocks):
            yield segment([block], extra_tokens=0 if index else TOKENS_PER_MESSAGE, cache=_cache(block))
    form = (body.get("output_config") or {}).get("format") or body.get("output_format")
    if form:
        yield segment(compact(form.get("schema")))


def _unmarked(tool: Json) -> Json:
    return {name: value for name, value in tool.items() if name != "cache_control"}


def _cache(block: Any) -> Any:
    mark = block.get("cache_control") if isinstance(block, dict) else None
    return mark.get("ttl") or "5m" if mark else None


def _tool_choice(choice: Json) -> str:
    kind = choice.get("type", "auto")
    if kind == "tool":
        return str(choice["name"])
    return "required" if kind == "any" else str(kind)


def _content(answer: Answer) -> list[Json]:
    content: list[Json] = []
    if answer.reasoning_tokens:
        repeats = answer.reasoning_tokens // count(_THOUGHT) + 1
        thought = first(_THOUGHT * repeats, answer.reasoning_tokens)
        content.append({"type": "thinking", "thinking": thought, "signature": _SIGNATURE})
    if answer.text:
        content.append({"type": "text", "text": answer.text})
    content += (
        {"type": "tool_use", "id": new_id("toolu_"), "name": call.name, "input": call.arguments}
        for call in answer.tool_calls
    )
    return content


def _stop_reason(answer: Answer) -> str:
    if answer.is_cut:
        return "max_tokens"
    return "tool_use" if answer.tool_calls else "end_turn"


def _usage(request: Request, prompt: Prompt, answer: Answer) -> Json:
    """Report input without what was read from or written to the cache, as the provider does."""
    read_tokens, written = cache_use(request, prompt)
    usage: Json = {
        "input_tokens": prompt.input_tokens - read_tokens - sum(written.values()),
        "cache_creation_input_tokens": sum(written.values()),
        "cache_read_input_tokens": read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written["5m"],
            "ephemeral_1h_input_tokens": written["1h"],
        },
        "output_tokens": answer.output_tokens,
        "service_tier": "standard",
    }
    if answer.reasoning_tokens:
        usage["output_tokens_details"] = {"thinking_tokens": answer.reasoning_tokens}
    if request.body.get("speed"):
        usage["speed"] = request.body["speed"]
    return usage


def cache_use(request: Request, prompt: Prompt) -> tuple[int, dict[str, int]]:
    """Count what the cache marks made the provider read and write: nothing below 1,024 tokens before the last mark."""
    marks = [index for index, part in enumerate(prompt.segments, 1) if part.cache]
    marked = prompt.segments[: marks[-1] if marks else 0]
    written = {"5m": 0, "1h": 0}
    if sum(part.tokens for part in marked) < _CACHE_MINIMUM:
        return 0, written
    known = request.memory.cached(prompt.model, marked)
    for index, part in enumerate(marked):
        if index >= known:
            ttl = next(later.cache for later in marked[index:] if later.cache)
            written[ttl] += part.tokens
    return sum(part.tokens for part in marked[:known]), written


def _events(message: Json) -> Iterator[Event]:
    usage = message["usage"]
    begun = message | {
        "content": [],
        "stop_reason": None,
        "usage": {**usage, "output_tokens": 1},
    }
    begun["usage"].pop("output_tokens_details", None)
    yield _event("message_start", message=begun)
    for index, block in enumerate(message["content"]):
        yield _event("content_block_start", index=index, content_block=_begun(block))
        if index == 0:
            yield _event("ping")
        for delta in _deltas(block):
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    # the delta's counts are totals so far, not additions to those of message_start
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    totals = {name: usage[name] for name in (*names, "output_tokens_details") if name in usage}
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    yield _event("message_delta", delta=stop, usage=totals)
    yield _event("message_stop")


def _event(name: str, **data: Any) -> Event:
    return Event({"type": name, **data}, name)


def _begun(block: Json) -> Json:
    match block["type"]:
        case "text":
            return block | {"text": ""}
        case "tool_use":
            return block | {"input": {}}
        case _:
            return block | {"thinking": "", "signature": ""}


def _deltas(block: Json) -> Iterator[Json]:
    match block["type"]:
        case "text":
            yield from ({"type": "text_delta", "text": piece} for piece in pieces(block["text"]))
        case "tool_use":
            parts = ["", *pieces(compact(block["input"]))]
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in parts)
        case _:
            yield from ({"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"]))
            yield {"type": "signature_delta", "signature": block["signature"]}
