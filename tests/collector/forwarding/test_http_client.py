"""The HTTP client, as back ends well and badly behaved meet it."""

from __future__ import annotations

import asyncio

import pytest

from otel_llmcost_collector.forwarding.endpoints import Endpoint
from otel_llmcost_collector.forwarding.http_client import Answer, HttpClient
from tests.collector.forwarding.servers import CUT, CUT_IN_ANSWER, OK, HttpBackend, answer, http_backend

HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-length: "
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length-not: 1\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
)


def client(backend: HttpBackend) -> HttpClient:
    return HttpClient(Endpoint(host="127.0.0.1", port=backend.port, is_tls=False, path=""), None)


async def test_a_connection_is_kept_and_used_again() -> None:
    """Setting one up would cost more than the request."""
    async with http_backend() as backend:
        asking = client(backend)

        answers = [await asking.post(HEAD, b"%d" % number) for number in range(3)]

        assert [(each.status, each.body) for each in answers] == [(200, b"")] * 3
        assert (backend.bodies, backend.connections) == ([b"0", b"1", b"2"], 1)


async def test_as_many_connections_are_made_as_requests_are_under_way() -> None:
    async with http_backend() as backend:
        asking = client(backend)

        await asyncio.gather(*(asking.post(HEAD, b"x") for _ in range(3)))
        await asyncio.gather(*(asking.post(HEAD, b"x") for _ in range(3)))

        assert backend.connections == 3
        asking.close()


@pytest.mark.parametrize(
    ("said", "body"),
    [
        pytest.param(CHUNKED, b"abcde", id="in chunks"),
        pytest.param(b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\n" + answer(200, b"abc"), b"abc", id="after another"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nabc", b"abc", id="up to the end of the connection"),
        pytest.param(answer(200, b"abc", connection="close"), b"abc", id="the last of a connection"),
        pytest.param(b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc", b"abc", id="of an old server"),
    ],
)
async def test_answers_are_read_in_every_form(said: bytes, body: bytes) -> None:
    """And what follows is answered too, on the same connection or another."""
    async with http_backend(said) as backend:
        asking = client(backend)

        first, second = await asking.post(HEAD, b"x"), await asking.post(HEAD, b"y")

        assert (first.status, first.body, second.status) == (200, body, 200)


async def test_headers_are_found_in_lower_case() -> None:
    async with http_backend(b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\ncontent-length: 0\r\n\r\n") as backend:
        said = await client(backend).post(HEAD, b"x")

        assert said == Answer(503, {"retry-after": "3", "content-length": "0"}, b"")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(CUT, id="none"),
        pytest.param(CUT_IN_ANSWER, id="half a one"),
        pytest.param(b"HTTP/1.1 200 OK\r\nconte", id="not even its head"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="of another protocol"),
        pytest.param(b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nx", id="of one to come"),
        pytest.param(answer(200, b"x" * 3_000_000), id="without an end"),
    ],
)
async def test_an_answer_that_is_none_is_an_error(said: bytes) -> None:
    """What became of the request is not known then."""
    async with http_backend(said) as backend:
        asking = client(backend)
        with pytest.raises(OSError, match="answer"):
            await asking.post(HEAD, b"x")

        assert (await asking.post(HEAD, b"y")).status == 200


async def test_a_connection_that_was_closed_while_idle_is_replaced_unnoticed() -> None:
    """Servers close what nobody uses; that is no failure."""
    async with http_backend() as backend:
        asking = client(backend)
        await asking.post(HEAD, b"x")
        await backend.stop()
        await backend.start()

        assert (await asking.post(HEAD, b"y")).status == 200
        assert backend.connections == 2


async def test_a_connection_that_closes_just_as_it_is_used_again_is_replaced() -> None:
    """Nothing of an answer came, so nobody has looked at the request."""
    async with http_backend(OK, CUT) as backend:
        asking = client(backend)
        await asking.post(HEAD, b"x")

        assert (await asking.post(HEAD, b"y")).status == 200
        assert backend.bodies == [b"x", b"y"]


@pytest.mark.parametrize("more", [answer(503, retry_after="9"), b"HTTP/1.1 503 Busy\r\n", b"garbage"])
async def test_a_word_that_nobody_asked_for_ends_a_connection(more: bytes) -> None:
    """It would be taken for the answer to the next request."""
    async with http_backend(OK + more) as backend:
        asking = client(backend)

        said = [await asking.post(HEAD, b"x"), await asking.post(HEAD, b"y")]

        assert [(each.status, each.headers) for each in said] == [(200, {"content-length": "0"})] * 2
        assert backend.connections == 2


async def test_a_word_that_comes_while_a_connection_is_idle_ends_it() -> None:
    """As servers say that they waited for too long."""
    async with http_backend() as backend:
        asking = client(backend)
        await asking.post(HEAD, b"x")
        asking._idle[0].data_received(answer(408))

        assert (await asking.post(HEAD, b"y")).status == 200
        assert backend.connections == 2


async def test_nobody_there_is_an_error() -> None:
    async with http_backend() as backend:
        asking = client(backend)

    with pytest.raises(OSError, match="Connect"):
        await asking.post(HEAD, b"x")
