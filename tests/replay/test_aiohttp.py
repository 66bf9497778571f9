"""Requests sent with aiohttp, whatever way their answers are read."""

from __future__ import annotations

import asyncio
import gc
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import otel_llmcost
from otel_llmcost import BudgetExceededError
from otel_llmcost.config import load
from tests.instrumentation.conftest import EXPORTER, Process, Start
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import check, told
from tests.replay.server import ReplayServer, as_json, as_sse
from tests.replay.test_requests import ANSWER, BODY, BUDGET, EVENTS, STREAM, WHOLE, ZIPPED

PATH = "/v1/chat/completions"


@pytest.mark.parametrize("reply", [as_json(ANSWER), ZIPPED], ids=["plain", "zipped"])
async def test_an_answer_is_charged_once_and_is_what_it_is_without_us(process: Process, replay: ReplayServer, reply):
    replay.replies = [reply]

    async with aiohttp.ClientSession() as session, session.post(replay.url + PATH, json=BODY) as answer:
        assert type(answer) is aiohttp.ClientResponse
        assert isinstance(answer.content, aiohttp.StreamReader)
        assert await answer.json() == ANSWER

    check(process.charge, WHOLE)
    (span,) = process.spans
    assert told(span)["gen_ai.response.model"] == "gpt-4o-2024-08-06"


async def each(read: Any) -> bytes:
    found = b""
    async for data in read:
        found += data if isinstance(data, bytes) else data[0]
    return found


async def exactly(reader: aiohttp.StreamReader) -> bytes:
    first = await reader.readexactly(40)
    return first + await reader.read(9) + await reader.readuntil(b"}") + await reader.read()


async def nowait(reader: aiohttp.StreamReader) -> bytes:
    await reader.wait_eof()
    return reader.read_nowait()


WAYS = [
    lambda answer: answer.read(),
    lambda answer: answer.content.read(),
    lambda answer: each(answer.content),
    lambda answer: each(answer.content.iter_any()),
    lambda answer: each(answer.content.iter_chunked(7)),
    lambda answer: each(answer.content.iter_chunks()),
    lambda answer: exactly(answer.content),
    lambda answer: nowait(answer.content),
]


@pytest.mark.parametrize("way", WAYS, ids=range(len(WAYS)))
async def test_a_stream_may_be_read_in_any_way(process: Process, replay: ReplayServer, way: Any):
    replay.replies = [as_sse(EVENTS, done=True)]

    async with aiohttp.ClientSession() as session, session.post(replay.url + PATH, json=STREAM) as answer:
        assert await way(answer) == as_sse(EVENTS, done=True).body

    assert replay.received[0].json == STREAM
    check(process.charge, WHOLE)
    assert len(process.spans) == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"json": BODY}, id="json"),
        pytest.param({"data": b'{"model": "gpt-4o", "messages": []}'}, id="bytes"),
        pytest.param({"data": bytearray(b'{"model": "gpt-4o", "messages": []}')}, id="bytearray"),
        pytest.param({"data": '{"model": "gpt-4o", "messages": []}'}, id="text"),
    ],
)
async def test_a_call_may_be_written_in_any_way(process: Process, replay: ReplayServer, body: dict[str, Any]):
    replay.replies = [as_json(ANSWER), as_json(ANSWER)]

    async with aiohttp.ClientSession(replay.url, headers=[("X-Who", "me")]) as session:
        await (await session.post(PATH, headers={"Content-Type": "application/json"}, **body)).read()
        await (await session.request(method="post", url=PATH, headers=[("X-A", "b")], **body)).read()

    for charge in process.charges:
        check(charge, WHOLE)
    assert len(process.charges) == 2


async def test_a_form_that_names_no_model_is_let_through(process: Process, replay: ReplayServer):
    replay.replies = [as_json(ANSWER)]

    form = aiohttp.FormData({"prompt": "gpt-4o"})
    async with aiohttp.ClientSession() as session, session.post(replay.url + PATH, data=form) as answer:
        assert await answer.json() == ANSWER

    assert process.charges == []


async def left(answer: aiohttp.ClientResponse) -> None:
    async with answer:
        await answer.content.readline()


async def closed(answer: aiohttp.ClientResponse) -> None:
    await answer.content.readany()
    answer.close()


async def cancelled(answer: aiohttp.ClientResponse) -> None:
    async def read_all() -> None:
        async with answer:
            await answer.read()

    task = asyncio.ensure_future(read_all())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def dropped(answer: aiohttp.ClientResponse) -> None:
    await answer.content.readany()


@pytest.mark.parametrize("end", [left, closed, cancelled, dropped])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_stream_that_is_left_early_is_estimated(process: Process, replay: ReplayServer, end: Any):
    replay.replies = [as_sse(EVENTS[:-1] * 9000)]

    async with aiohttp.ClientSession() as session:
        await end(await session.post(replay.url + PATH, json=STREAM))
    gc.collect()

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")
    assert process.charge.usage.input_tokens > 0
    assert process.charge.error_type is None


async def test_a_connection_cut_in_a_stream_is_the_reader_s_error_and_an_estimate(
    process: Process, replay: ReplayServer
):
    replay.replies = [as_sse(EVENTS, breaks_after=300)]

    async with aiohttp.ClientSession() as session, session.post(replay.url + PATH, json=STREAM) as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()

    assert process.charge.status == "estimated"
    assert process.charge.error_type == "ClientPayloadError"


