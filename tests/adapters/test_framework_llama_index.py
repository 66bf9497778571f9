"""Whom LlamaIndex's objects name."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from otel_llmcost.adapters.framework_llama_index import HOOKS
from otel_llmcost.adapters.frameworks import Frame

FRAME = {hook.name: hook.frame for hook in HOOKS}
RUN = FRAME["Workflow.run"]
START = {"memory": SimpleNamespace(session_id="chat-7")}


class Almanac:
    _workflow_name: str | None = None


class Agent:
    _workflow_name = None
    take_step = None

    def __init__(self, name: str) -> None:
        self.name = name


def test_a_workflow_is_called_by_its_class_or_what_its_author_says() -> None:
    named = Almanac()
    named._workflow_name = "year"

    assert RUN(Almanac(), (), {}, None) == Frame(workflow="Almanac")
    assert RUN(named, (), {}, None) == Frame(workflow="year")


def test_a_ready_made_team_is_no_workflow_by_name() -> None:
    team = type("AgentWorkflow", (), {"__module__": "llama_index.core.agent.workflow.multi_agent_workflow"})()

    assert RUN(team, (), {"start_event": START}, None) == Frame(session="chat-7")


def test_an_agent_is_no_workflow_but_an_agent() -> None:
    assert RUN(Agent("guide"), (), {"start_event": START}, None) == Frame(agent="guide", session="chat-7")
    assert RUN(Agent("Agent"), (), {}, None) == Frame(agent="Agent", is_default=True)


def test_a_step_of_a_team_is_the_agents_whose_turn_it_is() -> None:
    turn = SimpleNamespace(current_agent_name="scout")

    assert FRAME["AgentWorkflow.run_agent_step"](None, (), {"ctx": None, "ev": turn}, None) == Frame(agent="scout")


class Store:
    def __init__(self, *, is_remote: bool = False) -> None:
        self._is_remote = is_remote

    async def get(self, name: str, *, default: Any) -> Any:
        if self._is_remote:
            await asyncio.sleep(0)
        return {"current_agent_name": "author"}.get(name, default)


def test_a_tools_agent_is_read_from_the_teams_state_if_that_is_at_hand() -> None:
    """Nobody waits for a state that lies elsewhere: the agent around stays as it is."""
    call_tool = FRAME["AgentWorkflow.call_tool"]

    assert call_tool(None, (), {"ctx": SimpleNamespace(store=Store())}, None) == Frame(agent="author")
    assert call_tool(None, (), {"ctx": SimpleNamespace(store=Store(is_remote=True))}, None) == Frame()
