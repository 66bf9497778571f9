"""Threads, executors and tasks within one process."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.pool import ThreadPool

import pytest
from opentelemetry import context
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

from otel_llmcost import attribute
from otel_llmcost.instrumentation import contain, handover, hops, state
from otel_llmcost.telemetry import baggage


def who(*_: object) -> dict[str, str]:
    return dict(baggage.tags(context.get_current()))


@pytest.fixture(params=["without", "with"])
def official(request):
    """OpenTelemetry's instrumentation of threads, which `opentelemetry-instrument` starts and a program may not."""
    if request.param == "with":
        ThreadingInstrumentor().instrument()
    yield
    ThreadingInstrumentor().uninstrument()


class Own(threading.Thread):
    """A thread with a `run` of its own."""

    seen: dict[str, str]

    def run(self):
        self.seen = who()


def through_thread():
    thread = Own()
    thread.start()
    thread.join()
    return thread.seen


def through_timer():
    seen = []
    timer = threading.Timer(0, lambda: seen.append(who()))
    timer.start()
    timer.join()
    return seen[0]


async def in_a_group():
    async with asyncio.TaskGroup() as group:
        return await group.create_task(asyncio.to_thread(who))


async def from_another_threads_loop():
    loop = asyncio.get_running_loop()

    async def coroutine():
        return who()

    return await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(coroutine(), loop).result())


async def by_the_loops_executor():
    return await asyncio.get_running_loop().run_in_executor(None, who)


@pytest.mark.parametrize(
    "hop",
    [
        through_thread,
        through_timer,
        *(
            pytest.param(lambda run=run: asyncio.run(run()), id=run.__name__)
            for run in (in_a_group, from_another_threads_loop, by_the_loops_executor)
        ),
    ],
)
@pytest.mark.usefixtures("carrying", "official")
def test_threads_and_tasks_work_for_whoever_started_them(hop):
    with attribute(user="u-7", agent="a"):
        inside = hop()

    assert (inside, hop()) == ({"user": "u-7", "agent": "a"}, {})


@pytest.mark.usefixtures("carrying", "official")
def test_a_pools_threads_work_for_whoever_gave_the_work():
    """They were started while others were named, and wait while nobody is."""
    with attribute(user="starter", team="red"):
        executor, pool = ThreadPoolExecutor(1), ThreadPool(1)
        executor.submit(who).result()

    with executor, pool:
        with attribute(user="u-7"):
            inside = executor.submit(who).result(), *executor.map(who, [0]), pool.apply(who), *pool.map(who, [0])
        after = executor.submit(who).result(), pool.apply_async(func=who).get()

    assert inside == ({"user": "u-7"},) * 4
    assert after == ({}, {})


@pytest.mark.usefixtures("carrying")
def test_work_for_other_interpreters_is_handed_over_with_who_it_is_for():
    """Even to workers in which nothing of ours runs."""
    methods = get_context("spawn")
    with attribute(user="u-7"), methods.Pool(1) as pool, ProcessPoolExecutor(1, mp_context=methods) as executor:
        assert [pool.apply(who), *pool.imap(who, [0]), executor.submit(who).result()] == [{"user": "u-7"}] * 3


def given(carried):
    """What a worker would run."""
    return isinstance(carried, handover.Carried)


@pytest.mark.usefixtures("carrying")
def test_nothing_is_touched_before_anybody_was_named(monkeypatch):
    monkeypatch.setattr(handover, "_said", handover._Said())
    monkeypatch.setattr(handover, "Carried", lambda *_: pytest.fail("carried"))

    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(who).result() == {}
        with pytest.raises(TypeError):
            executor.submit()


@pytest.mark.usefixtures("carrying")
def test_a_fault_of_ours_lets_the_work_go_on(monkeypatch, caplog):
    monkeypatch.setattr(contain, "reraise", False)
    monkeypatch.setattr(handover, "Carried", None)

    with attribute(user="u-7"), ThreadPoolExecutor(1) as executor:
        assert executor.submit(len, "four").result() == 4

    assert "could not carry attribution to a pool" in caplog.text
    contain.seen.clear()


def test_everything_is_taken_back(carrying):
    hops.remove()

    assert not any(hasattr(getattr(threading.Thread, name), "__wrapped__") for name in ("start", "_bootstrap_inner"))
    with attribute(user="u-7"):
        assert through_thread() == {}


def test_whoever_stands_around_us_stays_when_we_leave(carrying, monkeypatch):
    """We cannot be taken out from under them, and do nothing any more."""
    ours = threading.Thread.start

    def theirs(self):
        return ours(self)

    monkeypatch.setattr(threading.Thread, "start", theirs)

    hops.remove()
    state.is_installed = False

    assert threading.Thread.start is theirs
    with attribute(user="u-7"):
        assert through_thread() == {}
    monkeypatch.undo()
    threading.Thread.start = ours.__wrapped__
