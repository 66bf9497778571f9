"""LlamaIndex: agents that hand over within one workflow, agents with a memory, workflows around agents."""

from __future__ import annotations

from tests.frameworks.answers import answer, call, text
from tests.frameworks.conftest import Stage


def test_the_agent_whose_turn_it_is_pays_for_its_steps_and_its_tools(stage: Stage) -> None:
    """The team runs all steps of all agents itself; a tool's own call belongs to the agent that used the tool."""
    answer(stage, "Words for Bonn.", text("A river."), times=1)
    answer(stage, "You scout.", call("look_up", place="Bonn"), times=1)
    answer(stage, "You scout.", call("handoff", to_agent="author", reason="found"), times=1)
    answer(stage, "You write.", call("handoff", to_agent="critic", reason="written"), times=1)
    answer(stage, "", text("Thought: I can answer without using any more tools.\nAnswer: Good."))

    ran = stage.run("llama_index_team.py", OPENAI_API_BASE=stage.server.openai_url)

    assert ran.report == {"scout": 3, "author": 1, "critic": 1}


def test_a_memory_is_a_session_and_a_class_of_ones_own_a_workflow(stage: Stage) -> None:
    """An agent that nobody named keeps the name that the framework has for it."""
    answer(stage, "", text("Fine."))

    ran = stage.run("llama_index_almanac.py", OPENAI_API_BASE=stage.server.openai_url)

    assert ran.told("agent", "workflow", "session") == {
        ("guide", None, "chat-7"): 2,
        (None, "Almanac", None): 1,
        ("calendar keeper", "Almanac", None): 1,
        ("Agent", None, None): 1,
    }
