"""OpenAI Agents: handoffs, guardrails, agents as tools, streams, calls made inside tools."""

from __future__ import annotations

from tests.frameworks.conftest import Stage


def test_a_handoff_changes_the_agent_within_a_run(stage: Stage) -> None:
    """The run is begun by one agent, and most of it paid for by another."""
    ran = stage.run("openai_agents_helpdesk.py")

    assert ran.out == ["Billing", "Billing"]
    assert ran.report == {"Triage": 1, "Billing": 3, "Screener": 1}
    assert ran.told("workflow", "session", "user") == {("Help desk", "desk-7", "ada"): 5}


def test_agents_used_as_tools_and_calls_inside_tools_have_their_names(stage: Stage) -> None:
    """A tool that asks a model by the bare SDK works for the agent that uses it."""
    ran = stage.run("openai_agents_newsroom.py")

    assert ran.report == {"Editor": 2, "Reporter": 3, "Front page": 1, "Back page": 1, "Corrector": 1}
    assert ran.told("workflow", "session") == {("Morning paper", "edition-1"): 7, (None, None): 1}
