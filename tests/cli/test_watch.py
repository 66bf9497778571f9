"""`watch` does what running agents do in turns, for when none of them runs."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta

import pytest

from otel_llmcost.cli import watch
from otel_llmcost.errors import StoreError
from otel_llmcost.storage.memory import MemoryStore
from tests.alerting.receiver import Receiver
from tests.cli.conftest import NOW, Shell

BUDGET = '[[budget]]\nname = "day"\nlimit = 10\nwindow = "day"\nmarks = { far = 10.0 }\n'


def burn(shell: Shell) -> None:
    """Spend so much in each of the last 60 minutes that the day's budget will not last."""
    for minute in range(60):
        shell.spend("0.05", at=NOW - timedelta(minutes=minute))


def test_it_tells_what_it_finds_on_screen_and_to_the_channels(shell: Shell) -> None:
    with Receiver() as receiver:
        shell.configure(f'{BUDGET}[[alert]]\nname = "ops"\nurl = "{receiver.url}"\nsecret = "whsec_c2VjcmV0"\n')
        burn(shell)

        told = shell.run("watch", "--once")

        assert "burn_rate.fast: budget 'day' spends $3.00 an hour" in told.stdout
        assert [json.loads(each.body)["type"] for each in receiver.got if b"burn" in each.body] == ["burn_rate.fast"]


def test_it_tells_programs_in_json_and_everything_once(shell: Shell) -> None:
    shell.configure(BUDGET)
    burn(shell)

    first = json.loads(shell.run("watch", "--once", "--json").stdout)
    second = json.loads(shell.run("watch", "--once", "--json").stdout)

    assert {"at": "2026-11-22T12:00:00Z", "type": "burn_rate.fast", "budget": "day", "of": ""} in first
    assert second == []


def test_a_budget_that_no_agent_knows_yet_counts_what_was_spent(shell: Shell) -> None:
    shell.spend("4")
    shell.configure(BUDGET)

    found = json.loads(shell.run("budgets", "list", "--json").stdout)["balances"]

    assert [each["spent_usd"] for each in found] == [4]


def test_calls_of_dead_processes_are_suspected(shell: Shell) -> None:
    shell.configure(BUDGET)
    shell.spend(None, reserved="2", at=NOW - timedelta(days=2))

    shell.run("watch", "--once")

    assert shell.store.open_reservations() == 0


def test_it_goes_on_until_it_is_interrupted(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def wait(_stop: threading.Event, _seconds: float) -> bool:
        looks.append(1)
        if len(looks) == 3:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(watch.threading.Event, "wait", wait)

    result = shell.run("watch")

    assert (result.exit_code, len(looks)) == (0, 3)


class Away(MemoryStore):
    """A store that does not answer."""

    def expire(self, now: datetime) -> int:
        raise StoreError("no answer")


def test_a_store_that_is_away_is_said(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.store = Away()
    monkeypatch.setattr(watch, "_is_interrupted", lambda _stop: True)

    going_on, once = shell.run("watch"), shell.run("watch", "--once")

    assert "the store is not to be reached, looking again in 30 s: no answer" in going_on.output
    assert (going_on.exit_code, once.exit_code) == (0, 1)
