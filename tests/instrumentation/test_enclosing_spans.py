"""A framework without rows of ours: what the spans around a call say of agent, workflow, session and user is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import openai
import pytest
from opentelemetry import trace

from examples.provider_server import ProviderServer
from otel_llmcost import attribute
from otel_llmcost.core.attribution import Tags
from otel_llmcost.telemetry.baggage import MOST_CHARACTERS
from tests.instrumentation.conftest import Process, Start

Chat = Callable[[], Tags]
TRACER = trace.get_tracer("somebody.else")


@pytest.fixture
def process(start: Start) -> Process:
    return start(OTEL_LLMCOST_AGENT="default", OTEL_LLMCOST_TEAM="desk")


@pytest.fixture
def chat(process: Process, server: ProviderServer) -> Iterator[Chat]:
    """Make a call and return what it is attributed to."""
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:

        def ask() -> Tags:
            client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
            return process.charges[-1].tags

        yield ask


OFFICIAL = {
    "gen_ai.agent.name": "scout",
    "gen_ai.workflow.name": "trip",
    "gen_ai.conversation.id": "c-1",
    "user.id": "ada",
}
OPENINFERENCE = {"openinference.span.kind": "AGENT", "graph.node.id": "scout", "session.id": "c-1", "user.id": "ada"}
TRACELOOP = {
    "traceloop.span.kind": "agent",
    "traceloop.entity.name": "scout",
    "traceloop.workflow.name": "trip",
    "traceloop.association.properties.thread_id": "c-1",
    "traceloop.association.properties.user_id": "ada",
}


@pytest.mark.parametrize("said", [OFFICIAL, OPENINFERENCE, TRACELOOP], ids=["official", "openinference", "traceloop"])
def test_each_dialect_names_who_is_at_work(said: dict[str, str], chat: Chat) -> None:
    """Beginning or later: some set their attributes after the span has begun."""
    with TRACER.start_as_current_span("begun", attributes=said):
        at_once = chat()
    with TRACER.start_as_current_span("agent") as span:
        before = chat()
        span.set_attributes(said)
        later, again = chat(), chat()

    for tags in (at_once, later, again):
        assert (tags["agent"], tags["session"], tags["user"], tags["team"]) == ("scout", "c-1", "ada", "desk")
    assert before["agent"] == "default"
    assert "session" not in before


def test_the_innermost_agent_and_the_outermost_conversation_win(chat: Chat) -> None:
    """A step without a name belongs to whatever it is inside of."""
    with (
        TRACER.start_as_current_span("crew", attributes={"gen_ai.agent.name": "chief", "session.id": "c-1"}),
        TRACER.start_as_current_span("agent", attributes={"gen_ai.agent.name": "scout", "session.id": "c-2"}),
        TRACER.start_as_current_span("step"),
    ):
        tags = chat()

    assert (tags["agent"], tags["session"]) == ("scout", "c-1")


def test_a_span_that_has_ended_is_around_nothing(chat: Chat) -> None:
    """Whoever made it may have left it behind in the context; the one that it was inside of may go on."""
    with TRACER.start_as_current_span("crew", attributes={"gen_ai.agent.name": "chief"}):
        left = TRACER.start_span("agent", attributes=OFFICIAL)
        left.end()
        with trace.use_span(left):
            tags = chat()

    assert tags["agent"] == "chief"
    assert "session" not in tags


def test_what_the_program_says_itself_goes_before(chat: Chat) -> None:
    """Spans are the last resort."""
    with TRACER.start_as_current_span("agent", attributes=OFFICIAL), attribute(agent="me", user="lin"):
        tags = chat()

    assert (tags["agent"], tags["user"], tags["workflow"]) == ("me", "lin", "trip")


@pytest.mark.parametrize(
    "said",
    [
        {"traceloop.span.kind": "tool", "traceloop.entity.name": "search"},
        {"openinference.span.kind": "CHAIN", "graph.node.id": "search"},
        {"gen_ai.agent.name": ""},
    ],
    ids=str,
)
def test_tools_and_chains_are_no_agents(said: dict[str, str], chat: Chat) -> None:
    """Their names stand in the same attributes."""
    with TRACER.start_as_current_span("tool", attributes=said):
        assert chat()["agent"] == "default"


def test_a_name_from_outside_is_cut(chat: Chat) -> None:
    """As one in a header is."""
    with TRACER.start_as_current_span("agent", attributes={"agent_name": "x" * 2 * MOST_CHARACTERS}):
        assert chat()["agent"] == "x" * MOST_CHARACTERS


def test_spans_without_end_do_not_make_a_call_slow(chat: Chat) -> None:
    """A worker may never end the span it began with."""
    spans = [TRACER.start_span("first", attributes=OFFICIAL)]
    for _ in range(70):
        spans.append(TRACER.start_span("next", trace.set_span_in_context(spans[-1])))

    with trace.use_span(spans[-1]):
        assert chat()["agent"] == "default"
