"""Budgets that the server of a store tells hold in every agent, are followed as they change, and outlast the server."""

from __future__ import annotations

import logging
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from examples.provider_server import ProviderServer
from examples.provider_server.script import Rule
from otel_llmcost import BudgetExceededError
from otel_llmcost.config import Settings, load
from otel_llmcost.errors import RefusedError, StoreError
from otel_llmcost.instrumentation.fleet import Fleet
from otel_llmcost.storage import open_store
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector.store_api import StoreApi
from tests.instrumentation.conftest import Process, Start
from tests.storage.serving import Serving

COST_USD = 0.00075
"""Of a call: 1,000 input and 1,000 output tokens of gpt-4o-mini."""


def budget(name: str = "b", limit: float = COST_USD / 2, **more: Any) -> dict[str, Any]:
    return {"name": name, "limit": limit, "window": "day", **more}


class Collector:
    """A server of the budget API over a store of its own, and what it tells agents to hold."""

    def __init__(self, serving: Serving, folder: Path) -> None:
        self.told: dict[str, Any] = {}
        self.store = MemoryStore()
        self.api = StoreApi(self.store, budgets=lambda: self.told)
        self._serving, self._folder = serving, folder
        self.url = f"http://127.0.0.1:{serving.port}"
        serving.app = self.api

    def settings(self, toml: str = "") -> Settings:
        (self._folder / "llmcost.toml").write_text(toml)
        environ = {"OTEL_LLMCOST_STORE": f"{self.url}?timeout=5", "XDG_STATE_HOME": str(self._folder)}
        return load(environ, cwd=self._folder, home=self._folder)

    def fleet(self, toml: str = "") -> Fleet:
        found = Fleet.of(open_store(self.url), self.settings(toml))
        assert found is not None
        return found

    def go_away(self) -> None:
        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

        self._serving.app = app

    def come_back(self) -> None:
        self._serving.app = self.api


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving() as running:
        yield running


@pytest.fixture
def collector(serving: Serving, tmp_path: Path) -> Iterator[Collector]:
    running = Collector(serving, tmp_path)
    yield running
    running.api.close()


@pytest.fixture
def process(collector: Collector, start: Start, server: ProviderServer, tmp_path: Path) -> Process:
    server.script.add(Rule(usage={"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000}))
    collector.told = {"budget": [budget()]}
    return start(OTEL_LLMCOST_STORE=f"{collector.url}?timeout=5", XDG_STATE_HOME=str(tmp_path))


def call(server: ProviderServer) -> Any:
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        return client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "word " * 990}], max_tokens=1000
        )


def test_a_call_is_refused_on_a_budget_that_only_the_server_knows(process: Process, server: ProviderServer) -> None:
    assert process.runtime.settings.budgets[0].name == "b"

    with pytest.raises(BudgetExceededError, match="'b'"):
        call(server)

    assert not server.requests


def test_a_budget_that_is_changed_at_the_server_holds_in_running_agents(
    process: Process, server: ProviderServer, collector: Collector
) -> None:
    collector.told = {"budget": [budget(limit=COST_USD * 1.5)]}

    process.runtime.oversight.look_at_fleet()
    call(server)
    with pytest.raises(BudgetExceededError):
        call(server)


def test_a_changed_file_leaves_the_fleets_budgets_in_force(
    process: Process, collector: Collector, tmp_path: Path
) -> None:
    oversight = process.runtime.oversight
    oversight.source = None
    assert oversight.fleet is not None
    own = collector.settings('[[budget]]\nname = "own"\nlimit = 1\nwindow = "day"\n')

    oversight._change(oversight.fleet.over(own), process.runtime.driver.now())

    assert [each.name for each in process.runtime.driver.policy.budgets] == ["b", "own"]


def test_what_agents_do_every_so_often_has_the_question_in_it(process: Process) -> None:
    assert "ask for the fleet's budgets" in [chore.what for chore in process.runtime.oversight.chores()]


def test_of_two_budgets_of_one_name_the_servers_counts_and_that_is_told(collector: Collector) -> None:
    collector.told = {"budget": [budget("shared", 1), budget("same", 3)]}
    own = (
        '[[budget]]\nname = "shared"\nlimit = 99\nwindow = "day"\n'
        '[[budget]]\nname = "same"\nlimit = 3\nwindow = "day"\n'
        '[[budget]]\nname = "own"\nlimit = 2\nwindow = "day"\n'
    )

    settings = collector.fleet(own).begin()

    assert {each.name: int(each.limit) for each in settings.budgets} == {"shared": 1, "same": 3, "own": 2}
    assert settings.notices == (f"the budget 'shared' of {collector.url} counts, not your own",)


def test_limits_and_tiers_are_told_too(collector: Collector) -> None:
    collector.told = {
        "limit": [{"name": "bursts", "requests": 5, "window": "1m"}],
        "tiers": {"free": {"daily": 1}},
        "alert": [{"name": "no guard", "url": "https://elsewhere.example"}],
    }
    settings = collector.fleet().begin()

    assert settings.problems == ()
    assert [each.name for each in settings.budgets] == ["bursts", "free-daily"]
    assert settings.channels == ()


def test_nothing_new_is_not_sent_again(collector: Collector) -> None:
    collector.told = {"budget": [budget()]}
    fleet = collector.fleet()
    fleet.begin()

    assert not fleet.has_changed()
    collector.told = {"budget": [budget(limit=1)]}
    assert fleet.has_changed()
    assert not fleet.has_changed()


