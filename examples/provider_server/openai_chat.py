"""OpenAI's chat completions, completions, embeddings and models."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any

from examples.provider_server.numbers import vector
from examples.provider_server.tokens import TOKENS_PER_MESSAGE, compact, count, pieces, read
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
    WireError,
    new_id,
    segment,
)

REASONING_TOKENS = {"minimal": 16, "low": 64, "medium": 128, "high": 256, "xhigh": 512, "max": 1024}
"""How long the model thinks at each effort; it does not think at all unless it is told to."""
SERVICE_TIERS = ("default", "flex", "scale", "priority", "fast")
_DONE = Event("[DONE]")
_CACHE_MINIMUM = 1024
_CACHE_STEP = 128
_DIMENSIONS = {"text-embedding-3-large": 3072}
_MODELS = ("gpt-4o", "gpt-4o-mini", "text-embedding-3-small")
_FINGERPRINT = "fp_5f3c1a9b20"


def chat(request: Request) -> Reply | Stream:
    """Answer `POST /v1/chat/completions`."""
    prompt = chat_prompt(request)
    choices = request.body.get("n") or 1
    answer = request.answer(prompt).fitted(prompt.max_output_tokens)
    usage = _usage(
        prompt.input_tokens,
        cached_tokens(request, prompt.segments),
        answer.output_tokens * choices,
        answer.reasoning_tokens * choices,
    )
    head: Json = {
        "id": new_id("chatcmpl-"),
        "created": request.now,
        "model": prompt.model,
        "service_tier": service_tier(request.body),
        "system_fingerprint": _FINGERPRINT,
    }
    if is_stream(request.body):
        chunks = [chunk for index in range(choices) for chunk in _choice_chunks(index, answer)]
        head["object"] = "chat.completion.chunk"
        return _stream(head, chunks, usage, request.body)
    made = [_choice(index, answer) for index in range(choices)]
    return Reply(head | {"object": "chat.completion", "choices": made, "usage": usage}, usage)


def completions(request: Request) -> Reply | Stream:
    """Answer `POST /v1/completions`."""
    body = request.body
    prompts = inputs(request.required("prompt"))
    segments = tuple(Segment(text=text, tokens=tokens) for text, tokens in prompts)
    prompt = Prompt(
        model=request.required("model"),
        ask=prompts[-1][0],
        segments=segments,
        max_output_tokens=body.get("max_tokens") or 16,
    )
    answer = request.answer(prompt).fitted(prompt.max_output_tokens)
    copies = (body.get("n") or 1) * len(prompts)
    head = {"id": new_id("cmpl-"), "object": "text_completion", "created": request.now, "model": prompt.model}
    usage = {
        "prompt_tokens": prompt.input_tokens,
        "completion_tokens": answer.output_tokens * copies,
        "total_tokens": prompt.input_tokens + answer.output_tokens * copies,
    }
    reason = "length" if answer.is_cut else "stop"
    if is_stream(body):
        chunks = [
            {"index": index, "text": text, "logprobs": None, "finish_reason": end}
            for index in range(copies)
            for text, end in [*((piece, None) for piece in pieces(answer.text)), ("", reason)]
        ]
        return _stream(head, chunks, usage, body)
    choices = [
        {"index": index, "text": answer.text, "logprobs": None, "finish_reason": reason} for index in range(copies)
    ]
    return Reply(head | {"choices": choices, "usage": usage}, usage)


def embeddings(request: Request) -> Reply:
    """Answer `POST /v1/embeddings`; the numbers follow from the text."""
    model = request.required("model")
    found = inputs(request.required("input"))
    size = request.body.get("dimensions") or _DIMENSIONS.get(model, 1536)
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _vector(text, size, request.body.get("encoding_format") or "float"),
        }
        for index, (text, _) in enumerate(found)
    ]
    tokens = sum(tokens for _, tokens in found)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Reply({"object": "list", "data": data, "model": model, "usage": usage}, usage)


def models(request: Request) -> Reply:
    """Answer `GET /v1/models`."""
    data = [{"id": name, "object": "model", "created": request.now, "owned_by": "system"} for name in _MODELS]
    return Reply({"object": "list", "data": data})


def is_stream(body: Json) -> bool:
    """Tell whether a stream is wanted, and refuse stream options without one, as the provider does."""
    if body.get("stream_options") is not None and not body.get("stream"):
        raise WireError(
            400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    return bool(body.get("stream"))


def service_tier(body: Json) -> str:
    """Return the tier that served the request."""
    asked = body.get("service_tier")
    return asked if asked in SERVICE_TIERS else "default"


def cached_tokens(request: Request, segments: tuple[Segment, ...]) -> int:
    """Count what an earlier request began with: from 1,024 tokens on, in steps of 128."""
    known = request.memory.cached(str(request.body.get("model")), segments)
    tokens = sum(part.tokens for part in segments[:known])
    return tokens - tokens % _CACHE_STEP if tokens >= _CACHE_MINIMUM else 0


def tool_choice(value: Any) -> str:
    """Read `tool_choice` in chat's and in responses' form."""
    match value:
        case None:
            return "auto"
        case str():
            return value
        case {"function": {"name": str(name)}} | {"name": str(name)}:
            return name
        case {"mode": str(mode)} | {"allowed_tools": {"mode": str(mode)}}:
            return mode
        case _:
            return "auto"


def chat_prompt(request: Request) -> Prompt:
    """Read what is asked."""
    body = request.body
    model, messages = request.required("model"), request.required("messages")
    tools = tuple(_tool(tool["function"]) for tool in body.get("tools") or () if tool.get("type") == "function")
    asked = body.get("response_format") or {}
    schema = asked.get("json_schema", {}).get("schema") if asked.get("type") != "json_object" else {"type": "object"}
    settings = [value for value in (body.get("tools"), schema) if value]
    return Prompt(
        model=model,
        ask=next((read(message["content"])[0] for message in reversed(messages) if message["role"] == "user"), ""),
        segments=(*(segment(compact(value)) for value in settings), *(_message(message) for message in messages)),
        tools=tools,
        tool_choice=tool_choice(body.get("tool_choice")),
        answers_tool=messages[-1]["role"] == "tool",
        schema=schema,
        max_output_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        reasoning_tokens=REASONING_TOKENS.get(body.get("reasoning_effort") or "none", 0),
    )


def _tool(function: Json) -> Tool:
    return Tool(name=function["name"], schema=function.get("parameters") or {})


def _message(message: Json) -> Segment:
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    return segment([*parts, *(message.get("tool_calls") or ())], extra_tokens=TOKENS_PER_MESSAGE)


def _usage(input_tokens: int, cached: int, output_tokens: int, reasoning_tokens: int) -> Json:
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def finish_reason(answer: Answer) -> str:
    """Say why the answer ended."""
    if answer.is_cut:
        return "length"
    return "tool_calls" if answer.tool_calls else "stop"


def _choice(index: int, answer: Answer) -> Json:
    message: Json = {"role": "assistant", "content": answer.text or None, "refusal": None, "annotations": []}
    if answer.tool_calls:
        message["tool_calls"] = [
            {
                "id": new_id("call_"),
                "type": "function",
                "function": {"name": call.name, "arguments": compact(call.arguments)},
            }
            for call in answer.tool_calls
        ]
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish_reason(answer)}


def _choice_chunks(index: int, answer: Answer) -> Iterator[Json]:
    def chunk(delta: Json, reason: str | None = None) -> Json:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}

    yield chunk({"role": "assistant", "content": "" if answer.text else None, "refusal": None})
    for piece in pieces(answer.text):
        yield chunk({"content": piece})
    for number, call in enumerate(answer.tool_calls):
        function = {"name": call.name, "arguments": ""}
        yield chunk(
            {"tool_calls": [{"index": number, "id": new_id("call_"), "type": "function", "function": function}]}
        )
        for piece in pieces(compact(call.arguments)):
            yield chunk({"tool_calls": [{"index": number, "function": {"arguments": piece}}]})
    yield chunk({}, finish_reason(answer))


def _stream(head: Json, chunks: list[Json], usage: Json, body: Json) -> Stream:
    """Every chunk says `usage: null` and one more chunk carries it, if it was asked for; else none says anything."""
    if not (body.get("stream_options") or {}).get("include_usage"):
        return Stream((*(Event(head | {"choices": [chunk]}) for chunk in chunks), _DONE), usage)
    events = [Event(head | {"choices": [chunk], "usage": None}) for chunk in chunks]
    return Stream((*events, Event(head | {"choices": [], "usage": usage}), _DONE), usage)


def inputs(value: Any) -> list[tuple[str, int]]:
    """Read what completions and embeddings take: a text, texts, tokens, or lists of tokens."""
    match value:
        case str():
            return [(value, count(value))]
        case [int(), *_]:
            return [(compact(value), len(value))]
        case list():
            return [pair for inner in value for pair in inputs(inner)]
        case _:
            raise WireError(400, "input must be a text, tokens, or a list of them", param="input")


def _vector(text: str, size: int, encoding: str) -> list[float] | str:
    values = vector(text, size)
    return base64.b64encode(struct.pack(f"<{size}f", *values)).decode() if encoding == "base64" else values
