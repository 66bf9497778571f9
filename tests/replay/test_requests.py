"""Requests sent with `requests`, whatever way their answers are read."""

from __future__ import annotations

import gc
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3

import otel_llmcost
from otel_llmcost import BudgetExceededError
from otel_llmcost.config import load
from tests.instrumentation.conftest import EXPORTER, Process, Start
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import Expected, check, told
from tests.replay.server import ReplayServer, as_json, as_sse

ANSWER = {
    "id": "chatcmpl-7a1",
    "object": "chat.completion",
    "created": 1789000000,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Grüße"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}
PIECE = {"id": "chatcmpl-7a1", "object": "chat.completion.chunk", "created": 1789000000, "model": "gpt-4o-2024-08-06"}
PIECES = [
    {**PIECE, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], "usage": None}
    for text in ("Grüße", " an", " alle", " hier")
]
EVENTS = [*PIECES, {**PIECE, "choices": [], "usage": ANSWER["usage"]}]
BODY: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
STREAM: dict[str, Any] = {**BODY, "stream": True, "stream_options": {"include_usage": True}}
WHOLE = Expected(
    provider="openai",
    model="gpt-4o",
    served="gpt-4o-2024-08-06",
    usage={"input_tokens": 1000, "output_tokens": 100},
    cost_usd="0.0035",  # 1000 x 2.50 + 100 x 10.00 per million
    response_id="chatcmpl-7a1",
)
ZIPPED = replace(
    as_json(ANSWER, headers=(("content-encoding", "gzip"),)), body=gzip.compress(json.dumps(ANSWER).encode())
)
BUDGET = '[[budget]]\nname = "b"\nlimit = {limit}\nwindow = "day"\n'


def post(replay: ReplayServer, body: dict[str, Any] = BODY, **kwargs: Any) -> requests.Response:
    return requests.post(f"{replay.url}/v1/chat/completions", json=body, timeout=5, **kwargs)


def lines(answer: requests.Response) -> bytes:
    return b"".join(line + b"\n" for line in answer.iter_lines())


def decoded(answer: requests.Response) -> bytes:
    answer.encoding = "utf-8"
    return "".join(answer.iter_content(7, decode_unicode=True)).encode()


def raw(answer: requests.Response) -> bytes:
    return b"".join(iter(lambda: answer.raw.read(11, decode_content=True), b""))


WAYS: list[Callable[[requests.Response], bytes]] = [
    lambda answer: answer.content,
    b"".join,
    lambda answer: b"".join(answer.iter_content(None)),
    lambda answer: b"".join(answer.raw),
    lambda answer: answer.raw.read(decode_content=True),
    lines,
    decoded,
    raw,
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "read-later"])
@pytest.mark.parametrize("reply", [as_json(ANSWER), ZIPPED], ids=["plain", "zipped"])
def test_an_answer_is_charged_once_and_is_what_it_is_without_us(process: Process, replay: ReplayServer, reply, stream):
    replay.replies = [reply]

    answer = post(replay, stream=stream)

    assert type(answer) is requests.Response
    assert (answer.json(), answer.json()) == (ANSWER, ANSWER)
    check(process.charge, WHOLE)
    (span,) = process.spans
    assert told(span)["gen_ai.response.model"] == "gpt-4o-2024-08-06"


@pytest.mark.parametrize("way", WAYS, ids=range(len(WAYS)))
def test_a_stream_may_be_read_in_any_way(process: Process, replay: ReplayServer, way: Any):
    replay.replies = [as_sse(EVENTS, done=True)]

    with post(replay, STREAM, stream=True) as answer:
        found = way(answer)

    assert found == as_sse(EVENTS, done=True).body
    assert replay.received[0].json == STREAM
    check(process.charge, WHOLE)
    assert len(process.spans) == 1


def test_a_session_of_ones_own_class_is_accounted_too(process: Process, replay: ReplayServer):
    class Careful(requests.Session):
        def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            return super().send(request, **kwargs)

    replay.replies = [as_json(ANSWER)]
    with Careful() as session:
        session.post(f"{replay.url}/v1/chat/completions", json=BODY)

    check(process.charge, WHOLE)


def closed(answer: requests.Response) -> None:
    next(answer.iter_content(300))
    answer.close()


def left(answer: requests.Response) -> None:
    with answer:
        for _ in answer.iter_lines():
            break


def dropped(answer: requests.Response) -> None:
    next(answer.iter_content(300))


@pytest.mark.parametrize("end", [closed, left, dropped, lambda answer: answer.close()])
def test_a_stream_that_is_left_early_is_estimated(process: Process, replay: ReplayServer, end: Any):
    replay.replies = [as_sse(EVENTS * 20)]

    end(post(replay, STREAM, stream=True))
    gc.collect()

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")
    assert process.charge.usage.input_tokens > 0
    assert process.charge.cost_nano is not None


def test_a_connection_cut_in_a_stream_is_the_reader_s_error_and_an_estimate(process: Process, replay: ReplayServer):
    replay.replies = [as_sse(EVENTS, breaks_after=300)]

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        list(post(replay, STREAM, stream=True).iter_lines())

    assert process.charge.status == "estimated"
    assert process.charge.error_type is not None


def test_a_connection_cut_below_requests_is_an_estimate_too(process: Process, replay: ReplayServer):
    replay.replies = [as_sse(EVENTS, breaks_after=300)]

    with pytest.raises(urllib3.exceptions.ProtocolError):
        post(replay, STREAM, stream=True).raw.read()

    assert process.charge.status == "estimated"


