"""Agents on a store, and a harness that kills them while somebody else disturbs the store; then the reckoning."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from examples.provider_server import ProviderServer
from otel_llmcost.config import load
from otel_llmcost.core.budget import Budget
from otel_llmcost.errors import StoreError
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Store
from tests.prove.oracle import EACH_CALL, Books, Findings, Seen, Served, fates_of, is_within, judge
from tests.real.servers import wait_until

ROOT = Path(__file__).parents[2]
PROCESSES = 4
TASKS = 16
WHOLE = ("global", "team", EACH_CALL)
"""Budgets that every call of a storm counts on."""
_GRACE_SECONDS = 2.0
"""So long a store may still be away, or be away already, for agents that wait for connections."""
_LOOKS_AFTER = 40
"""Whoever keeps house in a cluster looks at some hundred balances at a time."""
_LEASE_IS_OVER = timedelta(minutes=16)
_BUDGETS = f"""
[[budget]]
name = "global"
limit = LIMIT
window = "year"
reserve = "worst"
on_store_error = "STORE_ERROR"

[[budget]]
name = "team"
limit = TEAM_LIMIT
window = "year"
per = ["team"]
reserve = "worst"

[[budget]]
name = "user"
limit = 0.05
window = "10s"
per = ["user"]
reserve = "worst"

[[budget]]
name = "{EACH_CALL}"
limit = 1
window = "task"
on_limit = "alert"
reserve = "worst"

[[price]]
provider = "openai"
model = "gpt-4o"
valid_from = 2020-01-01
input = 2.50
output = 10.00
"""


@dataclass
class Weather:
    """What is done to a store, one thing after the other, and how long each lasts."""

    agents_url: str
    """As agents reach the store."""
    our_url: str
    """As the harness does, whom nobody disturbs but by pausing the store itself."""
    disturb: Sequence[Callable[[random.Random], str]] = ()
    """Each disturbs the store for a while, ends that, and says what it did."""
    on_store_error: str = "closed"


@dataclass
class Agents:
    """The processes, each with a successor once it is killed."""

    folder: Path
    environ: dict[str, str]
    chance: random.Random
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    killed: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def start(self) -> None:
        """Start one; half of them work in tasks only, the other half in tasks and threads."""
        number = next(self._numbers)
        name = f"a{number}"
        tasks, threads = (TASKS, 0) if number % 2 else (TASKS // 2, TASKS // 2)
        arguments = [name, f"{self.chance.random()}", tasks, threads, self.folder / f"{name}.fates"]
        with (self.folder / f"{name}.log").open("w") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.prove.agent", *map(str, arguments)],
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def kill_one(self) -> str:
        """Kill one that works already, and start another in its place."""
        working = [name for name in sorted(self.running) if self.is_working(name)]
        if not working:
            return "nobody to kill"
        name = self.chance.choice(working)
        process = self.running.pop(name)
        process.kill()
        process.communicate()
        self.killed.add(name)
        self.start()
        return f"killed {name}"

    def is_working(self, name: str) -> bool:
        return (self.folder / f"{name}.fates").exists()

    def wait(self) -> None:
        """Wait until all work."""
        for name, process in self.running.items():
            wait_until(
                lambda name=name, process=process: self.is_working(name) or process.poll() is not None,
                f"{name} begins",
                seconds=120,
            )

    def end(self) -> dict[str, dict[str, int]]:
        """Let all come to their end; return what each says."""
        for process in self.running.values():
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None
        said = {}
        for name, process in self.running.items():
            answer, _ = process.communicate(timeout=180)
            assert process.returncode == 0, (self.folder / f"{name}.log").read_text()
            said[name] = json.loads(answer)
        return said

    def stop(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.kill()
                process.communicate()


class Watch:
    """Reads balances again and again while the storm goes on, and holds them to their limits and bounds."""

    def __init__(self, store: Store, budgets: Sequence[Budget], server: ProviderServer, *, is_closed: bool) -> None:
        self.is_closed = is_closed
        """Whether nothing is sent that the store did not hear of."""
        self.looks = 0
        self.away = 0
        self.wrong: list[str] = []
        self.store, self.server = store, server
        self._served = Served(server)
        self._budgets = [budget for budget in budgets if budget.name != EACH_CALL]
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(0.05):
            served = self._served.nano()  # before the balances: what was served until then is in them
            now = datetime.now(UTC)
            try:
                found = self.store.balances([(budget, budget.window.at(now)) for budget in self._budgets])
            except StoreError:
                self.away += 1
                continue
            self.looks += 1
            later = datetime.now(UTC)  # a window that rolls, read long after it was named, has more in it than it had
            rolled = {each.name for each in self._budgets if each.window.at(now) != each.window.at(later)}
            found = [each for each in found if each.budget not in rolled]
            self.wrong += [f"at {now}: above limit and bound: {each}" for each in found if not is_within(each)]
            (whole,) = [each for each in found if each.budget == "global"]
            if self.is_closed and served > whole.limit_nano + whole.bound_nano:
                self.wrong.append(f"at {now}: served for {served}, and {whole}")
            if self.is_closed and served > whole.held_nano + whole.exposure_nano:
                self.wrong.append(f"at {now}: served for {served}, of which the store knows less: {whole}")


def rage(
    weather: Weather, folder: Path, *, seconds: float, chance: random.Random, limit: float
) -> tuple[Findings, list[str]]:
    """Let a storm rage over a store; return what does not hold after it, and what was done."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "llmcost.toml"
    text = _BUDGETS.replace("TEAM_LIMIT", str(limit / 2)).replace("LIMIT", str(limit))
    config.write_text(text.replace("STORE_ERROR", weather.on_store_error))
    budgets = load({"OTEL_LLMCOST_CONFIG": str(config)}, cwd=folder, home=folder).budgets
    with (
        ProviderServer(gap_seconds=0.002) as server,
        contextlib.closing(open_store(weather.our_url)) as store,
    ):
        environ = {
            **os.environ,
            **server.environment,
            "OTEL_LLMCOST_CONFIG": str(config),
            "OTEL_LLMCOST_STORE": weather.agents_url,
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
        }
        agents = Agents(folder, environ, chance)
        try:
            watch = Watch(store, budgets, server, is_closed=weather.on_store_error == "closed")
            return _rage(weather, agents, watch, seconds=seconds, budgets=budgets)
        finally:
            agents.stop()


