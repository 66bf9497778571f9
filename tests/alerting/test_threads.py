"""The dispatcher's thread: when it lives, what it must not inherit, and how long an exit may take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any

import pytest
from opentelemetry import baggage, context
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from opentelemetry.instrumentation.utils import is_instrumentation_enabled, suppress_instrumentation

from otel_llmcost.alerting import dispatcher as module
from otel_llmcost.alerting.dispatcher import Dispatcher
from otel_llmcost.alerting.message import Message
from otel_llmcost.alerting.schedule import DELIVERED, Outcome
from otel_llmcost.alerting.webhook import verify
from otel_llmcost.core.alert import Channel, Delivery
from otel_llmcost.errors import StoreError
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost.storage.sqlite import SqliteStore
from tests.alerting.makers import SECRET, alert, alert_of, channel
from tests.alerting.receiver import Receiver, silence

OPS = channel("http://127.0.0.1/")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.fire(alert(at=now()))
    return store


@pytest.fixture(autouse=True)
def without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REST_SECONDS", 0)


def the_thread() -> threading.Thread | None:
    return next((each for each in threading.enumerate() if each.name == "otel-llmcost-alerts"), None)


def test_a_poke_delivers_in_the_background(store: MemoryStore, receiver: Receiver):
    dispatcher = Dispatcher(store, [channel(receiver.url)], clock=now)

    dispatcher.poke()

    assert receiver.has_come.wait(5)
    dispatcher.close()
    assert store.deliveries()[0].state == "delivered"


def test_a_close_delivers_what_was_poked_just_before(store: MemoryStore, receiver: Receiver):
    dispatcher = Dispatcher(store, [channel(receiver.url)], clock=now)

    dispatcher.poke()
    dispatcher.close()

    assert store.deliveries()[0].state == "delivered"


def test_the_thread_lives_only_while_there_is_something_to_deliver(store: MemoryStore, receiver: Receiver):
    """A process that idles, or is about to fork, should have no thread of ours."""
    dispatcher = Dispatcher(store, [channel(receiver.url)], clock=now)
    assert the_thread() is None

    for number in range(3):
        store.fire(alert_of(f"budget-{number}", at=now()))
        dispatcher.poke()
        thread = the_thread()
        if thread is not None:
            thread.join(5)
        assert the_thread() is None

    assert len(receiver.got) == 4
    dispatcher.close()


def test_a_failed_delivery_is_tried_again_without_another_poke(store: MemoryStore):
    attempts = threading.Semaphore(0)

    def send(*_: Any, **__: Any) -> Outcome:
        attempts.release()
        return Outcome(state="pending", problem="answered 500", retry_after=timedelta(0))

    ticks = iter(range(10**6))
    dispatcher = Dispatcher(store, [OPS], clock=lambda: now() + timedelta(hours=next(ticks)), send=send)

    dispatcher.poke()

    assert all(attempts.acquire(timeout=5) for _ in range(3))
    dispatcher.close()


def test_reminders_come_without_another_poke(store: MemoryStore):
    news: SimpleQueue[str] = SimpleQueue()

    def send(_channel: Channel, message: Message, *_: Any) -> Outcome:
        news.put(json.loads(message.body)["data"]["state"])
        return DELIVERED

    ticks = iter(range(10**6))
    rules = replace(OPS, remind_every=timedelta(minutes=1))
    dispatcher = Dispatcher(store, [rules], clock=lambda: now() + timedelta(minutes=next(ticks)), send=send)

    dispatcher.poke()

    assert [news.get(timeout=5) for _ in range(3)] == ["fired", "reminded", "reminded"]
    dispatcher.close()


def test_a_fault_of_the_store_does_not_end_the_delivering(receiver: Receiver):
    failed = threading.Event()

    class FailsOnce(MemoryStore):
        def claim_deliveries(self, *arguments: Any, **more: Any) -> list[Delivery]:
            if not failed.is_set():
                failed.set()
                raise StoreError("database is locked")
            return super().claim_deliveries(*arguments, **more)

    store = FailsOnce()
    store.fire(alert(at=now()))
    dispatcher = Dispatcher(store, [channel(receiver.url)], clock=now, around=lambda: suppress(StoreError))

    dispatcher.poke()
    assert failed.wait(5)
    dispatcher.poke()
    dispatcher.close()

    assert len(receiver.got) == 1


def test_after_a_close_nothing_is_started_again(store: MemoryStore, receiver: Receiver):
    dispatcher = Dispatcher(store, [channel(receiver.url)], clock=now)

    dispatcher.close()
    dispatcher.poke()
    dispatcher.close()

    assert the_thread() is None
    assert receiver.got == []


def test_what_an_earlier_run_left_is_taken_up(tmp_path: Path, receiver: Receiver):
    """Also an alert that the earlier run was killed before it could look at."""
    store = SqliteStore(tmp_path / "ledger.db")
    store.fire(alert(at=now()))
    dispatcher = Dispatcher(store, [channel(receiver.url)], clock=now)

    dispatcher.resume()

    assert receiver.has_come.wait(5)
    dispatcher.close()
    store.close()


def test_without_channels_nothing_is_taken_up(store: MemoryStore):
    dispatcher = Dispatcher(store, [], clock=now)

    dispatcher.resume()

    assert the_thread() is None


def test_two_dispatchers_deliver_each_alert_once(tmp_path: Path, receiver: Receiver):
    stores = [SqliteStore(tmp_path / "ledger.db") for _ in range(2)]
    for number in range(40):
        stores[0].fire(alert_of(f"budget-{number}", at=now()))
    dispatchers = [Dispatcher(store, [channel(receiver.url)], clock=now) for store in stores]
    for dispatcher in dispatchers:
        dispatcher.poke()
    for dispatcher in dispatchers:
        dispatcher.close(10)

    assert len(receiver.got) == 40
    assert len(set(receiver.ids)) == 40
    for store in stores:
        store.close()


def test_a_receiver_that_hangs_does_not_hold_up_an_exit(store: MemoryStore, receiver: Receiver):
    receiver.otherwise = silence
    dispatcher = Dispatcher(store, [channel(receiver.url)], clock=now)
    dispatcher.poke()
    assert receiver.has_come.wait(5)
    began = monotonic()

    dispatcher.close(0.1)

    assert monotonic() - began < 2
    assert store.pending_deliveries() == 1


def test_an_exit_gives_each_receiver_a_share_of_its_time(
    store: MemoryStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    """One that hangs leaves something to the next, even where no thread can be started any more."""
    with Receiver() as hanging:
        hanging.otherwise = silence
        no_more_threads(monkeypatch)
        dispatcher = Dispatcher(store, [channel(hanging.url, name="a"), channel(receiver.url, name="b")], clock=now)
        dispatcher.poke()
        began = monotonic()

        dispatcher.close(0.4)

        assert monotonic() - began < 2
        assert (len(hanging.got), len(receiver.got)) == (1, 1)
        assert {each.channel: each.state for each in store.deliveries()} == {"a": "pending", "b": "delivered"}


def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse our thread as Python does once the interpreter is shutting down."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "otel-llmcost-alerts":
            raise RuntimeError("can't start new thread at interpreter shutdown")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_a_thread_that_cannot_be_started_is_no_fault_of_the_host(
    store: MemoryStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    no_more_threads(monkeypatch)
    dispatcher = Dispatcher(store, [channel(receiver.url)], clock=now)

    dispatcher.poke()
    assert receiver.got == []
    dispatcher.close()

    assert len(receiver.got) == 1


@pytest.fixture
def propagating_threads() -> Iterator[None]:
    ThreadingInstrumentor().instrument()
    yield
    ThreadingInstrumentor().uninstrument()


@pytest.mark.usefixtures("propagating_threads")
def test_the_thread_has_nothing_of_the_call_that_started_it(store: MemoryStore):
    """Else the baggage of one user would stay with it, for an HTTP instrumentation to send to the receiver."""
    seen: list[tuple[dict[str, object], bool]] = []

    def send(*_: Any) -> Outcome:
        seen.append((dict(baggage.get_all()), is_instrumentation_enabled()))
        return DELIVERED

    dispatcher = Dispatcher(store, [OPS], clock=now, send=send, around=suppress_instrumentation)
    token = context.attach(baggage.set_baggage("user.id", "u-7"))
    dispatcher.poke()
    context.detach(token)
    dispatcher.close()

    assert seen == [({}, False)]


AGENT = """
import atexit, os, sys
from datetime import UTC, datetime
from otel_llmcost.alerting.dispatcher import Dispatcher
from otel_llmcost.storage.sqlite import SqliteStore
from otel_llmcost.alerting.webhook import verify
from tests.alerting.makers import SECRET, alert_of, channel