def test_bytes_that_nobody_unzips_are_not_looked_into(process: Process, replay: ReplayServer):
    replay.replies = [ZIPPED]

    assert post(replay, stream=True).raw.read() == ZIPPED.body

    assert (process.charge.status, process.charge.method) == ("estimated", "no-usage-reported")


def test_a_connection_cut_in_an_answer_may_have_been_billed(process: Process, replay: ReplayServer):
    replay.replies = [replace(as_json(ANSWER), breaks_after=100)]

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        post(replay)

    assert process.charge.status == "suspected"


def test_a_connection_that_never_was_costs_nothing(process: Process):
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post("http://127.0.0.1:9/v1/chat/completions", json=BODY, timeout=5)

    assert process.charges == []
    (span,) = process.spans
    assert not span.status.is_ok


@pytest.mark.parametrize("status", [401, 404, 429, 500, 529])
def test_an_error_is_no_charge_but_a_span(process: Process, replay: ReplayServer, status: int):
    replay.replies = [as_json({"error": {"message": "no", "type": "error"}}, status=status)]

    assert post(replay).status_code == status

    assert process.charges == []
    (span,) = process.spans
    assert told(span)["error.type"] == str(status)


def test_an_error_that_a_hook_raises_is_known_by_its_status(process: Process, replay: ReplayServer):
    """AuthorizedSession and many programs let every answer raise for its status."""
    replay.replies = [as_json({"error": {"message": "slow down"}}, status=429)]
    hooks = {"response": lambda answer, **_: answer.raise_for_status()}

    with pytest.raises(requests.HTTPError):
        post(replay, hooks=hooks)

    assert process.charges == []
    assert told(process.spans[0])["error.type"] == "429"


def test_a_redirected_call_is_one_call(process: Process, replay: ReplayServer):
    replay.replies = [
        as_json({}, status=307, headers=(("location", f"{replay.url}/v1/chat/completions"),)),
        as_json(ANSWER),
    ]

    assert post(replay).json() == ANSWER

    assert len(replay.received) == 2
    check(process.charge, WHOLE)


def test_a_refusal_comes_before_anything_is_sent(start: Start, replay: ReplayServer):
    process = start(BUDGET.format(limit=0.000001))

    with pytest.raises(BudgetExceededError):
        post(replay)

    assert replay.received == []
    assert process.charges == []


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/v1/chat/completions/c-1"])
def test_other_requests_pass(process: Process, replay: ReplayServer, path: str):
    replay.replies = [as_json({}), as_json({})]

    requests.post(replay.url + path, json=BODY, timeout=5)
    requests.get(f"{replay.url}/v1/chat/completions", timeout=5)

    assert process.charges == []
    assert process.spans == []


def test_after_uninstrument_nothing_is_accounted(replay: ReplayServer, tmp_path: Path):
    replay.replies = [as_json(ANSWER)]
    otel_llmcost.instrument(load({"OTEL_LLMCOST_STORE": "memory://"}, cwd=tmp_path, home=tmp_path))
    EXPORTER.clear()

    otel_llmcost.uninstrument()

    assert post(replay).json() == ANSWER
    assert not hasattr(requests.Session.send, "__wrapped__")
    assert EXPORTER.get_finished_spans() == ()


def test_another_model_and_a_cap_arrive_with_their_length(start: Start, replay: ReplayServer):
    process = changing(start, cap=50, route={"gpt-4o": "gpt-4o-mini"})
    replay.replies = [as_json(ANSWER)]
    request = requests.Request("POST", f"{replay.url}/v1/chat/completions", json=BODY).prepare()
    made = request.body

    with requests.Session() as session:
        session.send(request)

    (received,) = replay.received
    assert received.json == {**BODY, "model": "gpt-4o-mini", "max_tokens": 50}
    assert len(received.body) == int(received.headers["content-length"])
    assert (request.body, request.headers["content-length"]) == (made, str(len(made or b"")))
    assert len(the_charge(process).actions) == 2


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "read-later"])
def test_a_change_that_is_rejected_is_taken_back(start: Start, replay: ReplayServer, stream: bool):
    process = changing(start, cap=50, route={"gemini-2.5-pro": "gemini-none"})
    replay.replies = [as_json({"error": "no"}, status=404), as_json({"usageMetadata": {"promptTokenCount": 9}})]
    url = f"{replay.url}/v1beta/models/gemini-2.5-pro:generateContent?a=b"

    answer = requests.post(url, json={"contents": []}, timeout=5, stream=stream)

    assert answer.json() == {"usageMetadata": {"promptTokenCount": 9}}
    assert [each.path for each in replay.received] == [
        url.removeprefix(replay.url).replace("2.5-pro", "none"),
        url.removeprefix(replay.url),
    ]
    assert replay.received[1].json == {"contents": []}
    assert all(each.endswith("(not possible)") for each in the_charge(process).actions)


def test_a_form_is_left_as_it_is(start: Start, replay: ReplayServer):
    process = changing(start, route={"whisper-1": "gpt-4o-mini-transcribe"})
    replay.replies = [as_json({"text": "a fjord", "duration": 2})]

    requests.post(
        f"{replay.url}/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": b"..."}, timeout=5
    )

    assert b"whisper-1" in replay.received[0].body
    assert the_charge(process).actions == ("route whisper-1 to gpt-4o-mini-transcribe: b at 50% (not possible)",)
