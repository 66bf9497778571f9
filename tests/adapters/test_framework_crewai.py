"""Whom CrewAI's objects name; that the right objects get here is tested with the framework itself."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from otel_llmcost.adapters.framework_crewai import HOOKS
from otel_llmcost.adapters.frameworks import Frame

FRAME = {hook.name: hook.frame for hook in HOOKS}


@pytest.mark.parametrize(
    ("role", "agent"),
    [
        pytest.param("Writer", "Writer", id="as-it-is"),
        pytest.param("  Senior\nWriter\n", "Senior Writer", id="on-one-line"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="none"),
    ],
)
def test_an_agent_is_called_by_its_role(role: str | None, agent: str | None) -> None:
    assert FRAME["Agent.kickoff"](SimpleNamespace(role=role), (), {}, None) == Frame(agent=agent)


def test_the_agent_a_task_is_given_to_goes_before_its_own() -> None:
    """A manager takes over the tasks of a crew."""
    task = SimpleNamespace(agent=SimpleNamespace(role="Clerk"))
    manager = SimpleNamespace(role="Manager")

    assert FRAME["Task._execute_core"](task, (manager, None, []), {}, None) == Frame(agent="Manager")
    assert FRAME["Task._execute_core"](task, (), {"agent": manager}, None) == Frame(agent="Manager")
    assert FRAME["Task._execute_core"](task, (None, None, []), {}, None) == Frame(agent="Clerk")


def test_a_crew_nobody_named_is_no_workflow() -> None:
    assert FRAME["Crew.kickoff"](SimpleNamespace(name="shop"), (), {}, None) == Frame(workflow="shop")
    assert FRAME["Crew.kickoff"](SimpleNamespace(name="crew"), (), {}, None) is None
    assert FRAME["Crew.kickoff"](SimpleNamespace(name=None), (), {}, None) is None


class Bakery:
    name = None
    flow_id = "morning-3"


class Named(Bakery):
    name = "shop"


def test_a_flow_is_a_workflow_by_its_name_or_its_class() -> None:
    kickoff = FRAME["Flow.kickoff_async"]

    assert kickoff(Bakery(), (), {}, None) == Frame(workflow="Bakery")
    assert kickoff(Named(), ({"id": "morning-3"},), {}, None) == Frame(workflow="shop", session="morning-3")
    assert kickoff(Named(), (), {"inputs": {"bread": "rye"}}, None) == Frame(workflow="shop")
    assert FRAME["Flow.resume_async"](Bakery(), (), {}, None) == Frame(workflow="Bakery", session="morning-3")


def test_the_flows_the_framework_is_built_of_are_no_workflows() -> None:
    """It runs each agent in a flow of its own."""
    executor = type("AgentExecutor", (), {"__module__": "crewai.agents.agent_executor"})()

    assert FRAME["Flow.kickoff_async"](executor, (), {}, None) is None