now = lambda: datetime.now(UTC)
store = SqliteStore(sys.argv[1])
dispatcher = Dispatcher(store, [channel(sys.argv[2])], clock=now)

def spend(budget):
    store.fire(alert_of(budget, at=now()))
    dispatcher.poke()
"""


def run_agent(script: str, *arguments: object) -> None:
    command = [sys.executable, "-c", AGENT + script, *map(str, arguments)]
    done = subprocess.run(command, check=False, timeout=30, cwd=Path(__file__).parents[2], capture_output=True)
    assert (done.returncode, done.stderr.decode()) == (0, "")


@pytest.mark.parametrize(
    "when",
    [
        pytest.param("atexit.register(dispatcher.close); spend('b')", id="in its last line"),
        pytest.param("atexit.register(dispatcher.close); atexit.register(spend, 'b')", id="while it exits"),
    ],
)
def test_an_agent_that_ends_at_once_still_tells(tmp_path: Path, receiver: Receiver, when: str):
    run_agent(when, tmp_path / "ledger.db", receiver.url)

    assert len(receiver.got) == 1


def test_an_agent_that_is_killed_tells_at_its_next_start(tmp_path: Path, receiver: Receiver):
    run_agent("store.fire(alert_of('b', at=now())); os._exit(0)", tmp_path / "ledger.db", receiver.url)
    assert receiver.got == []

    run_agent("dispatcher.resume(); dispatcher.close()", tmp_path / "ledger.db", receiver.url)

    assert len(receiver.got) == 1


FORK = """
import warnings; warnings.simplefilter("ignore", DeprecationWarning)  # forking beside a thread is what is tested

