"""OTLP over HTTP, as its specification has it."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
from google.rpc.status_pb2 import Status

from otel_llmcost.errors import StoreError
from otel_llmcost_collector import self_metrics
from otel_llmcost_collector.receivers.admission import Admission
from otel_llmcost_collector.receivers.door import Door
from otel_llmcost_collector.receivers.http import HttpReceiver
from otel_llmcost_collector.tokens import Token
from tests.collector.asking import Said, areceive, get, post
from tests.collector.receivers.parts import BROKEN, JSON, PRICED, PROTOBUF, Parts, request, request_json

CONTENT = request("a", "b")
SENDER = Token(name="sender", sha256=sha256(b"geheim").hexdigest(), rights=frozenset({"ingest"}))
SUPPORT = Token(name="support", sha256=sha256(b"team").hexdigest(), rights=frozenset({"ingest"}), team="support")
AGENT = Token(name="agent", sha256=sha256(b"anders").hexdigest(), rights=frozenset({"agent"}))
CLOSED = Door(tokens=(SENDER, SUPPORT, AGENT))


def send(parts: Parts, content: bytes = CONTENT, path: str = "/v1/traces", **headers: str) -> Said:
    return post(parts.http, path, content, **{"content_type": PROTOBUF, **headers})


def told(said: Said) -> Status:
    assert said.headers["content-type"] == PROTOBUF
    return Status.FromString(said.content)


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/metrics", "/v1/logs"])
@pytest.mark.parametrize(
    ("kind", "content", "answer"), [(PROTOBUF, CONTENT, b""), (f"{JSON}; charset=utf-8", request_json("a"), b"{}")]
)
def test_every_signal_is_taken_in_both_forms(path: str, kind: str, content: bytes, answer: bytes) -> None:
    parts = Parts()

    said = send(parts, content, path, content_type=kind)

    assert (said.status, said.content) == (200, answer)
    assert said.headers["content-type"] == kind.partition(";")[0]
    assert parts.sink.taken[0][1] == content + (PRICED if path == "/v1/traces" else b"")


def test_packed_bodies_are_unpacked() -> None:
    parts = Parts()

    assert send(parts, gzip.compress(CONTENT), content_encoding="GZIP").status == 200

    assert parts.sink.taken[0][1] == CONTENT + PRICED


def test_spans_that_cannot_be_read_are_told_to_the_sender() -> None:
    said = send(Parts(), request_json("a", BROKEN), content_type=JSON)

    assert (said.status, said.json["partialSuccess"]["rejectedSpans"]) == (200, "1")


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        pytest.param(b"\x0a\xff", {}, 400, id="no-protobuf"),
        pytest.param(CONTENT, {"content_encoding": "gzip"}, 400, id="not-packed"),
        pytest.param(CONTENT, {"content_encoding": "br"}, 415, id="an-unknown-packing"),
        pytest.param(CONTENT, {"content_length": "one"}, 400, id="a-length-that-is-none"),
        pytest.param(CONTENT, {"content_length": "100001"}, 413, id="said-to-be-too-long"),
        pytest.param(bytes(100_001), {}, 413, id="too-long"),
        pytest.param(gzip.compress(bytes(1_000_001)), {"content_encoding": "gzip"}, 413, id="a-bomb"),
    ],
)
def test_what_cannot_be_taken_is_answered_with_a_status(content: bytes, headers: dict[str, str], status: int) -> None:
    parts = Parts()

    said = send(parts, content, **headers)

    assert (said.status, "retry-after" in said.headers) == (status, False)
    assert told(said).message
    assert (parts.books.posted, parts.admission.content_bytes, parts.admission.requests) == ([], 0, 0)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/grpc"])
def test_other_types_are_not_known(kind: str) -> None:
    said = send(Parts(), content_type=kind)

    assert (said.status, said.json["code"]) == (415, 12)


def test_other_paths_and_methods_are_told_what_there_is() -> None:
    parts = Parts()

    assert "/v1/logs" in told(send(parts, path="/v2/traces")).message
    got = get(parts.http, "/v1/traces")
    assert (got.status, got.headers["allow"]) == (405, "POST")


def test_who_looks_is_told_what_this_is() -> None:
    said = get(Parts().http, "/")

    assert (said.status, b"/v1/traces" in said.content) == (200, True)


def test_what_cannot_be_kept_now_comes_again() -> None:
    parts = Parts()
    parts.books.error = StoreError("gone")

    said = send(parts)

    assert (said.status, said.headers["retry-after"], told(said).code) == (503, "1", 14)


def test_one_request_too_many_is_refused_before_its_body_is_read() -> None:
    parts = Parts(admission=Admission(requests=0))

    said = send(parts)

    assert (said.status, said.headers["retry-after"]) == (429, "1")
    assert parts.counted(self_metrics.REQUESTS) == {("traces", "http", "busy"): 1}


def test_bytes_beyond_what_may_be_under_way_come_again() -> None:
    assert send(Parts(admission=Admission(content_bytes=len(CONTENT) - 1))).status == 429


@pytest.mark.parametrize(("shown", "status"), [("", 401), ("Bearer falsch", 401), ("Bearer anders", 403)])
def test_who_may_not_send_is_refused(shown: str, status: int) -> None:
    parts = Parts(door=CLOSED)

    said = send(parts, authorization=shown)

    assert (said.status, parts.books.posted) == (status, [])
    assert parts.counted(self_metrics.REQUESTS) == {("traces", "http", "unauthorized"): 1}


def test_who_may_send_sends_from_anywhere() -> None:
    parts = Parts(door=CLOSED)

    assert send(parts, authorization="Bearer geheim", host="collector.example").status == 200
    assert parts.books.posted[0].tags["team"] == "said"


def test_a_team_s_token_charges_that_team() -> None:
    parts = Parts(door=CLOSED)

    send(parts, authorization="Bearer team")

    assert {each.tags["team"] for each in parts.books.posted} == {"support"}


def test_without_tokens_a_page_that_was_led_here_is_refused() -> None:
    assert send(Parts(), host="evil.example").status == 403


def test_where_clients_show_certificates_any_name_will_do() -> None:
    assert send(Parts(door=Door(is_local=False)), host="collector.example").status == 200


async def test_a_body_in_pieces_is_one() -> None:
    parts = Parts()

    async def pieces() -> AsyncIterator[Any]:
        yield {"type": "http.request", "body": CONTENT[:3], "more_body": True}
        yield {"type": "http.request", "body": CONTENT[3:]}

    await areceive(parts.http, "POST", "/v1/traces", pieces, content_type=PROTOBUF)

    assert parts.sink.taken[0][1] == CONTENT + PRICED


async def test_a_body_that_does_not_come_in_time_may_come_again() -> None:
    parts = Parts()
    receiver = HttpReceiver(parts.intake, parts.admission, body_seconds=0)

    async def never() -> AsyncIterator[Any]:
        import asyncio

        await asyncio.Event().wait()
        yield {}

    assert (await areceive(receiver, "POST", "/v1/traces", never, content_type=PROTOBUF)).status == 503
    assert parts.admission.content_bytes == 0


async def test_a_sender_that_has_gone_is_not_answered() -> None:
    parts = Parts()

    async def pieces() -> AsyncIterator[Any]:
        yield {"type": "http.request", "body": CONTENT[:3], "more_body": True}
        yield {"type": "http.disconnect"}

    assert (await areceive(parts.http, "POST", "/v1/traces", pieces, content_type=PROTOBUF)).status == 0
    assert (parts.books.posted, parts.admission.content_bytes) == ([], 0)
