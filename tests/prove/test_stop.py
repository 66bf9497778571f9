"""An emergency stop holds in every process on the store within a second."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from examples.provider_server import ProviderServer
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Store
from tests.prove.conftest import UrlOf
from tests.prove.report import Report
from tests.prove.sizes import Size
from tests.prove.storm import Agents
from tests.real.servers import wait_until

_PROCESSES = 3
_GOAL_SECONDS = 1.0
_QUIET_SECONDS = 1.5
"""After so long without a request, none is going to come."""
_COMMAND = Path(sys.executable).with_name("otel-llmcost")


def say(environ: dict[str, str], *words: str) -> None:
    subprocess.run([_COMMAND, *words], env=environ, check=True, capture_output=True, timeout=60)


def wait_for_stop(store: Store) -> float:
    """Return when a stop stands in the store, by the clock that requests are dated by."""
    pause = Event()
    while not store.acts_in_force(datetime.now(UTC)):
        pause.wait(0.005)
    return time.time()


def last_request(server: ProviderServer) -> float:
    """Wait until no request comes any more; return when the last one came."""
    pause = Event()
    while True:
        at = server.requests[-1].at
        if time.time() - at > _QUIET_SECONDS:
            return at
        pause.wait(0.1)


@pytest.mark.parametrize("kind", ["sqlite", "redis", "https"])
def test_a_stop_holds_in_all_processes_within_a_second(
    kind: str, size: Size, url_of: UrlOf, report: Report, tmp_path: Path
) -> None:
    """From the moment that it is written down to the last request that reaches the provider."""
    url = f"sqlite://{tmp_path}/stop.db" if kind == "sqlite" else url_of(kind)
    lasted, commands = list[float](), list[float]()
    with ProviderServer() as server, closing(open_store(url)) as store:
        environ = {
            **os.environ,
            **server.environment,
            "OTEL_LLMCOST_STORE": url,
            "PROVE_PAUSE": "0.05",
            "HOME": str(tmp_path),
        }
        agents = Agents(tmp_path, environ, random.Random(size.seed))
        try:
            for _ in range(_PROCESSES):
                agents.start()
            agents.wait()
            for _ in range(max(size.rounds // 5, 1)):
                server.clear()
                server.wait_for(_PROCESSES * 20, 60)
                began = time.time()
                with ThreadPoolExecutor(1) as pool:
                    written = pool.submit(wait_for_stop, store)
                    say(environ, "stop", "--all", "--reason", "a proof")
                until = last_request(server)
                lasted.append(until - written.result())
                commands.append(until - began)
                say(environ, "resume", "--all")
            server.clear()
            wait_until(lambda: bool(server.requests), "calls go on")
            agents.end()
        finally:
            agents.stop()

    figures = f"median {statistics.median(lasted):.2f} s, longest {max(lasted):.2f} s of {len(lasted)}"
    whole = f"with the start of the command {statistics.median(commands):.2f} s"
    report.say("   emergency stop", f"{kind}, {_PROCESSES} processes", f"{figures}; {whole}")
    assert statistics.median(lasted) <= _GOAL_SECONDS
