"""What the rows read from a framework's own objects; that these are so is held by the programs in tests/frameworks."""

from __future__ import annotations

import sys
from enum import Enum, StrEnum
from types import SimpleNamespace as Thing
from typing import Any
from uuid import UUID

import pytest

from otel_llmcost.adapters import (
    framework_adk,
    framework_langgraph,
    framework_openai_agents,
    framework_pydantic_ai,
)
from otel_llmcost.adapters.frameworks import Frame, Hook, argument, first_text, text


def frame(
    hooks: tuple[Hook, ...], name: str, instance: Any, *args: Any, outer: Frame | None = None, **kwargs: Any
) -> Frame | None:
    (hook,) = {hook.name: hook for hook in hooks if hook.name == name}.values()
    return hook.frame(instance, args, kwargs, outer)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ada", "ada"),
        (StrEnum("Role", {"EDITOR": "editor"}).EDITOR, "editor"),
        (Enum("OldRole", {"EDITOR": "editor"}, type=str).EDITOR, "editor"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (7, "7"),
        (0, "0"),
        ("", None),
        (True, None),
        (None, None),
        (["ada"], None),
    ],
    ids=repr,
)
def test_an_identifier_is_a_text_or_a_number(value: object, expected: str | None) -> None:
    """Anything else under such a name identifies nobody."""
    assert text(value) == expected


def test_arguments_and_fields_are_found_however_they_were_given() -> None:
    """By position or by name; in a mapping or in an object."""
    assert [argument(("a",), {}, 0, "x"), argument((), {"x": "b"}, 0, "x"), argument((), {}, 0, "x")] == [
        "a",
        "b",
        None,
    ]
    assert first_text({"b": "", "c": "1"}, "a", "b", "c") == "1"
    assert first_text(Thing(c="1"), "a", "c") == "1"
    assert first_text(None, "a") is None


def named_trace(name: str, group: str | None = None, **metadata: str) -> Any:
    return Thing(name=name, group_id=group, metadata=metadata)


