"""Run one candidate: `worker.py CANDIDATE WORKLOAD N` makes N calls and prints what they took as JSON.

With `-` for both it reads workloads of one SDK and numbers of calls from standard input, a pair a line, so that
candidates can be measured in turns.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from typing import Any

import wire
from by_hand import by_hand
from pipeline import Telemetry
from subjects import WHO, WORKLOADS
from turn_on import TURN_ON

Call = Callable[[], Any]
SETTLE_SECONDS = 0.1  # background writers of a candidate finish their part inside the measured time


class Counter:
    """Counts instructions of the measured part only; does nothing outside callgrind."""

    def __init__(self, library: str | None) -> None:
        self._library = ctypes.CDLL(library) if library else None

    @contextlib.contextmanager
    def counting(self) -> Generator[None]:
        """Count what happens inside, and write it out."""
        if self._library is None:
            yield
            return
        gc.disable()  # its passes fall where they may; one at the end counts all garbage, and repeats
        self._library.counting_on()
        yield
        gc.collect()
        self._library.counting_off()
        gc.enable()


def call_of(candidate: str, workload_name: str) -> Call:
    """Return one whole call as the candidate makes it, its stream read to the end."""
    workload = WORKLOADS[workload_name]
    call = wire.call(workload.sdk, workload.chunks, native_spans=candidate == "anthropic-native")
    if candidate == "floor":
        call = by_hand(workload, call)
    return (lambda: wire.read(call())) if workload.chunks else call


def attributed(candidate: str) -> AbstractContextManager[Any]:
    """Say who the calls are for, in five baggage keys, once around them, as a task does; only ours knows how."""
    if not candidate.startswith("ours"):
        return contextlib.nullcontext()
    return importlib.import_module("otel_llmcost").attribute(**WHO)  # type: ignore[no-any-return]


def run(calls: int, call: Call, telemetry: Telemetry) -> float:
    """Make the calls, flush, let background work end; return the process's CPU time in µs per call."""
    begin = time.process_time_ns()
    for _ in range(calls):
        call()
    telemetry.processor.force_flush()
    telemetry.settle()
    time.sleep(SETTLE_SECONDS)
    return (time.process_time_ns() - begin) / 1000 / calls


def asked(workload: str, count: str) -> Iterator[tuple[str, int]]:
    """Return what is to be made: the arguments, or what standard input says."""
    for line in sys.stdin if count == "-" else [f"{workload} {count}"]:
        name, calls = line.split()
        yield name, int(calls)


def main(candidate: str, workload: str, count: str) -> None:
    """Turn the candidate on, warm the calls up, and answer each that is asked with a line of JSON."""
    telemetry, counter = Telemetry(), Counter(os.environ.get("BENCH_COUNTER"))
    made: dict[str, Call] = {}
    with contextlib.ExitStack() as ends:
        for name, calls in asked(workload, count):
            if not made:
                TURN_ON[candidate](telemetry, WORKLOADS[name].sdk)
                ends.enter_context(attributed(candidate))
            if name not in made:
                call = made[name] = call_of(candidate, name)
                # The first calls import, build schemas and specialise byte code.
                run(3 if WORKLOADS[name].chunks else 20, call, telemetry)
                gc.collect()
                gc.freeze()  # collections would walk the SDKs' objects now in one candidate's turn, now in another's
            spans = telemetry.exporter.spans
            with counter.counting():
                cpu_us = run(calls, made[name], telemetry)
            answer = {
                "candidate": candidate,
                "workload": name,
                "calls": calls,
                "cpu_us_per_call": round(cpu_us, 2),
                "spans_per_call": (telemetry.exporter.spans - spans) / calls,
                "attributes_per_span": telemetry.exporter.attributes,
            }
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