def fork(in_child):
    child = os.fork()
    if child == 0:
        in_child(); dispatcher.close(); os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork there")
def test_a_forked_child_has_a_thread_of_its_own(tmp_path: Path, receiver: Receiver):
    """The parent's may be importing, or sending, at that moment."""
    run_agent(
        FORK + "spend('parents'); fork(lambda: spend('childs')); dispatcher.close()",
        tmp_path / "ledger.db",
        receiver.url,
    )

    assert {verify(SECRET, got.headers, got.body)["data"]["budget"] for got in receiver.got} == {"parents", "childs"}
    assert len(receiver.got) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork there")
def test_a_fork_amid_a_poke_of_another_thread_does_not_block_the_child(tmp_path: Path, receiver: Receiver):
    amid = """
import threading
is_held, is_over = threading.Event(), threading.Event()

def poke():
    with dispatcher._life.lock:
        is_held.set(); is_over.wait()

threading.Thread(target=poke, daemon=True).start(); is_held.wait()
fork(lambda: spend("childs"))
is_over.set()
"""

    run_agent(FORK + amid, tmp_path / "ledger.db", receiver.url)

    assert len(receiver.got) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork there")
def test_a_fork_amid_the_import_of_apprise_leaves_a_child_that_can_send(tmp_path: Path, receiver: Receiver):
    """Half a module would be half a module for ever; and the parent's attempt is not the child's."""
    amid = """
from otel_llmcost.alerting import apprise
is_importing, real = threading.Event(), apprise.import_module

def slow(name):
    if name == "apprise":
        is_importing.set()
    return real(name)

apprise.import_module = slow
spend("parents"); is_importing.wait()
fork(lambda: (spend("childs"), dispatcher.close(20)))
dispatcher.close(20)
"""

    run_agent(
        "import logging, threading; logging.disable()\n" + FORK + amid,
        tmp_path / "ledger.db",
        f"json://127.0.0.1:{receiver.port}/x",
    )

    titles = {json.loads(got.body)["title"] for got in receiver.got}
    assert titles == {f"budget {name} of user=u-7: warning" for name in ("childs", "parents")}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork there")
def test_a_forked_child_leaves_its_parents_notices_to_the_parent(tmp_path: Path, receiver: Receiver):
    run_agent(
        FORK
        + "import logging; logging.disable()\n"
        + "Dispatcher.poke = lambda self: None; dispatcher.tell_directly('store.failed', 'full')\n"
        + "fork(dispatcher.run_once); dispatcher.run_once()",
        tmp_path / "ledger.db",
        receiver.url,
    )

    assert len(receiver.got) == 1
