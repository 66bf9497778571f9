"""mistralai against answers as Mistral documents them: chat, code, agents, conversations, sound, pages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack, aclosing, closing
from functools import reduce
from typing import Any

import pytest

try:
    from mistralai.client import Mistral
except ImportError:  # before version 2
    from mistralai import Mistral  # type: ignore[attr-defined, no-redef]

from otel_llmcost import BudgetExceededError
from tests.instrumentation.conftest import Process, Start
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import Expected, check, told
from tests.replay.server import ReplayServer, Reply, as_json, as_sse
from tests.replay.twice import run, twice

IS_CLOSED = hasattr(Mistral, "__aenter__")
"""Before version 1.3, neither clients nor streams were context managers."""
Ask = Callable[..., Any]
HELLO = [{"role": "user", "content": "What is a fjord?"}]
SMALL = "mistral-small-latest"
TEXT = "Ein Fjord ist ein schmaler Meeresarm."


def usage(read: int, written: int, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written, **more}


def client(replay: ReplayServer) -> Mistral:
    return Mistral(api_key="k", server_url=replay.url)


def method_of(opened: Mistral, name: str, suffix: str = "") -> Any:
    try:
        return reduce(getattr, (name + suffix).split("."), opened)
    except AttributeError:
        pytest.skip(f"this mistralai has no {name}")


def sync(replay: ReplayServer, name: str, **asked: Any) -> Any:
    with ExitStack() as stack:
        opened = client(replay)
        found = method_of(stack.enter_context(opened) if IS_CLOSED else opened, name)(**asked)
        if not hasattr(found, "__next__"):
            return found
        stream = stack.enter_context(found if hasattr(found, "__enter__") else closing(found))
        return [type(stream).__name__, *stream]


def asynchronous(replay: ReplayServer, name: str, **asked: Any) -> Any:
    async def ask() -> Any:
        async with AsyncExitStack() as stack:
            opened = client(replay)
            opened = await stack.enter_async_context(opened) if IS_CLOSED else opened
            found = await method_of(opened, name, "_async")(**asked)
            if not hasattr(found, "__anext__"):
                return found
            stream = await stack.enter_async_context(found if hasattr(found, "__aenter__") else aclosing(found))
            return [type(stream).__name__, *[each async for each in stream]]

    return run(ask)


@pytest.fixture(params=[sync, asynchronous])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


def completion(told_usage: Any, *, model: str = SMALL, message: Any = None, ends: str = "stop") -> dict[str, Any]:
    said = {"role": "assistant", "content": TEXT, "tool_calls": None, "prefix": False} | (message or {})
    return {
        "id": "cmpl-e5cc70bb28c444948073e77776eb30ef",
        "object": "chat.completion",
        "model": model,
        "created": 1789000000,
        "choices": [{"index": 0, "message": said, "finish_reason": ends}],
        "usage": told_usage,
    }


def expected(cost: str | None, counts: dict[str, int], *, model: str = SMALL, **more: Any) -> Expected:
    return Expected(provider="mistral_ai", model=model, usage=counts, cost_usd=cost, **more)


def tokens(read: int, written: int = 0, **more: int) -> dict[str, int]:
    return {"input_tokens": read, **({"output_tokens": written} if written else {}), **more}


CALL = {"id": "D681PevKs", "type": "function", "function": {"name": "look_up", "arguments": '{"word": "fjord"}'}}
TOOL = {"type": "function", "function": {"name": "look_up", "description": "", "parameters": {"type": "object"}}}
THOUGHT = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "Water, mountains."}], "closed": True},
    {"type": "text", "text": TEXT},
]
CONVERSATION = {
    "object": "conversation.response",
    "conversation_id": "conv_0684fe",
    "outputs": [
        {
            "object": "entry",
            "type": "tool.execution",
            "name": "web_search",
            "arguments": '{"query": "fjord"}',
            "id": "tool_exec_1",
            "created_at": "2026-11-01T10:00:00Z",
            "completed_at": "2026-11-01T10:00:01Z",
        },
        {
            "object": "entry",
            "type": "message.output",
            "role": "assistant",
            "content": TEXT,
            "id": "msg_1",
            "agent_id": "ag_1",
            "model": "mistral-medium-latest",
            "created_at": "2026-11-01T10:00:01Z",
            "completed_at": "2026-11-01T10:00:02Z",
        },
    ],
    "usage": usage(188, 55, connector_tokens=7355) | {"total_tokens": 7598},
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1789000000,
    "status": "completed",
    "model": SMALL,
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": TEXT, "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tools": [],
    "tool_choice": "auto",
    "usage": {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 400},
        "output_tokens": 100,
        "output_tokens_details": {"reasoning_tokens": 30},
        "total_tokens": 1100,
    },
}
SAID: dict[str, Any] = {"model": SMALL, "messages": HELLO}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], Expected]] = {
    "plain": (
        "chat.complete",
        SAID,
        completion(usage(1000, 100)),
        expected("0.00021", tokens(1000, 100), served=SMALL, response_id="cmpl-e5cc70bb28c444948073e77776eb30ef"),
    ),  # 1000 x 0.15 + 100 x 0.60 per million
    "a tool": (
        "chat.complete",
        SAID | {"tools": [TOOL]},
        completion(usage(1000, 100), message={"content": "", "tool_calls": [CALL]}, ends="tool_calls"),
        expected("0.00021", tokens(1000, 100)),
    ),
    "cached, told twice": (
        "chat.complete",
        SAID,
        completion(usage(2000, 100, prompt_tokens_details={"cached_tokens": 1024}, num_cached_tokens=1024)),
        expected("0.00022176", tokens(2000, 100, cache_read_tokens=1024)),
    ),  # 976 x 0.15 + 1024 x 0.015 + 100 x 0.60
    "cached, told in the old way": (
        "chat.complete",
        SAID,
        completion(usage(2000, 100, num_cached_tokens=1024)),
        expected("0.00022176", tokens(2000, 100, cache_read_tokens=1024)),
    ),
    "reasoning": (
        "chat.complete",
        SAID | {"model": "magistral-medium-latest"},
        completion(usage(1000, 700), model="magistral-medium-latest", message={"content": THOUGHT}),
        expected("0.0055", tokens(1000, 700), model="magistral-medium-latest"),
    ),  # 1000 x 2 + 700 x 5
    "no tokens at all": (
        "chat.complete",
        SAID,
        completion(usage(0, 0)),
        expected("0", {}),
    ),
    "code": (
        "fim.complete",
        {"model": "codestral-latest", "prompt": "def f(", "suffix": "return 1"},
        completion(usage(1000, 100), model="codestral-latest"),
        expected("0.00039", tokens(1000, 100), model="codestral-latest"),
    ),  # 1000 x 0.30 + 100 x 0.90
    "an agent, which has its model from elsewhere": (
        "agents.complete",
        {"agent_id": "ag_1", "messages": HELLO},
        completion(usage(1000, 100), model="mistral-medium-latest"),
        expected("0.00225", tokens(1000, 100), model="ag_1", served="mistral-medium-latest"),
    ),  # 1000 x 1.50 + 100 x 7.50
    "embeddings": (
        "embeddings.create",
        {"model": "mistral-embed", "inputs": ["one", "two"]},
        {
            "id": "emb-1",
            "object": "list",
            "model": "mistral-embed",
            "data": [{"object": "embedding", "index": n, "embedding": [0.1, 0.2]} for n in (0, 1)],
            "usage": usage(1000, 0),
        },
        expected("0.0001", tokens(1000), model="mistral-embed", operation="embeddings", response_id="emb-1"),
    ),  # 1000 x 0.10
    "pages": (
        "ocr.process",
        {"model": "mistral-ocr-latest", "document": {"type": "document_url", "document_url": "https://x.test/a.pdf"}},
        {
            "model": "mistral-ocr-2512",
            "pages": [
                {"index": n, "markdown": "# A", "images": [], "dimensions": {"dpi": 200, "height": 9, "width": 9}}
                for n in range(3)
            ],
            "usage_info": {"pages_processed": 3, "doc_size_bytes": 3002783},
        },
        expected("0.006", {"pages": 3}, model="mistral-ocr-latest", served="mistral-ocr-2512", operation="ocr"),
    ),  # 3 x 0.002
    "sound": (
        "audio.transcriptions.complete",
        {"model": "voxtral-mini-latest", "file_url": "https://x.test/a.mp3"},
        {
            "model": "voxtral-mini-2602",
            "text": "A fjord.",
            "language": "en",
            "segments": [],
            "usage": usage(12, 27, prompt_audio_seconds=203),
        },
        expected(
            "0.01015",
            tokens(12, 27, audio_milliseconds=203_000),
            model="voxtral-mini-latest",
            operation="transcription",
        ),
    ),  # 203 / 60 x 0.003
    "a conversation whose search is input beside its prompt": (
        "beta.conversations.start",
        {"model": "mistral-medium-latest", "inputs": "What is a fjord?", "tools": [{"type": "web_search"}]},
        CONVERSATION,
        expected(
            "0.011727",
            tokens(188 + 7355, 55),
            model="mistral-medium-latest",
            served="mistral-medium-latest",
            response_id="conv_0684fe",
        ),
    ),  # 7543 x 1.50 + 55 x 7.50
    "a conversation of an agent": (
        "beta.conversations.start",
        {"agent_id": "ag_1", "inputs": "What is a fjord?"},
        CONVERSATION,
        expected("0.011727", tokens(188 + 7355, 55), model="agent", served="mistral-medium-latest"),
    ),
    "a conversation goes on": (
        "beta.conversations.append",
        {"conversation_id": "conv_0684fe", "inputs": "And a lake?"},
        CONVERSATION,
        expected("0.011727", tokens(188 + 7355, 55), model="agent", served="mistral-medium-latest"),
    ),
    "a response": (
        "responses.create",
        {"model": SMALL, "input": "What is a fjord?"},
        RESPONSE,
        expected("0.000156", tokens(1000, 100, cache_read_tokens=400, reasoning_tokens=30), response_id="resp_1"),
    ),  # 600 x 0.15 + 400 x 0.015 + 100 x 0.60
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_is_charged_once(start: Start, replay: ReplayServer, ask: Ask, case: str):
    name, asked, body, must = CASES[case]

    process = twice(start, replay, [as_json(body)], lambda: ask(replay, name, **asked))

    check(process.charge, must)
    (span,) = process.spans
    assert told(span)["gen_ai.operation.name"] == must.operation
    assert told(span)["gen_ai.provider.name"] == "mistral_ai"
    assert told(span)["gen_ai.request.model"] == must.model


def chunk(delta: dict[str, Any], *, told_usage: Any = None, ends: str | None = None) -> dict[str, Any]:
    return {
        "id": "cmpl-e5cc",
        "object": "chat.completion.chunk",
        "created": 1789000000,
        "model": SMALL,
        "choices": [{"index": 0, "delta": delta, "finish_reason": ends}],
        **({} if told_usage is None else {"usage": told_usage}),
    }


def spoken(*pieces: Any, told_usage: Any = None) -> list[dict[str, Any]]:
    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": each}) for each in pieces),
        chunk({"content": ""}, told_usage=told_usage, ends="stop"),
    ]


FULL = usage(2000, 100, prompt_tokens_details={"cached_tokens": 1024})
TALK: list[dict[str, Any]] = [
    {"type": "conversation.response.started", "conversation_id": "conv_7", "created_at": "2026-11-01T10:00:00Z"},
    *(
        {
            "type": "message.output.delta",
            "id": "msg_1",
            "role": "assistant",
            "content": word,
            "model": "mistral-medium-latest",
            "agent_id": "ag_1",
            "output_index": 0,
            "content_index": 0,
            "created_at": "2026-11-01T10:00:01Z",
        }
        for word in ("Ein Fjord ", "ist ein ", "Meeresarm.")
    ),
]
TALKED = {
    "type": "conversation.response.done",
    "usage": usage(188, 55, connector_tokens=7355, connectors={"web_search": 1}),
    "created_at": "2026-11-01T10:00:02Z",
}
ANSWERED = [
    {"type": "response.created", "sequence_number": 0, "response": RESPONSE | {"status": "in_progress", "usage": None}},
    {"type": "response.completed", "sequence_number": 1, "response": RESPONSE},
]
STREAMS: dict[str, tuple[str, dict[str, Any], Reply, Expected]] = {
    "chat": (
        "chat.stream",
        SAID,
        as_sse(spoken("Ein Fjord ", "ist ein ", "Meeresarm.", told_usage=FULL), done=True),
        expected("0.00022176", tokens(2000, 100, cache_read_tokens=1024), served=SMALL, response_id="cmpl-e5cc"),
    ),
    "chat that thinks": (
        "chat.stream",
        SAID,
        as_sse(spoken(THOUGHT[:1], "Ein Fjord", told_usage=usage(1000, 100)), done=True),
        expected("0.00021", tokens(1000, 100)),
    ),
    "code": (
        "fim.stream",
        {"model": "codestral-latest", "prompt": "def f("},
        as_sse(spoken("x", told_usage=usage(1000, 100)), done=True),
        expected("0.00021", tokens(1000, 100), model="codestral-latest", served=SMALL),
    ),
    "an agent": (
        "agents.stream",
        {"agent_id": "ag_1", "messages": HELLO},
        as_sse(spoken("x", told_usage=usage(1000, 100)), done=True),
        expected("0.00021", tokens(1000, 100), model="ag_1", served=SMALL),
    ),
    "a conversation of an agent, whose last event names no model": (
        "beta.conversations.start_stream",
        {"agent_id": "ag_1", "inputs": "What is a fjord?"},
        as_sse([*TALK, TALKED], named=True),
        expected(
            "0.011727",
            tokens(188 + 7355, 55, web_searches=1),
            model="agent",
            served="mistral-medium-latest",
            response_id="conv_7",
        ),
    ),
    "sound": (
        "audio.transcriptions.stream",
        {"model": "voxtral-mini-latest", "file_url": "https://x.test/a.mp3"},
        as_sse(
            [
                {"type": "transcription.language", "audio_language": "en"},
                {"type": "transcription.text.delta", "text": "A fjord."},
                {
                    "type": "transcription.done",
                    "model": "voxtral-mini-2602",
                    "text": "A fjord.",
                    "language": "en",
                    "segments": [],
                    "usage": usage(12, 27, prompt_audio_seconds=203),
                },
            ],
            named=True,
        ),
        expected(
            "0.01015",
            tokens(12, 27, audio_milliseconds=203_000),
            model="voxtral-mini-latest",
            served="voxtral-mini-2602",
            operation="transcription",
        ),
    ),
    "a response": (
        "responses.create",
        {"model": SMALL, "input": "What is a fjord?", "stream": True},
        as_sse(ANSWERED, named=True),
        expected("0.000156", tokens(1000, 100, cache_read_tokens=400, reasoning_tokens=30), response_id="resp_1"),
    ),
}


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_is_charged_once_and_stays_one(start: Start, replay: ReplayServer, ask: Ask, case: str):
    name, asked, reply, must = STREAMS[case]

    process = twice(start, replay, [reply], lambda: ask(replay, name, **asked))

    check(process.charge, must)
    assert len(process.spans) == 1
    assert replay.received[0].headers["accept"].startswith("text/event-stream")


@pytest.mark.parametrize("name", ["chat.complete", "chat.stream"])
@pytest.mark.parametrize("status", [401, 404, 422, 429, 500, 529])
def test_an_error_is_no_charge_but_a_span(start: Start, replay: ReplayServer, ask: Ask, status: int, name: str):
    reply = as_json({"object": "error", "message": "no", "type": "invalid", "code": "1"}, status=status)

    process = twice(start, replay, [reply] * 9, lambda: ask(replay, name, **SAID))

    assert process.charges == []
    assert [told(span)["error.type"] for span in process.spans] == [str(status)] * len(replay.received)


def test_a_conversation_that_breaks_off_with_an_error(start: Start, replay: ReplayServer, ask: Ask):
    error = {"type": "conversation.response.error", "message": "overloaded", "code": 3505}
    asked = {"agent_id": "ag_1", "inputs": "What is a fjord?"}
    reply = as_sse([*TALK, error], named=True)

    process = twice(start, replay, [reply], lambda: ask(replay, "beta.conversations.start_stream", **asked))

    assert (process.charge.status, process.charge.error_type) == ("estimated", "3505")
    assert process.charge.served_model == "mistral-medium-latest"
    (span,) = process.spans
    assert not span.status.is_ok


@pytest.mark.parametrize("pieces", [[TEXT] * 9, [THOUGHT[:1]] * 9, [[{"type": "text", "text": TEXT}]] * 9])
def test_a_cut_connection_is_charged_for_what_came(start: Start, replay: ReplayServer, ask: Ask, pieces: list[Any]):
    reply = as_sse(spoken(*pieces, told_usage=FULL), done=True)
    cut = Reply(content_type=reply.content_type, body=reply.body, breaks_after=len(reply.body) - 350)

    process = twice(start, replay, [cut], lambda: ask(replay, "chat.stream", **SAID))

    charge = process.charge
    assert (charge.status, charge.method) == ("estimated", "stream-ended-early")
    assert charge.usage.output_tokens >= 3 * len(pieces)


@pytest.mark.parametrize("told_usage", [None, "many", {"prompt_tokens": "1000"}, [], {}])
def test_a_usage_that_is_missing_or_broken_is_estimated(start: Start, replay: ReplayServer, ask: Ask, told_usage: Any):
    reply = as_sse(spoken(TEXT, told_usage=told_usage), done=True)

    process = twice(start, replay, [reply], lambda: ask(replay, "chat.stream", **SAID))

    assert process.charge.status == "estimated"
    assert process.charge.cost_nano


def test_a_stream_left_early_is_charged_for_what_came(process: Process, replay: ReplayServer):
    replay.replies = [as_sse(spoken(*[TEXT] * 50, told_usage=FULL), done=True)]

    stream = client(replay).chat.stream(**SAID)
    next(stream)
    (stream.response if hasattr(stream, "response") else stream).close()

    assert process.charge.status == "estimated"


def test_a_refusal_reaches_the_program_and_nothing_is_sent(start: Start, replay: ReplayServer, ask: Ask):
    process = start('[[budget]]\nname = "b"\nlimit = 0\nwindow = "day"\n')

    for name in ("chat.complete", "chat.stream"):
        with pytest.raises(BudgetExceededError):
            ask(replay, name, **SAID)

    assert replay.received == []
    assert process.charges == []


@pytest.mark.parametrize("name", ["chat.complete", "chat.stream"])
def test_another_model_and_a_cap_arrive(start: Start, replay: ReplayServer, ask: Ask, name: str):
    process = changing(start, cap=50, route={SMALL: "ministral-3b-latest"})
    whole = as_json(completion(usage(1000, 100), model="ministral-3b-latest"))
    replay.replies = [whole if name == "chat.complete" else as_sse(spoken(TEXT, told_usage=FULL), done=True)]

    ask(replay, name, **SAID, max_tokens=900)

    assert replay.received[0].json["model"] == "ministral-3b-latest"
    assert replay.received[0].json["max_tokens"] == 50
    assert len(the_charge(process).actions) == 2
