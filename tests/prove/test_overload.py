"""More than a collector can take: it says so, stays small, loses nothing that it took, and is well again."""

from __future__ import annotations

import http.client
import json
import random
import resource
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc

from otel_llmcost.storage import open_store
from tests.collector.running import Running, running
from tests.collector.spans import from_json
from tests.prove.fleet_calls import Call, Calls
from tests.prove.report import Report
from tests.prove.sizes import Size
from tests.real.servers import wait_until

MOST_IN_FLIGHT_MIB = 4
BATCH = 200
"""Calls in a request: some 400 KiB."""
CROWD = 40
LINGERING = 300
"""Who begin a body and do not go on."""
IDLE = 1500
OPEN_FILES = 1024
"""What most machines allow a process."""
MOST_MIB = 300
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def _batch(made: Calls) -> tuple[list[Call], bytes]:
    calls = [made.make() for _ in range(BATCH)]
    groups = [group for call in calls for telling in call.tellings for group in telling]
    return calls, json.dumps({"resourceSpans": groups}).encode()


class Crowd:
    """Senders that do not wait for each other, nor for a moment when they are told to come again."""

    def __init__(self, collector: Running, batches: list[tuple[list[Call], bytes]]) -> None:
        self.answers: Counter[str] = Counter()
        self.impolite = 0
        self.taken: list[Call] = []
        self._collector = collector
        self._waiting = batches
        self._lock = threading.Lock()

    def run(self) -> None:
        threads = [threading.Thread(target=self._send, args=(number,)) for number in range(CROWD)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(300)

    def _send(self, number: int) -> None:
        send = self._over_grpc if number % 4 == 0 else self._over_http
        while True:
            with self._lock:
                if not self._waiting:
                    return
                calls, content = self._waiting.pop()
            while (answer := send(content)) in {"429", "503", "RESOURCE_EXHAUSTED", "UNAVAILABLE"}:
                self._note(answer)
            self._note(answer)
            if answer == "taken":
                self.taken += calls

    def _note(self, answer: str) -> None:
        with self._lock:
            self.answers[answer] += 1

    def _over_http(self, content: bytes) -> str:
        with closing(
            http.client.HTTPConnection(self._collector.http.removeprefix("http://"), timeout=60)
        ) as connection:
            try:
                connection.request("POST", "/v1/traces", content, {"content-type": "application/json"})
                answer = connection.getresponse()
            except (BrokenPipeError, ConnectionResetError):
                return "503"  # it was answered before the body was sent, and closed
            answer.read()
            self.impolite += answer.status in {429, 503} and answer.headers["retry-after"] is None
            return "taken" if answer.status == 200 else f"{answer.status}"

    def _over_grpc(self, content: bytes) -> str:
        place = self._collector.url("OTLP over gRPC").rpartition("/")[2]
        with grpc.insecure_channel(place, options=(("grpc.use_local_subchannel_pool", 1),)) as channel:
            try:
                channel.unary_unary(_EXPORT)(from_json(content), timeout=60)
            except grpc.RpcError as error:
                return error.code().name  # type: ignore[attr-defined]
            return "taken"


def _peak_mib(collector: Running) -> int:
    lines = Path(f"/proc/{collector.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


def _sum_of(collector: Running) -> tuple[int, int]:
    now, day = datetime.now(UTC), timedelta(days=1)
    with closing(open_store(collector.api)) as store:
        (total,) = store.totals([], now - day, now + day)
        return total.cost_nano, total.calls


def test_what_is_too_much_is_told_to_come_again(size: Size, tmp_path: Path, report: Report) -> None:
    """All that was taken is in the ledger, all that was not was told when to come again, and memory is bounded."""
    made = Calls(size.chance("overload"), datetime.now(UTC))
    batches = [_batch(made) for _ in range(round(max(60, size.soak_seconds * 4)))]
    with running(tmp_path, f"[receive]\nmost_in_flight_mib = {MOST_IN_FLIGHT_MIB}\n") as collector:
        crowd = Crowd(collector, batches)
        crowd.run()

        peak = _peak_mib(collector)
        assert _sum_of(collector) == (sum(call.cost_nano for call in crowd.taken), len(crowd.taken))
        assert collector.end() == 0
    refused = sum(count for answer, count in crowd.answers.items() if answer != "taken")
    figures = f"{crowd.answers['taken']:,} requests taken, {refused:,} told to come again, {peak} MiB at most"
    report.say("i  overload", f"{CROWD} senders at once", figures, str(dict(crowd.answers)))
    assert set(crowd.answers) <= {"taken", "429", "503", "RESOURCE_EXHAUSTED", "UNAVAILABLE"}
    assert (crowd.answers["429"] > 0, crowd.impolite) == (True, 0)
    assert peak < MOST_MIB


@contextmanager
def _lingering(collector: Running, chance: random.Random) -> Iterator[None]:
    """Open connections: some that say nothing, some that begin a request and do not go on."""
    host, port = collector.http.removeprefix("http://").split(":")
    head = (
        b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n"
    )
    with ExitStack() as stack:
        for number in range(IDLE):
            one = stack.enter_context(socket.create_connection((host, int(port)), 10))
            if number < LINGERING:
                one.sendall(head + (b"\r\n{" if chance.random() < 0.5 else b""))
        yield


def test_who_lingers_keeps_nobody_out(size: Size, tmp_path: Path, report: Report) -> None:
    """Slow heads, slow bodies and connections without end: others are still served, once those are slow for sure."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))  # the collector begins with that
    made = Calls(size.chance("lingering"), datetime.now(UTC))
    with running(tmp_path) as collector:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * IDLE)), hard))
        with _lingering(collector, size.chance("lingering", 2)):
            calls, content = _batch(made)
            crowd = Crowd(collector, [(calls, content)])

            wait_until(lambda: crowd._over_http(content) == "taken", "others are served", seconds=60)

            assert _sum_of(collector) == (sum(call.cost_nano for call in calls), len(calls))
            peak = _peak_mib(collector)
        wait_until(lambda: crowd._over_http(content) == "taken", "it is well again", seconds=60)
        assert "Traceback" not in collector.log
        assert collector.end() == 0
    report.say("i  lingering", f"{IDLE:,} connections", f"{LINGERING} of them amid a request; {peak} MiB at most")
    assert peak < MOST_MIB
