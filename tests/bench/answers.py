"""What the providers answer, canned: for each SDK an answer in one piece, and a stream of so many pieces."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

MODELS = {
    "openai": "gpt-4o-mini",
    "anthropic": "claude-sonnet-4-5",
    "google-genai": "gemini-2.5-flash",
    "mistralai": "mistral-small-latest",
    "cohere": "command-a-03-2025",
    "bedrock": "anthropic.claude-haiku-4-5-20251001-v1:0",
    "groq": "llama-3.3-70b-versatile",
    "ollama": "llama3.2",
    "litellm": "gpt-4o-mini",
}
"""SDK → the model that its calls ask for."""
SERVED = {"openai": "gpt-4o-mini-2024-07-18", "anthropic": "claude-sonnet-4-5-20250929"}
"""SDK → the model that answers, where it has another name."""

TEXT = "Nine of them did. " * 40
PIECE = " nine"
PIECES = (PIECE, " five")
"""In turns, as litellm takes a hundred times the same piece for a fault."""
USAGE_OPENAI = {
    "prompt_tokens": 212,
    "completion_tokens": 198,
    "total_tokens": 410,
    "prompt_tokens_details": {"cached_tokens": 128, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
USAGE_ANTHROPIC = {
    "input_tokens": 84,
    "cache_read_input_tokens": 128,
    "cache_creation_input_tokens": 0,
    "output_tokens": 198,
    "service_tier": "standard",
}
USAGE_GEMINI = {
    "promptTokenCount": 212,
    "candidatesTokenCount": 198,
    "totalTokenCount": 410,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 212}],
}
USAGE_MISTRAL = {"prompt_tokens": 212, "completion_tokens": 198, "total_tokens": 410}
USAGE_COHERE = {
    "billed_units": {"input_tokens": 204, "output_tokens": 198},
    "tokens": {"input_tokens": 212, "output_tokens": 198},
}
USAGE_BEDROCK = {"inputTokens": 212, "outputTokens": 198, "totalTokens": 410}
USAGE_GROQ = USAGE_MISTRAL | {"queue_time": 0.02, "prompt_time": 0.01, "completion_time": 0.7, "total_time": 0.71}
USAGE_OLLAMA = {
    "total_duration": 5_191_566_416,
    "load_duration": 2_154_458,
    "prompt_eval_count": 212,
    "prompt_eval_duration": 383_809_000,
    "eval_count": 198,
    "eval_duration": 4_799_921_000,
}

Json = dict[str, Any]
Frame = Callable[[Json], bytes]


@dataclass(frozen=True, slots=True)
class Canned:
    """An SDK's answers, as bytes."""

    answer: Json
    stream: Callable[[int], list[Json]]
    """Events of a stream of so many; the last tells the usage, or the one before the end does."""
    frame: Frame
    content_type: str = "text/event-stream"
    end: tuple[bytes, ...] = ()

    def body(self, chunks: int) -> bytes | list[bytes]:
        """Return the answer, or the pieces of a stream, each an event as a model writes it."""
        if not chunks:
            return packed(self.answer)
        return [*map(self.frame, self.stream(chunks)), *self.end]


def packed(value: Any) -> bytes:
    """Return JSON without spaces, as the providers send it."""
    return json.dumps(value, separators=(",", ":")).encode()


def _data(event: Json) -> bytes:
    return b"data: %s\n\n" % packed(event)


def _data_crlf(event: Json) -> bytes:
    return b"data: %s\r\n\r\n" % packed(event)


def _named(event: Json) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), packed(event))


def _line(event: Json) -> bytes:
    return packed(event) + b"\n"


