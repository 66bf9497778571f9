"""A running process follows what its owner wants by now: stops, raises, a changed file; nothing needs a restart."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openai
import pytest

from examples.provider_server import ProviderServer
from examples.provider_server.script import Rule
from otel_llmcost import BudgetExceededError, attribute
from otel_llmcost.core.acts import Act
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.policy import Policy
from otel_llmcost.errors import RefusedError, StoreError
from otel_llmcost.instrumentation.chores import Chore, Chores
from otel_llmcost.instrumentation.source import Source
from otel_llmcost.storage.memory import MemoryStore
from tests.instrumentation.conftest import EXPORTER, Process, Start

# The server reports 1,000 input and 1,000 output tokens of gpt-4o-mini: 0.15 + 0.60 per million, 0.00075 USD a call.
COST = 0.00075
ASK: Any = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "word " * 990}],
    "max_tokens": 1000,
}


@pytest.fixture(autouse=True)
def dear_answers(server: ProviderServer) -> None:
    server.script.add(Rule(usage={"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000}))


def budget(calls: float, name: str = "b", *more: str) -> str:
    return "\n".join([f'[[budget]]\nname = "{name}"\nlimit = {calls * COST:.8f}\nwindow = "day"', *more, ""])


def act(kind: Any = "stop", **facts: Any) -> Act:
    return Act(**{"act_id": f"{kind}-1", "at": datetime.now(UTC), "kind": kind, "by": "ann", "reason": "why", **facts})


def call(server: ProviderServer) -> Any:
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        return client.chat.completions.create(**ASK)


def decide(process: Process, *acts: Act) -> None:
    for each in acts:
        process.runtime.store.act(each)
    process.runtime.oversight.look_at_acts()


def reload(process: Process, folder: Path, toml: str) -> None:
    oversight = process.runtime.oversight
    if oversight.source is None:
        oversight.source = Source.of({"OTEL_LLMCOST_STORE": "memory://"}, cwd=folder, home=folder)
    file = folder / "llmcost.toml"
    file.write_text(toml)
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1_000_000))  # a file system may not tell two writes apart
    oversight.look_at_file()


def test_a_stopped_agents_call_is_not_sent_and_says_who_stopped_it(start: Start, server: ProviderServer) -> None:
    process = start()
    decide(process, act(scope=Scope({"agent": ("scr*",)})))

    with attribute(agent="scraper"), pytest.raises(RefusedError, match=r"agent=scr\* stopped by ann: why"):
        call(server)
    with attribute(agent="writer"):
        call(server)

    assert len(server.requests) == 1
    refused = next(span for span in EXPORTER.get_finished_spans() if span.attributes["gen_ai.agent.name"] == "scraper")
    assert refused.attributes["llmcost.budget.name"] == "stop"


def test_a_stop_that_is_ended_lets_calls_go_on(start: Start, server: ProviderServer) -> None:
    process = start()
    decide(process, act())
    with pytest.raises(RefusedError, match="all calls stopped by ann"):
        call(server)

    decide(process, act("resume", ends="stop-1"))

    assert call(server).usage.total_tokens == 2000


def test_a_stop_for_a_while_says_until_when(start: Start, server: ProviderServer) -> None:
    process = start()
    end = datetime.now(UTC) + timedelta(hours=1)
    decide(process, act(until=end))

    with pytest.raises(RefusedError, match=f"stopped by ann until {end:%Y-%m-%d %H:%M} UTC: why") as refusal:
        call(server)

    assert refusal.value.retry_after_seconds is not None
    assert 0 < refusal.value.retry_after_seconds <= 3600


def test_a_raise_makes_room_without_a_restart(start: Start, server: ProviderServer) -> None:
    process = start(budget(1.5))
    call(server)
    with pytest.raises(BudgetExceededError):
        call(server)

    decide(process, act("raise", budget="b", amount_nano=750_000))
    call(server)

    assert process.runtime.store_state().balances[0][1].limit_nano == int(2.5 * 750_000)


def test_stops_stay_in_force_while_the_store_is_out_of_reach(
    start: Start, server: ProviderServer, caplog: pytest.LogCaptureFixture
) -> None:
    class Away(MemoryStore):
        def acts_in_force(self, now: datetime) -> list[Act]:
            raise StoreError("away")

    process = start()
    decide(process, act())
    process.runtime.oversight.store = Away()

    with caplog.at_level(logging.WARNING, "otel_llmcost"):
        process.runtime.oversight.look_at_acts()
        process.runtime.oversight.look_at_acts()

    assert caplog.text.count("those known stay in force: away") == 1
    with pytest.raises(RefusedError):
        call(server)


def test_a_budget_added_to_the_file_holds_and_counts_what_was_spent(
    start: Start, server: ProviderServer, tmp_path: Path
) -> None:
    process = start()
    reload(process, tmp_path, "")
    call(server)
    process.runtime.writer.flush(5)

    reload(process, tmp_path, budget(1.5, "new"))

    assert process.balance("new").settled_nano == 750_000
    with pytest.raises(BudgetExceededError, match="'new'"):
        call(server)


def test_what_others_booked_without_knowing_of_a_budget_is_counted_a_little_later(
    start: Start, server: ProviderServer, tmp_path: Path
) -> None:
    process = start(store="sqlite")
    reload(process, tmp_path, "")
    reload(process, tmp_path, budget(5, "new"))
    driver = process.runtime.driver
    knowing, driver.policy = driver.policy, Policy((), datetime.now(UTC))
    call(server)
    process.runtime.writer.flush(5)
    driver.policy = knowing

    process.runtime.driver.now = lambda: datetime.now(UTC) + timedelta(seconds=31)
    process.runtime.oversight.count_again()

    assert process.balance("new").settled_nano == 750_000


def test_what_a_person_forgives_meanwhile_is_not_counted_again(
    start: Start, server: ProviderServer, tmp_path: Path
) -> None:
    process = start(store="sqlite")
    call(server)
    process.runtime.writer.flush(5)
    reload(process, tmp_path, "")
    reload(process, tmp_path, budget(5, "new"))
    process.runtime.store.reset("new")
    process.runtime.store.act(act("reset", budget="new"))

    process.runtime.driver.now = lambda: datetime.now(UTC) + timedelta(seconds=31)
    process.runtime.oversight.count_again()

    assert process.balance("new").settled_nano == 0


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param("[[budget]\n", id="half-written"),
        pytest.param('[[budget]]\nname = "b"\nwindow = "day"\n', id="a-budget-without-limit"),
    ],
)
def test_a_file_that_cannot_be_read_changes_nothing_and_is_told(
    broken: str, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = start(budget(1.5))
    before = process.runtime.driver.policy

    with caplog.at_level(logging.ERROR, "otel_llmcost"):
        reload(process, tmp_path, budget(1.5))
        reload(process, tmp_path, broken)

    assert [each.name for each in process.runtime.driver.policy.budgets] == ["b"]
    assert process.runtime.driver.policy.budgets == before.budgets
    assert "not put in force" in caplog.text


def test_a_budget_taken_out_of_the_file_holds_no_more(start: Start, server: ProviderServer, tmp_path: Path) -> None:
    process = start(budget(0.5))
    with pytest.raises(BudgetExceededError):
        call(server)

    reload(process, tmp_path, budget(0.5))
    reload(process, tmp_path, "")
    call(server)

    assert len(server.requests) == 1


def test_prices_of_the_changed_file_are_those_of_the_next_call(
    start: Start, server: ProviderServer, tmp_path: Path
) -> None:
    process = start()
    reload(process, tmp_path, "")

    reload(process, tmp_path, '[[price]]\nprovider = "openai"\nmodel = "gpt-4o-mini"\ninput = 1\noutput = 1\n')
    call(server)

    assert process.charge.cost_nano == 2_000_000


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    source = Source.of({}, cwd=tmp_path, home=tmp_path)

    assert source.changed() is None
    (tmp_path / "llmcost.toml").write_text("summary = true")
    found = source.changed()
    assert found is not None
    assert found.summary
    assert source.changed() is None


def test_a_duty_is_done_by_one_process_of_a_fleet(start: Start) -> None:
    done: list[str] = []
    oversight = start().runtime.oversight
    one = replace(oversight, holder="one", duties=[lambda *_: done.append("one")])
    two = replace(oversight, holder="two", duties=[lambda *_: done.append("two")])

    for each in (one, two, one):
        each.do_duties()

    assert done == ["one", "one"]


def test_chores_are_done_when_their_time_comes() -> None:
    done: list[str] = []
    chores = Chores([Chore("a", 1, lambda: done.append("a")), Chore("b", 3, lambda: done.append("b"))])

    waits = [chores.run_due(now) for now in (0, 0.5, 1, 2.5, 3)]

    assert done == ["a", "a", "b"]
    assert waits == [1, 0.5, 1, 0.5, 0.5]


def test_a_chore_that_fails_does_not_keep_others_from_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_llmcost.instrumentation.contain.reraise", False)
    done: list[str] = []

    def fail() -> None:
        raise StoreError("away")

    chores = Chores([Chore("fail", 1, fail), Chore("a", 1, lambda: done.append("a"))])
    chores.run_due(0)
    chores.run_due(1)

    assert done == ["a"]


def test_chores_begin_with_the_first_call_and_end_with_the_process(start: Start, server: ProviderServer) -> None:
    chores = start().runtime.driver.chores
    assert not chores.is_running

    call(server)
    assert chores.is_running

    chores.close()
    chores.start()
    assert chores.is_running


def test_chores_that_ended_do_not_begin_again() -> None:
    chores = Chores([])
    chores.close()

    chores.start()

    assert not chores.is_running