@pytest.mark.parametrize(
    ("trace", "kwargs", "expected"),
    [
        pytest.param(None, {}, Frame(agent="Triage"), id="no-more-than-a-name"),
        pytest.param(
            None,
            {
                "conversation_id": "c-1",
                "session": Thing(session_id="s-1"),
                "context": Thing(user_id="ada"),
                "run_config": Thing(workflow_name="Desk", group_id="g-1", trace_metadata=None),
            },
            Frame(agent="Triage", workflow="Desk", session="c-1", user="ada"),
            id="all-in-the-call",
        ),
        pytest.param(
            None,
            {"run_config": Thing(workflow_name="Agent workflow", group_id="g-1", trace_metadata={"user_id": 7})},
            Frame(agent="Triage", session="g-1", user="7"),
            id="a-workflow-nobody-named",
        ),
        pytest.param(
            named_trace("Paper", "g-2", user_id="lin"),
            {"session": Thing(session_id="s-1")},
            Frame(agent="Triage", workflow="Paper", session="s-1", user="lin"),
            id="a-trace-around",
        ),
        pytest.param(named_trace("no-op"), {}, Frame(agent="Triage"), id="a-trace-switched-off"),
        pytest.param(
            named_trace("Paper", "g-2"), {}, Frame(agent="Triage", workflow="Paper", session="g-2"), id="group"
        ),
    ],
)
def test_openai_agents_run(
    trace: Any, kwargs: dict[str, Any], expected: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The conversation the provider keeps goes before a session, and that before a mere group of traces."""
    scope = Thing(Scope=Thing(get_current_trace=lambda: trace))
    monkeypatch.setitem(sys.modules, "agents.tracing.scope", scope)

    assert (
        frame(framework_openai_agents.HOOKS, "AgentRunner.run", None, Thing(name="Triage"), "hi", **kwargs) == expected
    )


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        pytest.param((), {"bindings": Thing(public_agent=Thing(name="Billing"))}, id="bound"),
        pytest.param((None, Thing(public_agent=Thing(name="Billing"))), {}, id="streamed"),
        pytest.param((), {"agent": Thing(name="Billing")}, id="earlier"),
        pytest.param((None, Thing(name="Billing")), {}, id="earlier-streamed"),
    ],
)
def test_openai_agents_turn(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Versions differ in how they pass whose turn it is."""
    assert frame(framework_openai_agents.HOOKS, "run_single_turn", None, *args, **kwargs) == Frame(agent="Billing")


def test_pydantic_ai_step() -> None:
    """A user is taken from what the program hands its tools, or from what it notes on the run."""
    state = Thing(conversation_id="c-1", metadata={"user_id": "lin"})
    ctx = Thing(state=state, deps=Thing(agent=Thing(name="chef"), user_deps=None))
    early = Thing(state=Thing(), deps=Thing(user_deps=Thing(user_id="ada")))

    assert frame(framework_pydantic_ai.HOOKS, "ModelRequestNode.run", None, ctx) == Frame(
        agent="chef", session="c-1", user="lin"
    )
    assert frame(framework_pydantic_ai.HOOKS, "ModelRequestNode.run", None, ctx=early) == Frame(user="ada")


def test_adk() -> None:
    """A runner has an app, unless it is the one for trying things out."""
    desk = Thing(app_name="desk", agent=Thing(name="root"))
    trial = Thing(app_name="InMemoryRunner", agent=Thing(name="root"))
    session = Thing(id="s-1", user_id="ada")

    hooks = framework_adk.HOOKS
    assert frame(hooks, "Runner.run_async", desk, user_id="ada", session_id="s-1") == Frame(
        workflow="desk", session="s-1", user="ada"
    )
    assert frame(hooks, "Runner.run_live", trial, session=session) == Frame(workflow="root", session="s-1", user="ada")
    assert frame(hooks, "BaseAgent.run_async", Thing(name="scout"), Thing(session=session)) == Frame(
        agent="scout", session="s-1", user="ada", is_whole=True
    )


@pytest.mark.parametrize(
    ("bases", "expected"),
    [
        (("Workflow", "BaseNode"), Frame(workflow="n")),
        (("LlmAgent", "BaseAgent", "BaseNode"), None),
        (("FunctionNode", "BaseNode"), Frame(agent="n", is_part=True)),
    ],
    ids=lambda bases: bases[0] if isinstance(bases, tuple) else "",
)
def test_adk_nodes(bases: tuple[str, ...], expected: Frame | None) -> None:
    """Agents say who they are themselves; a function in a workflow is a step that may call a model."""
    kind: type[Any] = object
    for name in reversed(bases):
        kind = type(name, (kind,), {"name": "n"})

    assert frame(framework_adk.HOOKS, "BaseNode.run", kind(), ctx=None, node_input=None) == expected


def written_in(module: str) -> Any:
    def work() -> None: ...

    work.__module__ = module
    return Thing(func=work, afunc=None)


OWN, LOOP = Thing(bound=written_in("my.program")), Thing(bound=written_in("langchain.agents.factory"))
ASYNC = Thing(func=None, afunc=written_in("langgraph.prebuilt.chat").func)


@pytest.mark.parametrize(
    ("name", "nodes", "outer", "expected"),
    [
        ("scout", [LOOP], None, Frame(agent="scout", is_whole=True)),
        ("scout", [OWN, LOOP], None, Frame(agent="scout", is_whole=True)),
        ("scout", [OWN], Frame(), Frame(agent="scout", is_whole=True)),
        ("LangGraph", [LOOP], Frame(), Frame(is_whole=True)),
        ("trip", [OWN], None, Frame(workflow="trip")),
        ("LangGraph", [OWN], Frame(), Frame()),
        ("LangGraph", [LOOP], None, Frame()),
    ],
    ids=["agent", "own-loop", "inside", "unnamed-inside", "team", "unnamed-team-inside", "unnamed"],
)
def test_a_graph_is_one_agent_by_two_signs_of_three(
    name: str, nodes: list[Any], outer: Frame | None, expected: Frame
) -> None:
    """Named; with a loop of the framework's; inside another."""
    graph = Thing(name=name, nodes=dict(enumerate(nodes)), config=None)

    assert frame(framework_langgraph.HOOKS, "Pregel.stream", graph, {}, outer=outer) == expected


@pytest.mark.parametrize(
    ("bound", "config", "kwargs"),
    [
        ({"metadata": {"user_id": "ada"}}, {"configurable": {"thread_id": "t-1"}}, {}),
        ({"configurable": {"thread_id": "t-1"}}, None, {"context": Thing(user_id="ada")}),
        (None, {"metadata": {"session_id": "t-1"}, "configurable": {"user_id": "ada"}}, {"context": None}),
    ],
    ids=["bound-and-given", "bound", "given"],
)
def test_a_graphs_thread_is_the_session(bound: Any, config: Any, kwargs: dict[str, Any]) -> None:
    """Wherever it was configured."""
    graph = Thing(name="LangGraph", nodes={}, config=bound)

    assert frame(framework_langgraph.HOOKS, "Pregel.astream", graph, {}, config, **kwargs) == Frame(
        session="t-1", user="ada"
    )


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        (OWN.bound, Frame(agent="think", is_part=True)),
        (Thing(steps=[OWN.bound, LOOP.bound]), Frame(agent="think", is_part=True)),
        (Thing(steps=[LOOP.bound]), None),
        (ASYNC, None),
        (Thing(func=Thing(__module__=None)), Frame(agent="think", is_part=True)),
    ],
    ids=["own", "with-writers", "the-frameworks", "async", "a-callable-object"],
)
def test_a_node_that_the_author_wrote_is_a_step(process: Any, expected: Frame | None) -> None:
    """The loop's nodes have names that nobody chose."""
    assert frame(framework_langgraph.HOOKS, "run_with_retry", None, Thing(name="think", proc=process)) == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, None),
        ({"metadata": None}, None),
        ({"metadata": {"user_id": "ada"}, "configurable": {"session_id": "s-1"}}, Frame(session="s-1", user="ada")),
    ],
    ids=["none", "empty", "told"],
)
def test_a_chains_model_is_told_what_the_chain_was(config: Any, expected: Frame | None) -> None:
    """A chain without a graph has no frame of its own."""
    assert frame(framework_langgraph.HOOKS, "BaseChatModel.invoke", None, "hi", config) == expected