async def test_a_connection_that_never_was_costs_nothing(process: Process):
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.post(f"http://127.0.0.1:9{PATH}", json=BODY)

    assert process.charges == []
    (span,) = process.spans
    assert not span.status.is_ok


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_a_server_that_does_not_answer_may_have_billed(process: Process, hangs_up: bool):
    writers: list[asyncio.StreamWriter] = []

    def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if hangs_up:
            writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{PATH}"
        with pytest.raises((aiohttp.ClientConnectionError, TimeoutError)):
            await session.post(url, json=BODY, timeout=aiohttp.ClientTimeout(sock_read=0.05))
        writers[0].close()
        await writers[0].wait_closed()

    assert process.charge.status == "suspected"


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("status", [401, 429, 529])
async def test_an_error_is_no_charge_but_a_span(process: Process, replay: ReplayServer, status: int, raises: bool):
    replay.replies = [as_json({"error": {"message": "no", "type": "error"}}, status=status)]

    expected = pytest.raises(aiohttp.ClientResponseError) if raises else nullcontext()
    with expected:
        async with (
            aiohttp.ClientSession(raise_for_status=raises) as session,
            session.post(replay.url + PATH, json=BODY) as answer,
        ):
            assert answer.status == status

    assert process.charges == []
    (span,) = process.spans
    assert told(span)["error.type"] == str(status)


async def test_a_refusal_comes_before_anything_is_sent(start: Start, replay: ReplayServer):
    process = start(BUDGET.format(limit=0.000001))

    async with aiohttp.ClientSession() as session:
        with pytest.raises(BudgetExceededError):
            await session.post(replay.url + PATH, json=BODY)

    assert replay.received == []
    assert process.charges == []


async def test_other_requests_pass(process: Process, replay: ReplayServer):
    replay.replies = [as_json({}), as_json({})]

    async with (
        aiohttp.ClientSession(replay.url) as session,
        session.get(PATH) as one,
        session.post("/v1/models", json=BODY) as other,
    ):
        assert (one.status, other.status) == (200, 200)

    assert process.spans == []


async def test_after_uninstrument_nothing_is_accounted(replay: ReplayServer, tmp_path: Path):
    replay.replies = [as_json(ANSWER)]
    otel_llmcost.instrument(load({"OTEL_LLMCOST_STORE": "memory://"}, cwd=tmp_path, home=tmp_path))
    EXPORTER.clear()

    otel_llmcost.uninstrument()

    async with aiohttp.ClientSession() as session, session.post(replay.url + PATH, json=BODY) as answer:
        assert await answer.json() == ANSWER
    assert not hasattr(aiohttp.ClientSession._request, "__wrapped__")
    assert EXPORTER.get_finished_spans() == ()


TEXT_BODY = '{"model": "gpt-4o", "messages": []}'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"json": {"model": "gpt-4o", "messages": []}}, id="json"),
        pytest.param({"data": TEXT_BODY.encode()}, id="bytes"),
        pytest.param({"data": TEXT_BODY, "headers": {"Content-Length": str(len(TEXT_BODY)), "x-mine": "1"}}, id="text"),
        pytest.param({"data": bytearray(TEXT_BODY.encode()), "headers": [("x-mine", "1")]}, id="bytearray"),
    ],
)
async def test_another_model_and_a_cap_arrive_with_their_length(start: Start, replay: ReplayServer, body: Any):
    process = changing(start, cap=50, route={"gpt-4o": "gpt-4o-mini"})
    replay.replies = [as_json(ANSWER)]

    async with aiohttp.ClientSession() as session, session.post(replay.url + PATH, **body) as answer:
        assert await answer.json() == ANSWER

    (received,) = replay.received
    assert received.json == {"model": "gpt-4o-mini", "messages": [], "max_tokens": 50}
    assert len(received.body) == int(received.headers["content-length"])
    assert received.headers.get("x-mine") == ("1" if "headers" in body else None)
    assert len(the_charge(process).actions) == 2


@pytest.mark.parametrize("raise_for_status", [False, True])
@pytest.mark.parametrize("has_base", [False, True])
async def test_a_change_that_is_rejected_is_taken_back(
    start: Start, replay: ReplayServer, raise_for_status: bool, has_base: bool
):
    """Be it that the client was asked to raise about it, or knows the host already."""
    process = changing(start, route={"gemini-2.5-pro": "gemini-none"})
    replay.replies = [as_json({"error": "no"}, status=404), as_json({"usageMetadata": {"promptTokenCount": 9}})]
    path = "/v1beta/models/gemini-2.5-pro:generateContent?a=b"
    options = {"raise_for_status": raise_for_status, "base_url": replay.url if has_base else None}

    async with aiohttp.ClientSession(**options) as session:
        url = path if has_base else replay.url + path
        answer = await session._request("POST", str_or_url=url, json={"contents": []})
        assert await answer.json() == {"usageMetadata": {"promptTokenCount": 9}}

    assert [each.path for each in replay.received] == [path.replace("2.5-pro", "none"), path]
    assert the_charge(process).actions == ("route gemini-2.5-pro to gemini-none: b at 50% (not possible)",)


async def test_a_form_is_left_as_it_is(start: Start, replay: ReplayServer):
    process = changing(start, cap=50)
    replay.replies = [as_json(ANSWER)]

    form = {"model": "gpt-4o", "messages": "[]"}
    async with aiohttp.ClientSession() as session, session.post(replay.url + PATH, data=form) as answer:
        assert await answer.json() == ANSWER

    assert replay.received[0].body == b"model=gpt-4o&messages=%5B%5D"
    assert the_charge(process).actions == ("cap 50: b at 50% (not possible)",)
