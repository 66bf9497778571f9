"""A collector, or several on one ledger, that are killed while senders send; then the reckoning."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from signal import SIGKILL
from typing import TypeVar

from otel_llmcost.config import load
from otel_llmcost.core.budget import Budget, Refusal
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import Estimate, Policy
from otel_llmcost.core.uuid7 import uuid7
from otel_llmcost.errors import StoreError
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import GroupBy, Hold, Posting, Store
from tests.collector.running import Running, running
from tests.prove.fleet_calls import Call, Calls, ids_in
from tests.prove.fleet_senders import Mail, Sender, Sink, cost_of
from tests.real.servers import free_port, wait_until

K = TypeVar("K")

_SERIES = re.compile(r"^(\w+)\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
WORKERS = 2
SENDERS = 3
_AHEAD = 120
"""Tellings that wait to be sent, at most: so many may be out of order."""
_ARRIVE_SECONDS = 120
_DAY = timedelta(days=1)
BUDGETS = """
[[budget]]
name = "all"
limit = 1000000
window = "year"

[[budget]]
name = "users"
limit = 1000000
window = "month"
per = ["user"]

[[budget]]
name = "agents"
limit = 1000000
window = "day"
per = ["agent"]
"""


class Node:
    """A collector with workers, which can be killed and is then started at the same places."""

    def __init__(self, folder: Path, settings: str) -> None:
        self.kills: Counter[str] = Counter()
        self.logs: list[str] = []
        self.place = {"http": free_port(), "grpc": free_port()}
        self._folder = folder
        self._api = free_port()
        self._settings = (
            f'workers = {WORKERS}\nnode = "{folder.name}"\n{settings}\n'
            f'[receive]\nhttp = "127.0.0.1:{self.place["http"]}"\ngrpc = "127.0.0.1:{self.place["grpc"]}"\n'
        )
        self._running = ExitStack()
        self._collector = self.start()

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self._api}"

    @property
    def log(self) -> str:
        return self._collector.log

    def start(self) -> Running:
        """Start it."""
        said = {"set": f"api.listen=127.0.0.1:{self._api}"}
        how = running(self._folder, self._settings, budgets=BUDGETS, places=False, **said)
        self._collector = self._running.enter_context(how)
        return self._collector

    def kill_a_worker(self, chance: random.Random) -> None:
        """kill -9."""
        found = children_of(self._collector.process.pid)
        if found:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(found), SIGKILL)
            self.kills["worker"] += 1

    def kill_the_accountant(self) -> None:
        """kill -9, and another takes its place."""
        self._collector.end(SIGKILL)
        self.logs.append(self._collector.log)
        self._running.close()
        self._running = ExitStack()
        self.kills["accountant"] += 1
        self.start()

    def metrics(self) -> str:
        return self._collector.get("/metrics")

    def end(self) -> int:
        """Let it end in peace."""
        code = self._collector.end()
        self.logs.append(self._collector.log)
        return code

    def stop(self) -> None:
        self._running.close()


def children_of(pid: int) -> list[int]:
    """Find the processes that a process has begun."""
    found: list[int] = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if each.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.append(int(each.parent.name))
    return sorted(found)


@contextmanager
def nodes(folder: Path, count: int, settings: Callable[[int], str]) -> Iterator[list[Node]]:
    """Start collectors."""
    begun: list[Node] = []
    try:
        begun.extend(Node(folder / f"node-{number}", settings(number)) for number in range(count))
        yield begun
    finally:
        for node in begun:
            node.stop()


class Agents(threading.Thread):
    """Agents with the plugin: they reserve and settle over the API, while their spans go their own way."""

    def __init__(self, urls: Sequence[str], budgets: Sequence[Budget], chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.settled = 0
        self.wrong: list[str] = []
        self.is_over = threading.Event()
        self._urls = urls
        self._policy = Policy(budgets, datetime.now(UTC))
        self._chance = chance
        self._waiting: list[Call] = []

    def put(self, call: Call) -> None:
        self._waiting.append(call)

    def run(self) -> None:
        """Settle what ends, until nothing does any more."""
        with ExitStack() as stack:
            stores = [stack.enter_context(closing(open_store(f"{url}?timeout=5"))) for url in self._urls]
            while self._waiting or not self.is_over.is_set():
                if not self._waiting:
                    self.is_over.wait(0.05)
                    continue
                self._settle(self._waiting.pop(0), stores)

    def _settle(self, call: Call, stores: Sequence[Store]) -> None:
        assert call.posting is not None
        now = datetime.now(UTC)
        tags = {"user": call.user, "agent": call.agent}
        amount = Estimate(
            expected_nano=call.cost_nano, worst_nano=call.cost_nano, is_capped=True, input_tokens=0,
            expected_output_tokens=0,
        )  # fmt: skip
        hold = Hold(
            reservation_id=uuid7(int(now.timestamp() * 1000), self._chance.getrandbits(74)),
            claims=self._policy.claims(tags, call.at, amount, lambda _budget, _subject: None),
            at=now,
            expires_at=now + timedelta(minutes=15),
            trace_id=call.posting.trace_id,
        )
        refused = self._until_done(stores, lambda store: store.reserve(hold))
        if isinstance(refused, Refusal):
            self.wrong.append(f"refused: {refused}")
        posting = Posting(
            reservation_id=hold.reservation_id, claims=hold.claims, charge=call.posting, assumed={}, is_sent=True
        )
        self._until_done(stores, lambda store: store.settle([posting]))
        if self._chance.random() < 0.2:  # the answer got lost, and another process of the agent says it again
            self._until_done(stores, lambda store: store.settle([posting]))
        self.settled += 1

    def _until_done(self, stores: Sequence[Store], act: Callable[[Store], object]) -> object:
        while True:
            try:
                return act(self._chance.choice(stores))
            except StoreError:
                time.sleep(0.1)


@dataclass(kw_only=True)
class Soak:
    """What was sent, and what came of it."""

    nodes: Sequence[Node]
    sink: Sink
    chance: random.Random
    calls: list[Call] = field(default_factory=list)
    budgets: Sequence[Budget] = ()
    settled: int = 0
    arrived: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def run(self, folder: Path, seconds: float) -> None:
        """Send for so long, killing whoever stands in the way; then let all be sent."""
        made = Calls(random.Random(self.chance.random()), datetime.now(UTC))
        mail = Mail(random.Random(self.chance.random()))
        self.budgets = load(
            {"OTEL_LLMCOST_CONFIG": str(folder / "node-0" / "llmcost.toml")}, cwd=folder, home=folder
        ).budgets
        agents = Agents([node.api for node in self.nodes], self.budgets, random.Random(self.chance.random()))
        is_over, places = threading.Event(), [node.place for node in self.nodes]
        senders = [Sender(mail, places, random.Random(self.chance.random()), is_over) for _ in range(SENDERS)]
        for each in (agents, *senders):
            each.start()
        until = time.monotonic() + seconds
        next_kill = time.monotonic() + self.chance.uniform(0.5, 1.5)
        while time.monotonic() < until:
            if len(mail.waiting) < _AHEAD:
                self._make(made, mail, agents)
            else:
                time.sleep(0.01)
            if time.monotonic() > next_kill:
                self._kill()
                next_kill = time.monotonic() + self.chance.uniform(0.5, 2.5)
        is_over.set()
        agents.is_over.set()
        for each in (agents, *senders):
            each.join(_ARRIVE_SECONDS)
            self.check(not each.is_alive(), "not all could be sent")
        self.settled, self.answers = agents.settled, mail.answers
        self.wrong += [*mail.wrong[:20], *agents.wrong[:20], *self.sink.wrong[:20]]
        self._wait_for(mail)

    def check(self, holds: object, otherwise: str) -> None:
        if not holds:
            self.wrong.append(otherwise)

    def _make(self, made: Calls, mail: Mail, agents: Agents) -> None:
        call = made.make()
        self.calls.append(call)
        mail.put(call.tellings)
        if call.posting is not None:
            agents.put(call)

    def _kill(self) -> None:
        node = self.chance.choice(self.nodes)
        if self.chance.random() < 0.3:
            node.kill_the_accountant()
        else:
            node.kill_a_worker(self.chance)

    def _wait_for(self, mail: Mail) -> None:
        told = {each for call in self.calls for groups in call.tellings for each in ids_in(groups)}
        self.check(mail.taken == told, f"{len(told - mail.taken)} spans were never taken")
        with suppress(AssertionError):
            wait_until(lambda: mail.taken <= self.sink.spans.keys(), "all arrives", seconds=_ARRIVE_SECONDS)
        lost = mail.taken - self.sink.spans.keys()
        self.check(
            not lost, f"{len(lost)} spans were acknowledged, and never arrived at the back end: {list(lost)[:3]}"
        )
        made_up = self.sink.spans.keys() - told
        self.check(not made_up, f"{len(made_up)} spans arrived that nobody sent")
        self.arrived = len(self.sink.spans)


def judge(soak: Soak) -> None:
    """Hold ledger, sums, balances, metrics and what arrived against what was sent."""
    with closing(open_store(soak.nodes[-1].api)) as store:
        _judge_balances(soak, store)  # first: it waits until what the ledger noted is booked
        _judge_ledger(soak, store)
        soak.check(store.open_reservations() == 0, f"{store.open_reservations()} reservations are left")
    _judge_metrics(soak)
    _judge_arrivals(soak)


_BY: Sequence[tuple[GroupBy, ...]] = ((), ("user",), ("agent",), ("user", "agent"), ("hour", "user"), ("day",))


def _judge_ledger(soak: Soak, store: Store) -> None:
    since, until = datetime.now(UTC) - 3 * _DAY, datetime.now(UTC) + 3 * _DAY
    charges = list(store.charges(since, until))
    added = sum(each.cost_nano or 0 for each in charges)
    soak.check(added == _cost(soak.calls), f"the ledger's entries come to {added}, not {_cost(soak.calls)}")
    _judge_charges(soak, charges)
    for by in _BY:
        expected = _by(soak.calls, lambda call, by=by: tuple(_key(call, each) for each in by))
        found = {each.group: (each.cost_nano, each.calls) for each in store.totals(by, since, until)}
        soak.check(found == expected, f"totals by {by}: {_differences(found, expected)}")


def _judge_charges(soak: Soak, charges: Iterable[Charge]) -> None:
    """Say which calls it is that are not what they should be."""
    of_trace: dict[str | None, int] = Counter()
    for each in charges:
        of_trace[each.trace_id] += each.cost_nano or 0
    for call in soak.calls:
        traces = {trace for groups in call.tellings for trace, _ in ids_in(groups)}
        found = [of_trace[trace] for trace in traces]
        if sum(found) != call.cost_nano:
            told = [each for each in charges if each.trace_id in traces]
            soak.wrong.append(f"a call for {call.cost_nano} at {call.at} stands as {told}")
            return


def _judge_balances(soak: Soak, store: Store) -> None:
    expected = {
        "all": _by(soak.calls, lambda _: ""),
        "users": _by(soak.calls, lambda call: f"user={call.user}"),
        "agents": _by(soak.calls, lambda call: f"agent={call.agent}"),
    }
    found: dict[str, dict[str, tuple[int, int]]] = {}

    def agrees() -> bool:
        found.clear()
        found.update({budget.name: _balances(store, budget) for budget in soak.budgets})
        return found == expected

    with suppress(AssertionError):
        wait_until(agrees, "all is booked", seconds=60)
    for name, of in expected.items():
        soak.check(found[name] == of, f"balances of {name}: {_differences(found[name], of)}")


def _balances(store: Store, budget: Budget) -> dict[str, tuple[int, int]]:
    """Add up all windows into which calls fell."""
    now = datetime.now(UTC)
    windows = list(dict.fromkeys(budget.window.at(at) for at in (now - _DAY, now, now + timedelta(hours=1))))
    found: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for each in store.balances([(budget, window) for window in windows]):
        if each.calls or each.settled_nano:
            cost, calls = found[each.subject]
            found[each.subject] = (cost + each.settled_nano, calls + each.calls)
    return dict(found)


def _judge_metrics(soak: Soak) -> None:
    cost: dict[str, int] = defaultdict(int)
    calls: dict[str, int] = defaultdict(int)
    signs = {"llmcost_cost_USD_total": 1, "llmcost_cost_reversed_USD_total": -1}
    for node in soak.nodes:
        for name, text, value in _SERIES.findall(node.metrics()):
            agent = dict(_LABEL.findall(text)).get("gen_ai_agent_name", "")
            if name in signs:
                cost[agent] += signs[name] * int(Decimal(value).scaleb(9))
            elif name == "llmcost_calls_total":
                calls[agent] += int(value)
    found = {agent: (nano, calls[agent]) for agent, nano in cost.items()}
    expected = _by(soak.calls, lambda call: call.agent)
    soak.check(found == expected, f"/metrics: {_differences(found, expected)}")


def _judge_arrivals(soak: Soak) -> None:
    """What each call cost stands behind us, on one of its spans at least, and nothing else does on any."""
    for call in soak.calls:
        ids = [each for groups in call.tellings for each in ids_in(groups)]
        said = {cost_of(soak.sink.spans.get(each, {})) for each in ids}
        if said - {None} != {call.cost_nano}:
            soak.wrong.append(
                f"spans of a call for {call.cost_nano} at {call.at} say {said} behind us: {call.tellings}"
            )
            return


def _key(call: Call, by: GroupBy) -> str:
    match by:
        case "user":
            return call.user
        case "agent":
            return call.agent
        case "hour":
            return call.at.strftime("%Y-%m-%dT%H:00")
        case _:
            return call.at.strftime("%Y-%m-%d")


def _cost(calls: Iterable[Call]) -> int:
    return sum(call.cost_nano for call in calls)


def _by(calls: Iterable[Call], key: Callable[[Call], K]) -> dict[K, tuple[int, int]]:
    found: dict[K, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for call in calls:
        cost, count = found[key(call)]
        found[key(call)] = (cost + call.cost_nano, count + 1)
    return dict(found)


def _differences(found: dict, expected: dict) -> str:
    differ = [key for key in {**found, **expected} if found.get(key) != expected.get(key)]
    return "; ".join(f"{key}: {found.get(key)} instead of {expected.get(key)}" for key in differ[:5])
