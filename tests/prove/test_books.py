"""Exactly once, with real processes: workers and accountant are killed amid their work, again and again."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from otel_llmcost.storage import open_store
from otel_llmcost_collector.ledger.sqlite import SqliteLedger
from tests.collector.accounting.traffic import Traffic
from tests.collector.test_soak import BUDGETS, DAY
from tests.real.servers import wait_until
from tests.storage.books import NOW, Books

pytestmark = [pytest.mark.prove]

WORKERS = 2
CALLS = 12_000
KILLS, FEWEST_KILLS = 30, 3  # a fast machine is done before many


class Node:
    """A collector's processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kills = 0
        self.accountant = self.begin("account")
        self.workers = {str(number): self.begin("send", str(number)) for number in range(WORKERS)}

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        command, *others = arguments
        return subprocess.Popen([sys.executable, "-m", "tests.prove.books", command, str(self.folder), *others])

    def is_listening(self) -> bool:
        with socket.socket(socket.AF_UNIX) as tried:
            return tried.connect_ex(str(self.folder / "accounts.sock")) == 0

    def kill_somebody(self, dice: random.Random) -> None:
        """Kill the accountant or a worker, and begin it anew."""
        name = dice.choice(["", "", *self.workers])
        victim = self.workers[name] if name else self.accountant
        victim.kill()
        if victim.wait() == 0:
            return  # a worker that was done
        self.kills += 1
        if name:
            self.workers[name] = self.begin("send", name)
        else:
            self.accountant = self.begin("account")

    def run(self, dice: random.Random) -> None:
        """Let them work, and die; then let them finish."""
        while self.kills < KILLS and any(each.poll() is None for each in self.workers.values()):
            with suppress(subprocess.TimeoutExpired):
                self.workers["0"].wait(dice.uniform(0.1, 0.6))
            self.kill_somebody(dice)
        for each in self.workers.values():
            assert each.wait(600) == 0
        wait_until(self.is_listening, "the last accountant has begun")
        self.accountant.terminate()
        assert self.accountant.wait(120) == 0


def test_each_call_is_charged_and_booked_once_whoever_is_killed(tmp_path: Path) -> None:
    dice = random.Random(7)
    traffic = Traffic(dice)
    traffic.add(CALLS)
    batches = traffic.batches(size=20)
    for number in range(WORKERS):
        (tmp_path / f"batches-{number}").write_bytes(msgspec.msgpack.encode(batches[number::WORKERS]))
    node = Node(tmp_path)

    node.run(dice)

    ledger = SqliteLedger(str(tmp_path / "ledger.db"), node="n-1")
    (total,) = ledger.totals([], NOW - DAY, NOW + DAY)
    raw = sum(each.cost_nano or 0 for each in ledger.charges(NOW - DAY, NOW + DAY))
    series = sum(sums[0] - sums[1] for sums in ledger.series().values())
    books = Books(open_store(f"sqlite://{tmp_path}/balances.db"), BUDGETS)
    by_user = {each.subject.removeprefix("user="): each.settled_nano for each in books.balances("users")}
    assert (total.calls, books.balance().calls, books.balance("calls").settled_nano) == (traffic.calls,) * 3
    assert (total.cost_nano, raw, series, books.balance().settled_nano) == (traffic.cost_nano,) * 4
    assert by_user == traffic.by_user
    assert ledger.notes() == []
    assert node.kills >= FEWEST_KILLS
