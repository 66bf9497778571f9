"""A store behind a server: what it does when the server, the network or the token is not as it should be."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from otel_llmcost.core.actions import Action
from otel_llmcost.core.budget import Grant, Refusal
from otel_llmcost.errors import ConfigError, StoreBusyError, StoreError, UnstorableError
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Store
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost.storage.remote import RemoteStore
from otel_llmcost.storage.writer import Writer
from otel_llmcost_collector.store_api import StoreApi
from tests.storage.books import NOW, USD, Books, budget, charge
from tests.storage.cutting import Cutting
from tests.storage.processes import race
from tests.storage.serving import Serving

_CLAIMS_AT_ONCE = """
import json, sys
from otel_llmcost.storage import open_store
from tests.storage.books import Books, budget

books = Books(open_store(sys.argv[1]), [budget(limit="5")])
holds = [books.hold(1) for _ in range(25)]
books.balance()
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(sum(books.store.reserve(hold) is None for hold in holds)), flush=True)
"""

_FORKS = """
import json, os, sys
from otel_llmcost.storage import open_store
from tests.storage.books import Books, budget

books = Books(open_store(sys.argv[1]), [budget(limit="5")])
books.spend(1)
print("ready", flush=True)
sys.stdin.readline()
child = os.fork()
for _ in range(2):
    books.spend(1)
if child == 0:
    os._exit(0)
