"""ollama, on one's own machine: counted and timed, and never paid unless its hours have a price."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import ollama
import pytest

from otel_llmcost import BudgetExceededError
from tests.instrumentation.conftest import Process, Start
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import Expected, check, told
from tests.replay.server import ReplayServer, Reply, as_json, as_lines
from tests.replay.twice import run, twice

Ask = Callable[..., Any]
HELLO = [{"role": "user", "content": "What is a fjord?"}]
TEXT = "Ein Fjord ist ein schmaler Meeresarm."
AT = "2026-11-01T10:00:00.000000Z"
TIMES = {
    "total_duration": 5_191_566_416,
    "load_duration": 2_154_458,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 383_809_000,
    "eval_count": 298,
    "eval_duration": 4_799_921_000,
}
USED = {"input_tokens": 26, "output_tokens": 298, "gpu_milliseconds": 5192}
PRICED = '[[price]]\nprovider = "ollama"\nmodel = "llama3.2"\ngpu_hour = 1.8\n'


def sync(replay: ReplayServer, name: str, **asked: Any) -> Any:
    opened = ollama.Client(host=replay.url)
    with opened._client:
        found = _method(opened, name)(**asked)
        return list(found) if isinstance(found, Iterator) else found


def asynchronous(replay: ReplayServer, name: str, **asked: Any) -> Any:
    async def ask() -> Any:
        opened = ollama.AsyncClient(host=replay.url)
        async with opened._client:
            found = await _method(opened, name)(**asked)
            return [each async for each in found] if isinstance(found, AsyncIterator) else found

    return run(ask)


def _method(opened: Any, name: str) -> Any:
    if not hasattr(opened, name):
        pytest.skip(f"this ollama has no {name}")
    return getattr(opened, name)


@pytest.fixture(params=[sync, asynchronous])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


def said(**more: Any) -> dict[str, Any]:
    return {"model": "llama3.2", "created_at": AT, **more}


LAST = {"done": True, "done_reason": "stop", **TIMES}
SAID: dict[str, Any] = {"model": "llama3.2", "messages": HELLO}
CALL = {"function": {"name": "look_up", "arguments": {"word": "fjord"}}}
WHOLE: dict[str, tuple[str, dict[str, Any], dict[str, Any], str, dict[str, int]]] = {
    "chat": ("chat", SAID, said(message={"role": "assistant", "content": TEXT}, **LAST), "chat", USED),
    "a tool": (
        "chat",
        SAID,
        said(message={"role": "assistant", "content": "", "tool_calls": [CALL]}, **LAST),
        "chat",
        USED,
    ),
    "text": ("generate", {"model": "llama3.2", "prompt": "?"}, said(response=TEXT, **LAST), "text_completion", USED),
    "embeddings": (
        "embed",
        {"model": "llama3.2", "input": "a"},
        {
            "model": "llama3.2",
            "embeddings": [[0.1, 0.2]],
            "total_duration": 14_143_917,
            "load_duration": 1_019_500,
            "prompt_eval_count": 8,
        },
        "embeddings",
        {"input_tokens": 8, "gpu_milliseconds": 14},
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_an_answer_is_counted_once_and_has_no_price(start: Start, replay: ReplayServer, ask: Ask, case: str):
    name, asked, body, operation, used = WHOLE[case]

    process = twice(start, replay, [as_json(body)], lambda: ask(replay, name, **asked))

    check(
        process.charge,
        Expected(
            provider="ollama", operation=operation, model="llama3.2", usage=used, cost_usd=None, status="unpriced"
        ),
    )
    (span,) = process.spans
    assert told(span)["gen_ai.provider.name"] == "ollama"
    assert told(span)["gen_ai.usage.input_tokens"] == used["input_tokens"]
    assert "gen_ai.usage.cost" not in told(span)


def pieces(key: str, *texts: str, thinks: bool = False) -> list[dict[str, Any]]:
    def piece(text: str) -> Any:
        told_as = {"content": "", "thinking": text} if thinks else {"content": text}
        return {"role": "assistant", **told_as} if key == "message" else text

    return [
        *(said(**{key: piece(each)}, done=False) for each in texts),
        said(**{key: piece("")}, **LAST),
    ]


STREAMS = {
    "chat": ("chat", SAID, pieces("message", "Ein ", "Fjord.")),
    "chat that thinks": ("chat", SAID, pieces("message", "Water.", thinks=True)),
    "text": ("generate", {"model": "llama3.2", "prompt": "?"}, pieces("response", "Ein ", "Fjord.")),
}


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_is_counted_by_its_last_line(start: Start, replay: ReplayServer, ask: Ask, case: str):
    name, asked, lines = STREAMS[case]

    process = twice(start, replay, [as_lines(lines)], lambda: ask(replay, name, **asked, stream=True))

    assert dict(process.charge.usage.counts) == USED
    assert (process.charge.status, process.charge.cost_nano) == ("unpriced", None)
    assert len(process.spans) == 1


def test_a_stream_that_no_sdk_asked_for_is_one_all_the_same(process: Process, replay: ReplayServer):
    """By hand, one gets a stream unless one says `stream: false`."""
    replay.replies = [as_lines(pieces("message", "Ein ", "Fjord."))]

    agent = {"user-agent": "ollama-python/0.6"}
    assert len(httpx.post(f"{replay.url}/api/chat", json=SAID, headers=agent).text.splitlines()) == 3

    assert dict(process.charge.usage.counts) == USED


@pytest.mark.parametrize("is_stream", [False, True])
def test_hours_that_have_a_price_are_paid_by_the_time_it_took(
    start: Start, replay: ReplayServer, ask: Ask, is_stream: bool
):
    process = start(PRICED)
    whole = as_json(WHOLE["chat"][2])
    replay.replies = [as_lines(pieces("message", "Ein ", "Fjord.")) if is_stream else whole]

    ask(replay, "chat", **SAID, stream=is_stream)

    assert process.charge.status == "confirmed"
    assert process.charge.cost_nano == 2_596_000  # 5.192 s x 1.80 / 3600


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_error_is_no_charge_but_a_span(start: Start, replay: ReplayServer, ask: Ask, status: int, is_stream: bool):
    reply = as_json({"error": "model not found"}, status=status)

    process = twice(start, replay, [reply], lambda: ask(replay, "chat", **SAID, stream=is_stream))

    assert process.charges == []
    (span,) = process.spans
    assert told(span)["error.type"] == str(status)


def test_an_error_within_a_stream(start: Start, replay: ReplayServer, ask: Ask):
    lines = [*pieces("message", *[TEXT] * 9)[:-1], {"error": "out of memory"}]

    process = twice(start, replay, [as_lines(lines)], lambda: ask(replay, "chat", **SAID, stream=True))

    charge = process.charge
    assert (charge.error_type, charge.cost_nano) == ("out of memory", None)
    assert charge.usage.output_tokens >= 40


def test_a_cut_connection_is_measured_by_what_came(start: Start, replay: ReplayServer, ask: Ask):
    reply = as_lines(pieces("message", *[TEXT] * 9))
    cut = Reply(content_type=reply.content_type, body=reply.body, breaks_after=len(reply.body) - 350)

    process = twice(start, replay, [cut], lambda: ask(replay, "chat", **SAID, stream=True))

    assert process.charge.method == "stream-ended-early"
    assert process.charge.usage.output_tokens >= 40
    assert process.charge.cost_nano is None


def test_a_refusal_reaches_the_program_and_nothing_is_sent(start: Start, replay: ReplayServer, ask: Ask):
    process = start('[[budget]]\nname = "b"\nlimit = 0\nwindow = "day"\nunpriced = "refuse"\n')

    for is_stream in (False, True):
        with pytest.raises(BudgetExceededError):
            ask(replay, "chat", **SAID, stream=is_stream)

    assert replay.received == []
    assert process.charges == []


@pytest.mark.parametrize("is_stream", [False, True])
def test_another_model_and_a_cap_arrive(start: Start, replay: ReplayServer, ask: Ask, is_stream: bool):
    process = changing(start, cap=50, route={"llama*": "llama3.2:1b"})
    replay.replies = [as_lines(pieces("message", "Ein ", "Fjord."))] if is_stream else [as_json(WHOLE["chat"][2])]

    ask(replay, "chat", **SAID, stream=is_stream, options={"seed": 7})

    assert replay.received[0].json["model"] == "llama3.2:1b"
    assert replay.received[0].json["options"] == {"seed": 7, "num_predict": 50}
    assert len(the_charge(process).actions) == 2