def test_while_the_server_is_away_what_it_told_last_stays(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.told = {"budget": [budget()]}
    fleet = collector.fleet()
    fleet.begin()
    collector.go_away()

    with caplog.at_level(logging.WARNING, "otel_llmcost"):
        assert not fleet.has_changed()
        assert not fleet.has_changed()

    assert [each.name for each in fleet.over(collector.settings()).budgets] == ["b"]
    assert caplog.text.count("those known stay in force") == 1


def test_an_agent_that_starts_while_the_server_is_away_holds_what_was_known_on_its_machine(
    collector: Collector, tmp_path: Path
) -> None:
    collector.told = {"budget": [budget()]}
    collector.fleet().begin()
    collector.go_away()

    later = collector.fleet()

    assert [each.name for each in later.begin().budgets] == ["b"]
    (kept,) = (tmp_path / "otel-llmcost").glob("fleet-*")
    assert stat.S_ISREG(kept.stat().st_mode)


def test_where_all_is_strict_no_call_is_sent_before_the_server_has_said_its_budgets(collector: Collector) -> None:
    collector.go_away()
    fleet = collector.fleet("strict = true")
    refused = fleet.begin().refuse_all_reason
    collector.come_back()

    assert refused == f"{collector.url} did not say what budgets there are; every call is refused (strict = true)"
    assert fleet.has_changed()
    assert fleet.over(fleet.own()).refuse_all_reason is None


def test_a_strict_agent_sends_nothing_until_it_knows_its_budgets(
    collector: Collector, start: Start, server: ProviderServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    collector.go_away()
    with caplog.at_level(logging.CRITICAL, "otel_llmcost"):
        process = start("strict = true", OTEL_LLMCOST_STORE=collector.url, XDG_STATE_HOME=str(tmp_path))
        with pytest.raises(RefusedError, match="did not say what budgets there are"):
            call(server)

    collector.come_back()
    process.runtime.oversight.look_at_fleet()

    assert call(server).choices


def test_a_budget_of_the_server_that_cannot_be_read_leaves_the_last_in_force(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.told = {"budget": [budget()]}
    fleet = collector.fleet()
    fleet.begin()
    collector.told = {"budget": [budget(limit=-1)]}

    with caplog.at_level(logging.ERROR, "otel_llmcost"):
        assert not fleet.has_changed()
        assert not fleet.has_changed()

    assert [float(each.limit) for each in fleet.over(collector.settings()).budgets] == [COST_USD / 2]
    assert caplog.text.count("budget[0].limit") == 1


def test_what_of_the_first_answer_can_be_used_is_used_and_the_rest_is_told(
    collector: Collector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    collector.told = {"budget": [budget("right"), {"name": "wrong"}]}

    with caplog.at_level(logging.ERROR, "otel_llmcost"):
        settings = collector.fleet().begin()

    assert [each.name for each in settings.budgets] == ["right"]
    assert f"{collector.url}" in caplog.text
    assert not list((tmp_path / "otel-llmcost").glob("fleet-*"))


@pytest.mark.parametrize("content", ["", "[1]", '["a", 2]', '{"a": 1}', "\udcff", "[[], {}]"])
def test_a_kept_answer_that_somebody_else_wrote_is_as_if_there_were_none(
    content: str, collector: Collector, tmp_path: Path
) -> None:
    collector.told = {"budget": [budget()]}
    collector.fleet().begin()
    (kept,) = (tmp_path / "otel-llmcost").glob("fleet-*")
    kept.write_bytes(content.encode(errors="surrogateescape"))

    assert [each.name for each in collector.fleet().begin().budgets] == ["b"]


def test_a_folder_that_cannot_be_written_keeps_nobody_from_starting(collector: Collector, tmp_path: Path) -> None:
    collector.told = {"budget": [budget()]}
    (tmp_path / "otel-llmcost").write_text("no folder")

    assert [each.name for each in collector.fleet().begin().budgets] == ["b"]


def test_a_store_without_a_server_tells_nothing(collector: Collector) -> None:
    assert Fleet.of(MemoryStore(), collector.settings()) is None


def test_two_servers_are_kept_apart(collector: Collector) -> None:
    collector.told = {"budget": [budget()]}
    collector.fleet().begin()

    other = Fleet.of(open_store("http://127.0.0.1:9"), collector.settings())

    assert other is not None
    assert other.begin().budgets == ()


def test_a_server_that_says_it_in_another_form_is_told_of(collector: Collector) -> None:
    collector.told = [1]  # type: ignore[assignment] -- what no server of ours says

    with pytest.raises(StoreError, match="in a form that is not known"):
        open_store(collector.url).told("", 5)  # type: ignore[attr-defined]


def test_a_start_waits_once_for_a_server_that_takes_connections_and_says_nothing(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever else it would ask, it asks when calls are made."""
    with socket.create_server(("127.0.0.1", 0)) as silent, caplog.at_level(logging.WARNING, "otel_llmcost"):
        url = f"http://127.0.0.1:{silent.getsockname()[1]}?timeout=0.1"
        process = start(OTEL_LLMCOST_STORE=url, XDG_STATE_HOME=str(tmp_path))

    warnings = [record.message for record in caplog.records if "no answer" in record.message]
    assert len(warnings) == 1
    assert warnings[0].startswith("the fleet's budgets cannot be asked for")
    process.runtime.store.open_reservations = lambda: 0  # type: ignore[method-assign] -- nobody answers the fixture