print(json.dumps(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def answering(serving: Serving) -> Callable[[int, bytes], Store]:
    """Makes the server say one thing to whatever it is asked."""

    def answer(status: int, content: bytes) -> Store:
        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            headers = [(b"content-length", str(len(content)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": content})

        serving.app = app
        return open_store(f"http://127.0.0.1:{serving.port}", token="geheim")

    return answer


@pytest.fixture
def cutting(url_of_a_served_store: str) -> Iterator[Cutting]:
    port = urlsplit(url_of_a_served_store).port
    assert port is not None
    with Cutting(port) as running:
        yield running


@pytest.fixture
def cut(cutting: Cutting) -> Iterator[Store]:
    """A store whose connections break."""
    store = open_store(f"{cutting.url}?timeout=5")
    yield store
    store.close()


def test_a_reservation_whose_answer_is_lost_is_taken_once(cutting: Cutting, cut: Store) -> None:
    books = Books(cut)
    hold = books.hold(6)
    cutting.cuts = 1

    assert cut.reserve(hold) is None

    assert (books.balance().reserved_nano, cut.open_reservations()) == (6 * USD, 1)


def test_a_refusal_whose_answer_is_lost_is_counted_and_told_once(cutting: Cutting, cut: Store) -> None:
    books = Books(cut)
    hold = books.hold(11)
    cutting.cuts = 1

    refusal = cut.reserve(hold)

    assert isinstance(refusal, Refusal)
    assert (refusal.told, books.balance().refused) == (("exceeded",), 1)


def test_what_was_spent_before_is_told_though_the_first_answer_is_lost(cutting: Cutting, cut: Store) -> None:
    """Else the call would be sent as if no action were due."""
    books = Books(cut, [budget(actions=(Action(share=budget().marks[0].share, level="warning", cap=100),))])
    books.store.reserve(books.hold(1))
    cutting.cuts = 1

    answer = cut.reserve(books.hold(1))

    assert isinstance(answer, Grant)
    assert list(answer.watched.values()) == [0]


def test_a_settlement_whose_answer_is_lost_is_booked_and_told_once(cutting: Cutting, cut: Store) -> None:
    books = Books(cut)
    posting = books.posting(books.reserve(8), 8)
    cutting.cuts = 1

    fired = cut.settle([posting])

    balance = books.balance()
    assert ([alert.level for alert in fired], balance.settled_nano, balance.calls) == (["warning"], 8 * USD, 1)


def test_a_connection_that_breaks_twice_is_an_error(cutting: Cutting, cut: Store) -> None:
    cutting.cuts = 2

    with pytest.raises(StoreError, match=r"no answer from http://127\.0\.0\.1"):
        cut.open_reservations()

    assert cut.open_reservations() == 0


def test_what_was_not_answered_in_time_is_not_asked_again(cutting: Cutting) -> None:
    """Whoever is slow is not helped by more to do."""
    store = open_store(f"{cutting.url}?timeout=0.05")
    books = Books(store)
    cutting.hangs = True

    with pytest.raises(StoreError, match=r"within 0\.05 s: timed out"):
        store.reserve(books.hold(1))

    assert cutting.requests == 1
    store.close()


def test_connections_are_kept(cutting: Cutting, cut: Store) -> None:
    connected: list[object] = []
    take = cut._server._connections._take
    cut._server._connections._take = lambda deadline: connected.append(take(deadline)) or connected[-1]

    for _ in range(3):
        cut.open_reservations()

    assert len(set(map(id, connected))) == 1


def test_a_connection_that_nobody_used_for_long_is_not_used_again(cut: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Balancers close it without a word."""
    cut.open_reservations()
    (idle,) = cut._server._connections._idle.queue
    monkeypatch.setattr("otel_llmcost.storage.remote_connections._IDLE_SECONDS", 0.0)

    cut.open_reservations()

    assert idle.connection.sock is None


def test_what_was_wrong_with_a_connection_that_nobody_waited_for_is_forgotten(cut: Store) -> None:
    cut._server._connections._idle.put(OSError("of long ago"))

    assert cut.open_reservations() == 0

    cut._server._connections._idle.put(OSError("again"))
    cut.close()


def test_connections_are_not_opened_without_end(cut: Store) -> None:
    """A server that does not even say no would cost a thread for each call."""
    for _ in range(4):
        cut._server._connections._openers.acquire()
    cut._server._deadline_seconds = 0.01

    with pytest.raises(StoreError, match="no connection in time"):
        cut.open_reservations()


def test_where_no_thread_can_be_started_any_more_it_does_without(cut: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left is written as the interpreter ends."""

    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "otel-llmcost-connect":
            msg = "can't start new thread at interpreter shutdown"
            raise RuntimeError(msg)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert cut.open_reservations() == 0


def test_behind_a_fork_everything_begins_anew(cut: Store) -> None:
    cut.open_reservations()
    connections = cut._server._connections
    (ours,) = connections._idle.queue
    for _ in range(32):
        connections._turns.acquire()

    connections.after_fork_in_child()

    assert cut.open_reservations() == 0
    assert ours not in connections._idle.queue


async def test_of_a_hundred_claims_on_an_event_loop_exactly_five_are_taken(cut: Store) -> None:
    books = Books(cut, [budget(limit="5")])
    writer = Writer(cut, now=lambda: NOW)

    async def reserve() -> object:
        hold = books.hold(1)
        try:
            return writer.reserve(hold, wait=False)
        except StoreBusyError:
            return await asyncio.to_thread(writer.reserve, hold)

    taken = await asyncio.gather(*(reserve() for _ in range(100)))

    assert (taken.count(None), books.balance().reserved_nano) == (5, 5 * USD)
    writer.close()


def test_of_a_hundred_claims_by_four_processes_exactly_five_are_taken(url_of_a_served_store: str) -> None:
    taken = race(_CLAIMS_AT_ONCE, 4, url_of_a_served_store)

    books = Books(open_store(url_of_a_served_store), [budget(limit="5")])
    assert (sum(taken), books.balance().reserved_nano, books.balance().refused) == (5, 5 * USD, 95)
    books.store.close()


def test_a_forked_child_has_connections_of_its_own(url_of_a_served_store: str) -> None:
    assert race(_FORKS, 1, url_of_a_served_store) == [0]

    books = Books(open_store(url_of_a_served_store), [budget(limit="5")])
    assert books.balance().settled_nano == 5 * USD
    books.store.close()


def test_whoever_may_not_wait_is_told_so_and_nothing_is_asked() -> None:
    store = open_store("http://127.0.0.1:1")

    with pytest.raises(StoreBusyError):
        store.reserve(Books(store).hold(1), wait=False)


def test_what_needs_no_store_asks_none() -> None:
    store = open_store("http://127.0.0.1:1")

    assert store.reserve(Books(store, []).hold(1)) is None
    assert store.settle([]) == []
    store.renew([], NOW)


def test_a_server_that_is_not_there_is_named_and_the_token_is_not() -> None:
    store = open_store("http://127.0.0.1:1", token="geheim")

    with pytest.raises(StoreError, match=r"http://127\.0\.0\.1:1 within 5 s: Connection refused") as caught:
        store.open_reservations()

    assert "geheim" not in str(caught.value)


def test_a_proxy_that_cannot_be_one_is_a_stores_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:port")
    store = open_store("https://collector.example")

    with pytest.raises(StoreError, match=r"no connection can be made: .*port"):
        store.open_reservations()


def test_a_closed_store_is_an_error(cut: Store) -> None:
    cut.open_reservations()
    cut.close()

    with pytest.raises(StoreError, match="the store is closed"):
        cut.open_reservations()


def test_too_many_acts_at_once_are_an_error(cut: Store) -> None:
    """An endless queue would hold up the agent."""
    for _ in range(32):
        cut._server._connections._turns.acquire()
    books = Books(RemoteStore(urlsplit("http://127.0.0.1:1"), reserve_seconds=0.01))
    books.store._server._connections = cut._server._connections

    with pytest.raises(StoreError, match="too many acts at once"):
        books.store.reserve(books.hold(1))


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        pytest.param(401, "does not know the token: why", StoreError, id="unknown-token"),
        pytest.param(403, "does not let the token do this: why", StoreError, id="token-without-the-right"),
        pytest.param(503, "answered 503: why", StoreError, id="busy"),
        pytest.param(422, "answered 422: why", UnstorableError, id="never-storable"),
        pytest.param(413, "answered 413: why", UnstorableError, id="too-large"),
    ],
)
def test_a_problem_is_told_as_the_server_says_it(
    answering: Callable[[int, bytes], Store], status: int, said: str, kind: type[StoreError]
) -> None:
    store = answering(status, b'{"title": "What", "status": 1, "detail": "why"}')

    with pytest.raises(StoreError, match=said) as caught:
        store.settle([Books(store).posting(Books(store).hold(1), 1)])

    assert type(caught.value) is kind
    store.close()


@pytest.mark.parametrize(
    ("status", "content"), [(200, b"<html>"), (200, b'{"count": "many"}'), (502, b"<html>"), (302, b"")]
)
def test_a_server_of_something_else_is_an_error(
    answering: Callable[[int, bytes], Store], status: int, content: bytes
) -> None:
    store = answering(status, content)

    with pytest.raises(StoreError, match=r"form that is not known|no budget API"):
        store.open_reservations()

    store.close()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param("https://", "no host", id="no-host"),
        pytest.param("https://user:geheim@collector", "no host, or more", id="password"),
        pytest.param("https://collector:0", "no host, or more", id="no-port"),
        pytest.param("https://collector:http", "no host, or more", id="a-port-that-is-no-number"),
        pytest.param("https://collector/bücher", "no host, or more", id="a-path-that-cannot-be-sent"),
        pytest.param("https://collector#part", "no host, or more", id="fragment"),
        pytest.param("http://collector:4319", "for this machine only", id="plain-over-a-network"),
        pytest.param("http://10.0.0.1:4319", "for this machine only", id="plain-to-an-address"),
        pytest.param("https://collector?timeout=0", "timeout", id="no-time"),
        pytest.param("https://collector?timeout=900", "timeout", id="too-much-time"),
        pytest.param("https://collector?token=geheim", "token", id="unknown-option"),
    ],
)
def test_a_url_that_cannot_be_used_is_said_at_once(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        open_store(url)

    assert caught.value.key == "store"
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:4319", "http://[::1]:4319/llm/", "https://collector?timeout=0.5"])
def test_a_url_that_can_be_used_opens_nothing(url: str) -> None:
    store = open_store(url)

    assert not store.is_local
    store.close()


def test_a_token_that_no_header_can_hold_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match="cannot be sent") as caught:
        open_store("https://collector", token="gehe\nim")

    assert caught.value.key == "store_token"


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return made


def served_with_tls(authority: trustme.CA, folder: Path) -> Serving:
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return Serving(StoreApi(MemoryStore()), ssl_certfile=str(folder / "server.pem"))


def test_it_speaks_tls_to_a_server_it_trusts(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))

    with served_with_tls(authority, tmp_path) as server:
        books = Books(open_store(f"https://localhost:{server.port}?timeout=5"))
        books.spend(1)
        settled = books.balance().settled_nano
        books.store.close()

    assert settled == USD


def test_it_does_not_speak_to_a_server_that_nobody_vouches_for(authority: trustme.CA, tmp_path: Path) -> None:
    with served_with_tls(authority, tmp_path) as server:
        store = open_store(f"https://localhost:{server.port}")

        with pytest.raises(StoreError, match=r"certificate verify failed|CERTIFICATE_VERIFY_FAILED") as caught:
            store.open_reservations()

    assert isinstance(caught.value.__cause__, ssl.SSLError)


def test_a_long_ledger_comes_page_by_page(serving: Serving) -> None:
    kept = MemoryStore()
    serving.app = StoreApi(kept)
    at_once = [charge(NOW) for _ in range(600)]
    later = [charge(NOW + timedelta(seconds=number)) for number in range(600)]
    for each in (*at_once, *later):
        kept._ledger.add(each)
    store = open_store(f"http://127.0.0.1:{serving.port}")

    found = [each.charge_id for each in store.charges(NOW, NOW + timedelta(days=1))]

    assert found == [each.charge_id for each in kept.charges(NOW, NOW + timedelta(days=1))]
    store.close()
