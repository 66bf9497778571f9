"""Whom AutoGen's objects name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from otel_llmcost.adapters.framework_autogen import HOOKS
from otel_llmcost.adapters.frameworks import Frame

FRAME = {hook.name: hook.frame for hook in HOOKS}


def of_team(**fields: Any) -> Any:
    """Make an object of a class that the chat API brings along."""
    made = type("Member", (), {"__module__": "autogen_agentchat.teams._group_chat._chat_agent_container"})()
    vars(made).update(id=SimpleNamespace(type="editor_0d9b7c7e"), **fields)
    return made


def test_a_recipient_in_a_team_is_the_agent_it_stands_for() -> None:
    editor = SimpleNamespace(name="editor", on_messages=print)

    assert FRAME["BaseAgent.on_message"](of_team(_agent=editor), (), {}, None) == Frame(agent="editor")


def test_a_team_in_a_team_is_no_agent() -> None:
    """Its own members will say who they are."""
    assert FRAME["BaseAgent.on_message"](of_team(_agent=SimpleNamespace(name="desk")), (), {}, None) is None


def test_a_teams_manager_has_its_own_name_and_everybody_else_that_of_the_type() -> None:
    translator = SimpleNamespace(id=SimpleNamespace(type="translator"))

    assert FRAME["BaseAgent.on_message"](of_team(_name="Orchestrator"), (), {}, None) == Frame(agent="Orchestrator")
    assert FRAME["BaseAgent.on_message"](translator, (), {}, None) == Frame(agent="translator")


class RoundRobinGroupChat:
    def __init__(self, name: str) -> None:
        self.name = name


def test_a_team_left_at_the_name_of_its_kind_is_no_workflow() -> None:
    run = FRAME["BaseGroupChat.run_stream"]

    assert run(RoundRobinGroupChat("newsroom"), (), {}, None) == Frame(workflow="newsroom")
    assert run(RoundRobinGroupChat("RoundRobinGroupChat"), (), {}, None) is None


def test_an_agent_on_its_own_is_called_by_its_name() -> None:
    assert FRAME["BaseChatAgent.run"](SimpleNamespace(name="columnist"), (), {}, None) == Frame(agent="columnist")