def _rage(
    weather: Weather, agents: Agents, watch: Watch, *, seconds: float, budgets: Sequence[Budget]
) -> tuple[Findings, list[str]]:
    done: list[str] = []
    away: list[tuple[float, float]] = []
    for _ in range(PROCESSES):
        agents.start()
    with watch:
        agents.wait()
        until, pause = time.monotonic() + seconds, threading.Event()
        disturb = itertools.cycle(weather.disturb or (_nothing,))
        while time.monotonic() < until:
            pause.wait(agents.chance.uniform(0.5, 2.5))
            began = time.time()
            with ThreadPoolExecutor(1) as pool:
                disturbed = pool.submit(next(disturb), random.Random(agents.chance.random()))
                pause.wait(agents.chance.uniform(0.0, 0.5))
                done.append(agents.kill_one())  # amid it
            done.append(disturbed.result())
            away.append((began - _GRACE_SECONDS, time.time() + _GRACE_SECONDS))
        agents.wait()
        pause.wait(1)
        said = agents.end()
    store = watch.store
    for _ in range(_LOOKS_AFTER):
        store.expire(datetime.now(UTC) + _LEASE_IS_OVER)
    seen = Seen(
        exchanges=watch.server.requests,
        fates=fates_of(agents.folder.glob("*.fates")),
        killed=agents.killed,
        told_nano={name: each["cost_nano"] for name, each in said.items()},
        away=away if weather.on_store_error == "open" else (),
    )
    found = judge(Books.of(store, budgets), seen, WHOLE)
    found.wrong += watch.wrong
    found.check(watch.looks, "nobody saw a balance during the storm")
    found.figures.update({"looks at balances": watch.looks, "looks while the store was away": watch.away})
    for name, each in said.items():
        found.check(each["is_written"] and not each["lost"], f"{name} could not write all it had: {each}")
    for fate in seen.fates.values():
        found.figures[f"calls {' '.join(fate.split('(')[0].split(' ')[:2])}"] += 1
    return found, [what for what in done if what]


def _nothing(_chance: random.Random) -> str:
    return ""
