"""What the providers answer, canned, and SDK clients that read it from memory."""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

QUESTION = "Which of our twelve data centres used more power this week than the week before, and by how much? " * 4
SYSTEM = "You are a careful analyst. Answer in two sentences and name your source. " * 6
OPENAI_MODEL = "gpt-4o-mini"
ANTHROPIC_MODEL = "claude-sonnet-4-5"
OPENAI_SERVED = f"{OPENAI_MODEL}-2024-07-18"
ANTHROPIC_SERVED = f"{ANTHROPIC_MODEL}-20250929"
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


def packed(value: Any) -> bytes:
    """Return JSON without spaces, as the providers send it."""
    return json.dumps(value, separators=(",", ":")).encode()


OPENAI_CHAT = packed(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": OPENAI_SERVED,
        "service_tier": "default",
        "system_fingerprint": "fp_bench",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Nine of them did. " * 40, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE_OPENAI,
    }
)

ANTHROPIC_MESSAGE = packed(
    {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": ANTHROPIC_SERVED,
        "content": [{"type": "text", "text": "Nine of them did. " * 40}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE_ANTHROPIC,
    }
)


def openai_stream(chunks: int) -> list[bytes]:
    """Return a chat stream of `chunks` events, the last with the usage that the caller asked for."""
    head = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": OPENAI_SERVED,
        "service_tier": "default",
        "system_fingerprint": "fp_bench",
    }

    def event(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**head, "choices": [choice], "usage": None}

    events = [event({"role": "assistant", "content": ""})]
    events += [event({"content": " nine"}) for _ in range(chunks - 3)]
    events += [event({}, "stop"), {**head, "choices": [], "usage": USAGE_OPENAI}]
    return [*(b"data: %s\n\n" % packed(one) for one in events), b"data: [DONE]\n\n"]


def anthropic_stream(chunks: int) -> list[bytes]:
    """Return a message stream of `chunks` events."""
    message = json.loads(ANTHROPIC_MESSAGE) | {"content": [], "stop_reason": None}
    message["usage"] = USAGE_ANTHROPIC | {"output_tokens": 1}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " nine"}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *[delta] * (chunks - 5),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 198},
        },
        {"type": "message_stop"},
    ]
    return [b"event: %s\ndata: %s\n\n" % (one["type"].encode(), packed(one)) for one in events]


def client_in_memory(sdk: Any, body: bytes | list[bytes]) -> Any:
    """Return the HTTP client this SDK's major version uses, answering every request with `body`.

    A list is a stream that arrives one event at a time, as a model writes it.
    """
    http = sys.modules["httpx2" if hasattr(sdk._base_client, "httpx2") else "httpx"]
    headers = {"content-type": "application/json" if isinstance(body, bytes) else "text/event-stream"}

    def answer(_: Any) -> Any:
        return http.Response(200, headers=headers, content=body if isinstance(body, bytes) else iter(body))

    return http.Client(transport=http.MockTransport(answer))


def call(sdk: str, chunks: int = 0, *, native_spans: bool = False) -> Callable[[], Any]:
    """Return the call an agent would write: hands back the answer, or the unread stream of so many chunks.

    `native_spans` leaves the spans on that anthropic's SDK makes itself, its default since 2.x.
    """
    return _openai_call(chunks) if sdk == "openai" else _anthropic_call(chunks, native_spans=native_spans)


# Both look the method up in each call, as agents do: wrappers that patch the class pay their look-up too.


def _openai_call(chunks: int) -> Callable[[], Any]:
    import openai

    http_client = client_in_memory(openai, openai_stream(chunks) if chunks else OPENAI_CHAT)
    client = openai.OpenAI(api_key="none", max_retries=0, http_client=http_client)
    messages: Any = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    # The caller asks for usage, so that every candidate has the same bytes to read and usage to report.
    more: Any = {"stream": True, "stream_options": {"include_usage": True}} if chunks else {}
    return lambda: client.chat.completions.create(model=OPENAI_MODEL, messages=messages, max_tokens=256, **more)


def _anthropic_call(chunks: int, *, native_spans: bool) -> Callable[[], Any]:
    import anthropic

    http_client = client_in_memory(anthropic, anthropic_stream(chunks) if chunks else ANTHROPIC_MESSAGE)
    quiet: Any = {} if native_spans or not hasattr(anthropic.Anthropic, "open_telemetry") else {"open_telemetry": False}
    client = anthropic.Anthropic(api_key="none", max_retries=0, http_client=http_client, **quiet)
    messages: Any = [{"role": "user", "content": QUESTION}]
    more: Any = {"stream": True} if chunks else {}
    return lambda: client.messages.create(
        model=ANTHROPIC_MODEL, system=SYSTEM, messages=messages, max_tokens=256, **more
    )


def read(stream: Iterable[Any]) -> Any:
    """Read a stream to its end and return the last chunk."""
    last = None
    for last in stream:  # noqa: B007 -- reading is the work
        pass
    return last