def _amazon(event: Json) -> bytes:
    ((name, payload),) = event.items()
    told = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        bytes((len(key),)) + key.encode() + b"\x07" + len(value).to_bytes(2, "big") + value.encode()
        for key, value in told.items()
    )
    body = packed(payload)
    sizes = (16 + len(headers) + len(body)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    whole = sizes + crc32(sizes).to_bytes(4, "big") + headers + body
    return whole + crc32(whole).to_bytes(4, "big")


def _like_openai(sdk: str, usage: Json, last: Json, each: Json | None = None, **more: Any) -> Canned:
    """Return the answers of a provider that answers as OpenAI does; `each` and `last` of a stream's events."""
    head = {"id": "chatcmpl-bench", "created": 1_790_000_000, "model": SERVED.get(sdk, MODELS[sdk]), **more}
    message = {"role": "assistant", "content": TEXT}

    def event(delta: Json, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**head, "object": "chat.completion.chunk", "choices": [choice], **(each or {})}

    def stream(chunks: int) -> list[Json]:
        middle = [event({"content": PIECES[n % 2]}) for n in range(chunks - 3)]
        first, stop = event({"role": "assistant", "content": ""}), event({}, "stop")
        return [first, *middle, stop, {**stop, **last}]

    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    answer = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
    return Canned(answer, stream, _data, end=(b"data: [DONE]\n\n",))


def _anthropic() -> Canned:
    answer = {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": SERVED["anthropic"],
        "content": [{"type": "text", "text": TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE_ANTHROPIC,
    }
    begun = answer | {"content": [], "stop_reason": None, "usage": USAGE_ANTHROPIC | {"output_tokens": 1}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": PIECE}}
    end = {"stop_reason": "end_turn", "stop_sequence": None}

    def stream(chunks: int) -> list[Json]:
        return [
            {"type": "message_start", "message": begun},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *[delta] * (chunks - 5),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": end, "usage": {"output_tokens": 198}},
            {"type": "message_stop"},
        ]

    return Canned(answer, stream, _named)


def _gemini() -> Canned:
    def answer(text: str, **more: Any) -> Json:
        candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more}
        head = {"modelVersion": MODELS["google-genai"], "responseId": "kX4hae-ZMYa3vdIPz9Lh6AU"}
        return {"candidates": [candidate], "usageMetadata": USAGE_GEMINI, **head}

    def stream(chunks: int) -> list[Json]:
        return [answer(PIECE)] * (chunks - 1) + [answer(PIECE, finishReason="STOP")]  # each tells the usage so far

    return Canned(answer(TEXT, finishReason="STOP"), stream, _data_crlf)


def _cohere() -> Canned:
    content = [{"type": "text", "text": TEXT}]
    end = {"finish_reason": "COMPLETE", "usage": USAGE_COHERE}
    answer = {"id": "c14c80c3", "message": {"role": "assistant", "content": content}, **end}

    def delta(kind: str, **message: Any) -> Json:
        return {"type": kind, "index": 0, "delta": {"message": message}}

    def stream(chunks: int) -> list[Json]:
        return [
            {"id": "c14c80c3", **delta("message-start", role="assistant", content=[])},
            delta("content-start", content={"type": "text", "text": ""}),
            *[delta("content-delta", content={"text": PIECE})] * (chunks - 4),
            {"type": "content-end", "index": 0},
            {"type": "message-end", "id": "c14c80c3", "delta": end},
        ]

    return Canned(answer, stream, _named)


def _bedrock() -> Canned:
    message = {"role": "assistant", "content": [{"text": TEXT}]}
    metrics = {"metrics": {"latencyMs": 912}}
    answer = {"output": {"message": message}, "stopReason": "end_turn", "usage": USAGE_BEDROCK, **metrics}
    delta = {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": PIECE}}}

    def stream(chunks: int) -> list[Json]:
        return [
            {"messageStart": {"role": "assistant"}},
            *[delta] * (chunks - 4),
            {"contentBlockStop": {"contentBlockIndex": 0}},
            {"messageStop": {"stopReason": "end_turn"}},
            {"metadata": {"usage": USAGE_BEDROCK, **metrics}},
        ]

    return Canned(answer, stream, _amazon, content_type="application/vnd.amazon.eventstream")


def _ollama() -> Canned:
    def answer(text: str, **more: Any) -> Json:
        head = {"model": MODELS["ollama"], "created_at": "2026-11-22T07:00:00.000000Z"}
        return {**head, "message": {"role": "assistant", "content": text}, **more}

    end = {"done_reason": "stop", "done": True, **USAGE_OLLAMA}

    def stream(chunks: int) -> list[Json]:
        return [answer(PIECE, done=False)] * (chunks - 1) + [answer("", **end)]

    return Canned(answer(TEXT, **end), stream, _line, content_type="application/x-ndjson")


_OPENAI_LAST: Json = {"choices": [], "usage": USAGE_OPENAI}
_OPENAI_EACH: Json = {"usage": None}
_OPENAI_HEAD: Json = {"service_tier": "default", "system_fingerprint": "fp_bench"}

CANNED: Mapping[str, Canned] = {
    "openai": _like_openai("openai", USAGE_OPENAI, _OPENAI_LAST, _OPENAI_EACH, **_OPENAI_HEAD),
    "anthropic": _anthropic(),
    "google-genai": _gemini(),
    "mistralai": _like_openai("mistralai", USAGE_MISTRAL, {"usage": USAGE_MISTRAL}),
    "cohere": _cohere(),
    "bedrock": _bedrock(),
    "groq": _like_openai("groq", USAGE_GROQ, {"x_groq": {"id": "req_bench", "usage": USAGE_GROQ}}),
    "ollama": _ollama(),
    "litellm": _like_openai("openai", USAGE_OPENAI, _OPENAI_LAST, _OPENAI_EACH, **_OPENAI_HEAD),
}
