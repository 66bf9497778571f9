"""What all processes counted is one sum, and it never goes back."""

from __future__ import annotations

import msgspec

from otel_llmcost_collector.exposition.processes import Processes, measure
from otel_llmcost_collector.self_metrics import (
    ANSWER,
    CPU,
    IN_FLIGHT_BYTES,
    LEDGER_AGE,
    RESIDENT_BYTES,
    SPANS,
    Counters,
    Figures,
)

HTTP = ("http",)


def counted(spans: int, in_flight: int = 0, age: int = 0) -> Figures:
    counters = Counters()
    counters.add(SPANS, HTTP, spans)
    counters.put(IN_FLIGHT_BYTES, (), in_flight)
    counters.put(LEDGER_AGE, (), age)
    counters.took(ANSWER, ("traces", "http"), spans * 1000)
    return counters.figures()


def test_numbers_travel_as_messages() -> None:
    """Workers send them to the accountant."""
    figures = counted(3)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(figures), type=Figures) == figures


def test_what_was_counted_does_not_change_afterwards() -> None:
    """A message is made later than the figures are taken."""
    counters = Counters()
    counters.add(SPANS, HTTP)
    counters.took(ANSWER, ("traces", "http"), 1)

    figures = counters.figures()
    counters.add(SPANS, HTTP)
    counters.took(ANSWER, ("traces", "http"), 1)

    assert figures.counts[SPANS.name][HTTP] == 1
    assert sum(figures.times[ANSWER.name]["traces", "http"]) == 2  # one value, of one µs


def test_processes_add_up_and_the_oldest_wait_counts() -> None:
    processes = Processes(lambda: [counted(1, 10, 5), counted(1)])
    processes.take("worker-0/1", counted(2, 20, 9))
    processes.take("worker-0/1", counted(4, 30, 7))

    figures = processes.figures()

    assert figures.counts[SPANS.name] == {HTTP: 6}
    assert figures.counts[IN_FLIGHT_BYTES.name] == {(): 40}
    assert figures.counts[LEDGER_AGE.name] == {(): 7}
    assert figures.times[ANSWER.name]["traces", "http"][-1] == 6000


def test_what_a_dead_worker_counted_stays_counted() -> None:
    """A counter that falls is a restart to Prometheus; what it had in hand is gone."""
    processes = Processes(list)
    processes.take("worker-0/1", counted(5, 100))
    processes.gone("worker-0/1")
    processes.gone("never-heard-of")
    processes.take("worker-0/2", counted(1, 7))

    figures = processes.figures()

    assert figures.counts[SPANS.name] == {HTTP: 6}
    assert figures.counts[IN_FLIGHT_BYTES.name] == {(): 7}


def test_a_worker_whose_connection_broke_is_not_counted_twice() -> None:
    processes = Processes(list)
    processes.take("worker-0/1", counted(5))
    processes.gone("worker-0/1")
    processes.take("worker-0/1", counted(6))

    assert processes.figures().counts[SPANS.name] == {HTTP: 6}


def test_workers_that_die_without_end_are_all_counted() -> None:
    """In bounded memory."""
    processes = Processes(list)
    for run in range(100):
        processes.take(str(run), counted(1))
        processes.gone(str(run))

    assert processes.figures().counts[SPANS.name] == {HTTP: 100}
    assert processes.figures().times[ANSWER.name]["traces", "http"][-1] == 100_000


def test_a_process_measures_itself() -> None:
    counters = Counters()

    measure(counters, "accountant")

    counts = counters.figures().counts
    assert counts[CPU.name]["accountant",] > 0
    assert 1_000_000 < counts[RESIDENT_BYTES.name]["accountant",] < 10**11
