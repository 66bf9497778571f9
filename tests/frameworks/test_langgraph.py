"""LangGraph and LangChain: what its author named is the agent, be it a graph or a node."""

from __future__ import annotations

from examples.provider_server.script import Rule
from examples.provider_server.wire import Answer, ToolCall
from tests.frameworks.conftest import Stage


def test_a_supervisor_and_its_agents_have_their_names(stage: Stage) -> None:
    """A named graph inside another is one agent; started by itself, its nodes are."""
    for agent in ("geographer", "travel_writer"):  # one after the other, as only the supervisor can say
        handoff = ToolCall(name=f"transfer_to_{agent}", arguments={})
        tool = '{"name":"transfer_to_travel_writer","description"'
        stage.server.script.add(Rule(contains=tool, answer=Answer(tool_calls=(handoff,)), times=1))

    ran = stage.run("langgraph_supervisor_team.py")

    assert ran.report == {"head_of_desk": 3, "geographer": 1, "travel_writer": 2, "think": 1, "check": 1}
    assert ran.told("workflow", "session", "user") == {
        ("travel_desk", "trip-3", "lin"): 6,
        ("travel_writer", None, None): 2,
    }


def test_nodes_are_agents_where_no_loop_is_built_around_them(stage: Stage) -> None:
    """In threads, in tasks and in streams; the consumer of a stream stays its own master."""
    ran = stage.run("langgraph_pipeline.py")

    assert ran.out == ["chatbot", "tools", "chatbot"]
    assert ran.report == {
        "optimist": 1,
        "pessimist": 1,
        "researcher": 2,
        "summarizer": 1,
        "": 4,
        "outline": 1,
        "essay": 1,
        "porter": 2,
    }
    assert ran.told("workflow", "session")[("council", "s-9")] == 5


def test_chains_without_a_graph_have_their_session_and_user(stage: Stage) -> None:
    """They name no agent, so that of the program stands."""
    ran = stage.run("langchain_chains.py")

    assert ran.told("agent", "session", "user") == {
        (None, "s-1", "ada"): 4,
        ("porter", "s-2", "lin"): 2,
        (None, None, None): 1,
    }
