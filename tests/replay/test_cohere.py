"""cohere against answers as Cohere documents them, by both versions of its interface: what is billed is what counts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import cohere
import pytest

from otel_llmcost import BudgetExceededError
from tests.instrumentation.conftest import Process, Start
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import Expected, check, told
from tests.replay.server import ReplayServer, Reply, as_json, as_lines, as_sse
from tests.replay.twice import run, twice

Ask = Callable[..., Any]
TEXT = "Ein Fjord ist ein schmaler Meeresarm."
HELLO = [{"role": "user", "content": "What is a fjord?"}]
MODEL = "command-a-03-2025"


def _client(name: str, replay: ReplayServer) -> Any:
    if not hasattr(cohere, name):
        pytest.skip(f"this cohere has no {name}")
    at_home = str(cohere.environment.ClientEnvironment.PRODUCTION.value)
    return getattr(cohere, name)(api_key="k", base_url=replay.url + ("/v1" if at_home.endswith("/v1") else ""))


@contextmanager
def _opened(name: str, replay: ReplayServer) -> Generator[Any]:
    found = _client(name, replay)
    if hasattr(found, "__enter__"):
        with found as opened:
            yield opened
    else:  # before version 5.3
        yield found


@asynccontextmanager
async def _aopened(name: str, replay: ReplayServer) -> AsyncGenerator[Any]:
    found = _client(name, replay)
    if hasattr(found, "__aenter__"):
        async with found as opened:
            yield opened
    else:
        yield found


def _method(opened: Any, name: str) -> Any:
    if not hasattr(opened, name):
        pytest.skip(f"this cohere has no {name}")
    return getattr(opened, name)


def sync(replay: ReplayServer, version: int, name: str, **asked: Any) -> Any:
    with _opened("Client" if version == 1 else "ClientV2", replay) as opened:
        found = _method(opened, name)(**asked)
        return list(found) if isinstance(found, Iterator) else found


def asynchronous(replay: ReplayServer, version: int, name: str, **asked: Any) -> Any:
    async def ask() -> Any:
        async with _aopened("AsyncClient" if version == 1 else "AsyncClientV2", replay) as opened:
            found = _method(opened, name)(**asked)
            return [each async for each in found] if isinstance(found, AsyncIterator) else await found

    return run(ask)


@pytest.fixture(params=[sync, asynchronous])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


def expected(cost: str | None, counts: dict[str, int], *, model: str = MODEL, **more: Any) -> Expected:
    return Expected(provider="cohere", model=model, usage=counts, cost_usd=cost, **more)


def billed(**units: float) -> dict[str, Any]:
    return {"api_version": {"version": "2"}, "billed_units": units}


USAGE: dict[str, Any] = {
    "billed_units": {"input_tokens": 1000.0, "output_tokens": 100.0},
    "tokens": {"input_tokens": 1066.0, "output_tokens": 103.0},
}
TOKENS = {"input_tokens": 1000, "output_tokens": 100}
COST = "0.0035"  # 1000 x 2.50 + 100 x 10.00 per million


def answer(usage: Any = USAGE, content: Any = None, **message: Any) -> dict[str, Any]:
    said = [{"type": "text", "text": TEXT}] if content is None else content
    return {
        "id": "c14c80c3-18eb-4519-9460-6c92edd8cfb4",
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": said, **message},
        "usage": usage,
    }


CALL = {"id": "look_up_1", "type": "function", "function": {"name": "look_up", "arguments": '{"word":"fjord"}'}}
OLD_ANSWER: dict[str, Any] = {
    "response_id": "r-1",
    "generation_id": "g-1",
    "text": TEXT,
    "chat_history": [{"role": "USER", "message": "What?"}, {"role": "CHATBOT", "message": TEXT}],
    "finish_reason": "COMPLETE",
    "meta": {"api_version": {"version": "1"}, **USAGE},
}
RERANKED = {
    "id": "rr-1",
    "results": [{"index": 1, "relevance_score": 0.98}, {"index": 0, "relevance_score": 0.1}],
    "meta": billed(search_units=1),
}
EMBEDDED = {"id": "e-1", "response_type": "embeddings_by_type", "embeddings": {"float": [[0.1, 0.2]]}, "texts": ["a"]}
EMBED = {"input_type": "search_document", "embedding_types": ["float"]}
CASES: dict[str, tuple[int, str, dict[str, Any], dict[str, Any], Expected]] = {
    "plain": (
        2,
        "chat",
        {"model": MODEL, "messages": HELLO},
        answer(),
        expected(COST, TOKENS, response_id="c14c80c3-18eb-4519-9460-6c92edd8cfb4"),
    ),
    "a tool": (
        2,
        "chat",
        {"model": MODEL, "messages": HELLO},
        answer(content=[], tool_plan="I will look it up.", tool_calls=[CALL]) | {"finish_reason": "TOOL_CALL"},
        expected(COST, TOKENS),
    ),
    "reasoning": (
        2,
        "chat",
        {"model": MODEL, "messages": HELLO},
        answer(content=[{"type": "thinking", "thinking": "Water."}, {"type": "text", "text": TEXT}]),
        expected(COST, TOKENS),
    ),
    "cached": (
        2,
        "chat",
        {"model": MODEL, "messages": HELLO},
        answer(USAGE | {"cached_tokens": 512.0}),
        expected(COST, TOKENS | {"cache_read_tokens": 512}),  # no price of its own
    ),
    "more cached than billed": (
        2,
        "chat",
        {"model": MODEL, "messages": HELLO},
        answer(
            {
                "billed_units": {"input_tokens": 5, "output_tokens": 100},
                "tokens": {"input_tokens": 71, "output_tokens": 100},
                "cached_tokens": 64,
            }
        ),
        expected("0.0010125", {"input_tokens": 5, "output_tokens": 100, "cache_read_tokens": 5}),
    ),  # 5 x 2.50 + 100 x 10.00
    "nothing billed": (
        2,
        "chat",
        {"model": MODEL, "messages": HELLO},
        answer({"billed_units": {"input_tokens": 0, "output_tokens": 0}, "tokens": {"input_tokens": 66}}),
        expected("0", {}),
    ),
    "chat of version 1": (1, "chat", {"model": MODEL, "message": "What?"}, OLD_ANSWER, expected(COST, TOKENS)),
    "chat of version 1 with a model of its own": (
        1,
        "chat",
        {"message": "What?"},
        OLD_ANSWER,
        expected(None, TOKENS, model="default", status="unpriced"),
    ),
    "text of version 1": (
        1,
        "generate",
        {"model": "command-r-08-2024", "prompt": "What?"},
        {
            "id": "gen-1",
            "generations": [{"id": "g-1", "text": TEXT, "finish_reason": "COMPLETE"}],
            "prompt": "What?",
            "meta": {"api_version": {"version": "1"}, **USAGE},
        },
        expected("0.00021", TOKENS, model="command-r-08-2024", operation="text_completion"),
    ),  # 1000 x 0.15 + 100 x 0.60
    "embeddings": (
        2,
        "embed",
        {"model": "embed-v4.0", "texts": ["a"], **EMBED},
        EMBEDDED | {"meta": billed(input_tokens=1000)},
        expected("0.00012", {"input_tokens": 1000}, model="embed-v4.0", operation="embeddings", response_id="e-1"),
    ),  # 1000 x 0.12
    "embeddings of version 1": (
        1,
        "embed",
        {"model": "embed-english-v3.0", "texts": ["a"], **EMBED},
        EMBEDDED | {"meta": billed(input_tokens=1000)},
        expected("0.0001", {"input_tokens": 1000}, model="embed-english-v3.0", operation="embeddings"),
    ),  # 1000 x 0.10
    "an embedded picture": (
        2,
        "embed",
        {"model": "embed-english-v3.0", "images": ["data:image/png;base64,iVBORw0KGgo="]}
        | EMBED
        | {"input_type": "image"},
        EMBEDDED | {"texts": [], "meta": billed(images=1)},
        expected("0.0001", {"images": 1}, model="embed-english-v3.0", operation="embeddings"),
    ),  # 1 x 0.0001
    "rerank": (
        2,
        "rerank",
        {"model": "rerank-v3.5", "query": "q", "documents": ["a", "b"]},
        RERANKED,
        expected("0.002", {"search_units": 1}, model="rerank-v3.5", operation="rerank", response_id="rr-1"),
    ),
    "rerank of version 1": (
        1,
        "rerank",
        {"model": "rerank-v3.5", "query": "q", "documents": ["a"] * 101},
        RERANKED | {"meta": billed(search_units=2)},
        expected("0.004", {"search_units": 2}, model="rerank-v3.5", operation="rerank"),
    ),  # one for each 100 documents
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_is_charged_once(start: Start, replay: ReplayServer, ask: Ask, case: str):
    version, name, asked, body, must = CASES[case]

    process = twice(start, replay, [as_json(body)], lambda: ask(replay, version, name, **asked))

    check(process.charge, must)
    (span,) = process.spans
    assert told(span)["gen_ai.operation.name"] == must.operation
    assert told(span)["gen_ai.provider.name"] == "cohere"
    assert replay.received[0].path.startswith(f"/v{version}/")


def spoken(*pieces: str, usage: Any = USAGE, **end: Any) -> list[dict[str, Any]]:
    return [
        {
            "type": "message-start",
            "id": "29f1",
            "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}},
        },
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
        *({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": each}}}} for each in pieces),
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage, **end}},
    ]


def old_spoken(*pieces: str) -> list[dict[str, Any]]:
    return [
        {"is_finished": False, "event_type": "stream-start", "generation_id": "g-1"},
        *({"is_finished": False, "event_type": "text-generation", "text": each} for each in pieces),
        {"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE", "response": OLD_ANSWER},
    ]


SAID: dict[str, Any] = {"model": MODEL, "messages": HELLO}
STREAMS: dict[str, tuple[int, dict[str, Any], Reply, Expected]] = {
    "version 2": (
        2,
        SAID,
        as_sse(spoken("Ein Fjord ", "ist ein Meeresarm."), named=True),
        expected(COST, TOKENS, response_id="29f1"),
    ),
    "version 1 by lines": (
        1,
        {"model": MODEL, "message": "What?"},
        as_lines(old_spoken("Ein Fjord ", "ist ein Meeresarm."), content_type="application/stream+json"),
        expected(COST, TOKENS, response_id="g-1"),
    ),
    "version 1 by events": (
        1,
        {"model": MODEL, "message": "What?"},
        as_sse(old_spoken("Ein Fjord ", "ist ein Meeresarm.")),
        expected(COST, TOKENS, response_id="g-1"),
    ),
}


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_is_charged_once_and_stays_one(start: Start, replay: ReplayServer, ask: Ask, case: str):
    version, asked, reply, must = STREAMS[case]

    process = twice(start, replay, [reply], lambda: ask(replay, version, "chat_stream", **asked))

    check(process.charge, must)
    assert len(process.spans) == 1


def test_a_stream_of_version_1_text_has_no_usage_so_it_is_estimated(start: Start, replay: ReplayServer, ask: Ask):
    made = {"id": "gen-1", "prompt": "What?", "generations": [{"id": "g-1", "text": TEXT, "finish_reason": "COMPLETE"}]}
    events = [
        *({"event_type": "text-generation", "text": each, "is_finished": False} for each in (TEXT, TEXT)),
        {"event_type": "stream-end", "is_finished": True, "finish_reason": "COMPLETE", "response": made},
    ]
    asked = {"model": "command-r-08-2024", "prompt": "What?"}

    process = twice(start, replay, [as_lines(events)], lambda: ask(replay, 1, "generate_stream", **asked))

    charge = process.charge
    assert (charge.status, charge.method) == ("estimated", "no-usage-reported")
    assert 10 <= charge.usage.output_tokens <= 40


@pytest.mark.parametrize("name", ["chat", "chat_stream", "rerank", "embed"])
@pytest.mark.parametrize("status", [401, 404, 429, 500, 529])
def test_an_error_is_no_charge_but_a_span(start: Start, replay: ReplayServer, ask: Ask, status: int, name: str):
    reply = as_json({"id": "x", "message": "no"}, status=status)
    asked = {
        "chat": SAID,
        "chat_stream": SAID,
        "rerank": {"model": "rerank-v3.5", "query": "q", "documents": ["a"]},
        "embed": {"model": "embed-v4.0", "texts": ["a"], **EMBED},
    }[name] | {"request_options": {"max_retries": 0}}

    process = twice(start, replay, [reply] * 9, lambda: ask(replay, 2, name, **asked))

    assert process.charges == []
    assert [told(span)["error.type"] for span in process.spans] == [str(status)] * len(replay.received)


def test_a_stream_that_ends_with_an_error_is_charged_for_what_came(start: Start, replay: ReplayServer, ask: Ask):
    reply = as_sse(spoken(*[TEXT] * 9, usage=None, finish_reason="ERROR", error="overloaded"), named=True)

    process = twice(start, replay, [reply], lambda: ask(replay, 2, "chat_stream", **SAID))

    assert (process.charge.status, process.charge.error_type) == ("estimated", "overloaded")
    assert process.charge.usage.output_tokens >= 40


def test_a_cut_connection_is_charged_for_what_came(start: Start, replay: ReplayServer, ask: Ask):
    reply = as_sse(spoken(*[TEXT] * 9), named=True)
    cut = Reply(content_type=reply.content_type, body=reply.body, breaks_after=len(reply.body) - 290)

    process = twice(start, replay, [cut], lambda: ask(replay, 2, "chat_stream", **SAID))

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")
    assert process.charge.usage.output_tokens >= 40


@pytest.mark.parametrize("usage", [None, {}, "many", {"billed_units": {"input_tokens": "9"}}, {"tokens": []}])
def test_a_usage_that_is_missing_or_broken_is_estimated(start: Start, replay: ReplayServer, ask: Ask, usage: Any):
    replies = [as_sse(spoken(TEXT, usage=usage), named=True)]

    process = twice(start, replay, replies, lambda: ask(replay, 2, "chat_stream", **SAID))

    assert process.charge.status == "estimated"
    assert process.charge.cost_nano


def test_a_stream_left_early_is_charged_for_what_came(process: Process, replay: ReplayServer):
    replay.replies = [as_sse(spoken(*[TEXT] * 50), named=True)]

    stream = _client("ClientV2", replay).chat_stream(**SAID)
    next(stream)
    stream.close()

    assert process.charge.status == "estimated"


def test_a_refusal_reaches_the_program_and_nothing_is_sent(start: Start, replay: ReplayServer, ask: Ask):
    process = start('[[budget]]\nname = "b"\nlimit = 0\nwindow = "day"\n')

    for name in ("chat", "chat_stream"):
        with pytest.raises(BudgetExceededError):
            ask(replay, 2, name, **SAID)

    assert replay.received == []
    assert process.charges == []


def test_a_parsed_document_is_told_by_its_pages_and_sound_by_nothing(start: Start, replay: ReplayServer, ask: Ask):
    """Neither has a price that we know."""
    process = start()
    page = {"page_number": 1, "markdown": "# A"}
    replay.replies = [as_json({"id": "p-1", "pages": [page], "meta": billed(pages=3)}), as_json({"text": "A fjord."})]
    document = {"type": "document_url", "document_url": {"url": "https://x.test/a.pdf"}}

    ask(replay, 2, "parse", model="parse-v1", document=document)
    with cohere.Client(api_key="k", base_url=replay.url) as opened:
        opened.audio.transcriptions.create(model="transcribe-v1", language="en", file=b"RIFF")

    parsed, heard = process.charges
    assert (parsed.operation, dict(parsed.usage.counts), parsed.status) == ("ocr", {"pages": 3}, "unpriced")
    assert (heard.operation, heard.requested_model, heard.cost_nano) == ("transcription", "transcribe-v1", None)


@pytest.mark.parametrize("case", STREAMS)
def test_another_model_and_a_cap_arrive(start: Start, replay: ReplayServer, ask: Ask, case: str):
    version, asked, reply, _ = STREAMS[case]
    process = changing(start, cap=50, route={MODEL: "command-r7b-12-2024"})
    replay.replies = [reply]

    ask(replay, version, "chat_stream", **asked)

    assert replay.received[0].json["model"] == "command-r7b-12-2024"
    assert replay.received[0].json["max_tokens"] == 50
    assert len(the_charge(process).actions) == 2


def test_ranks_take_another_model_and_need_no_cap(start: Start, replay: ReplayServer, ask: Ask):
    process = changing(start, cap=50, route={"rerank-*": "rerank-v3.5"})
    replay.replies = [as_json({"id": "r-1", "results": [], "meta": {"billed_units": {"search_units": 1}}})]

    ask(replay, 2, "rerank", model="rerank-v4.0-pro", query="?", documents=["a"])

    assert replay.received[0].json["model"] == "rerank-v3.5"
    assert the_charge(process).actions == ("route rerank-v4.0-pro to rerank-v3.5: b at 50%",)
