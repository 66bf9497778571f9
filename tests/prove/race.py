"""Many claims on one budget at one moment, made by threads, by tasks of an event loop, or by both."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from otel_llmcost.core.budget import Refusal
from otel_llmcost.instrumentation.desk import Desk
from otel_llmcost.instrumentation.outage import Outage
from otel_llmcost.instrumentation.rooms import Rooms
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Hold, Store
from otel_llmcost.storage.writer import Writer
from tests.storage.books import Books, budget
from tests.storage.processes import Process

CLAIMS = 100
ROOM = 5
PROCESSES = 4
_PROGRAM = """
import json, sys
from otel_llmcost.storage import open_store
from tests.prove.race import claim

store = open_store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(claim(store, sys.argv[2], "mixed", int(sys.argv[3]))), flush=True)
store.close()
"""


def books_of(store: Store, name: str) -> Books:
    return Books(store, [budget(name, str(ROOM))])


def claim(store: Store, name: str, how: str, count: int) -> int:
    """Claim so often at once, as calls of a process do; return how many were granted."""
    books = books_of(store, name)
    desk = Desk(Writer(store, now=lambda: books.now), Outage(), Rooms())
    holds = [books.hold(1) for _ in range(count)]
    in_threads = {"threads": count, "tasks": 0, "mixed": count // 2}[how]
    barrier = threading.Barrier(in_threads + (in_threads < count))

    def in_thread(hold: Hold) -> bool:
        barrier.wait()
        return not isinstance(desk.reserve(hold, books.policy, tell=True), Refusal)

    async def in_tasks() -> int:
        barrier.wait()
        answers = await asyncio.gather(*(desk.areserve(hold, books.policy, tell=True) for hold in holds[in_threads:]))
        return sum(not isinstance(answer, Refusal) for answer in answers)

    with ThreadPoolExecutor(in_threads + 1) as pool:
        threads = [pool.submit(in_thread, hold) for hold in holds[:in_threads]]
        taken = asyncio.run(in_tasks()) if in_threads < count else 0
        taken += sum(thread.result() for thread in threads)
    assert desk.outage.count == 0, "the store did not answer in time"
    return taken


def claim_in_processes(url: str, name: str) -> int:
    """Let processes claim at once, each in threads and tasks."""
    racers = [Process(_PROGRAM, url, name, CLAIMS // PROCESSES) for _ in range(PROCESSES)]
    for racer in racers:
        assert racer.line() == "ready"
    for racer in racers:
        racer.go()
    return sum(int(str(racer.answer())) for racer in racers)


def run(url: str, name: str, how: str, store: Store | None = None) -> tuple[int, int, int]:
    """Run one race; return how many claims were granted, how much is reserved, how many were refused."""
    ours = store or open_store(url)
    taken = claim_in_processes(url, name) if how == "processes" else claim(ours, name, how, CLAIMS)
    balance = books_of(ours, name).balance(name)
    if store is None:
        ours.close()
    return taken, balance.reserved_nano, balance.refused
