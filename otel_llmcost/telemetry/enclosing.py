"""Whom the spans around a call say it is for: the last resort where a framework has no row of ours.

Whoever makes spans of agents, workflows and conversations (another instrumentor, the framework itself, the program)
names them there, often only after the span has begun, so they are read when a call is made.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.sdk.trace import Span

from otel_llmcost.core.attribution import Dimension, Tags, merged
from otel_llmcost.telemetry.baggage import MOST_CHARACTERS
from otel_llmcost.telemetry.semconv import TAGS

NAMES: Mapping[str, Dimension] = {
    **{name: dimension for dimension, name in TAGS.items()},
    "gen_ai.conversation.id": "session",
    "enduser.id": "user",
    "agent.name": "agent",
    "agent_name": "agent",
    "traceloop.workflow.name": "workflow",
    "traceloop.association.properties.user_id": "user",
    "traceloop.association.properties.session_id": "session",
    "traceloop.association.properties.thread_id": "session",
    "traceloop.association.properties.conversation_id": "session",
}
"""Attribute → what it tells."""

NAMES_OF_AGENTS: Mapping[str, tuple[str, str]] = {
    "traceloop.entity.name": ("traceloop.span.kind", "agent"),
    "graph.node.id": ("openinference.span.kind", "AGENT"),
}
"""Attribute → the other one, and what that must be, for it to name an agent and no tool or chain."""

_DEEPEST = 64
_AROUND = "_llmcost_around"
_TOLD = "_llmcost_told"
_NOTHING: Tags = {}


def remember_around(span: Span, parent: trace.Span) -> None:
    """Keep what a span is inside of; a span itself knows no more of it than its number."""
    if parent.is_recording():
        setattr(span, _AROUND, parent)


def tags_around(span: trace.Span, said: Tags = _NOTHING) -> Tags:
    """Gather what a span and those around it tell: the innermost agent, and the outermost of everything else.

    Args:
        span: the innermost one.
        said: what we write on every span ourselves, which tells nothing of what it is inside of.
    """
    layers: list[Tags] = []
    around: trace.Span | None = span
    for _ in range(_DEEPEST):
        if not isinstance(around, Span):
            break
        told = _told(around, said) if around.is_recording() else None  # one that has ended was left behind
        if told:
            layers.append(told)
        around = getattr(around, _AROUND, None)
    if not layers:
        return _NOTHING
    agent = next((layer["agent"] for layer in layers if "agent" in layer), None)
    return merged(*layers, {} if agent is None else {"agent": agent})


def _told(span: Span, said: Tags) -> Tags:
    """Read one span; again only when it has more attributes than the last time."""
    attributes = span.attributes or {}
    size, told = getattr(span, _TOLD, (0, _NOTHING))
    if len(attributes) != size:
        told = _read({name: value for name, value in attributes.items() if isinstance(value, str) and value}, said)
        setattr(span, _TOLD, (len(attributes), told))
    return told


def _read(attributes: Mapping[str, str], said: Tags) -> Tags:
    told: dict[Dimension, str] = {}
    for name, value in attributes.items():
        dimension = NAMES.get(name)
        if dimension is None and name in NAMES_OF_AGENTS:
            kind, expected = NAMES_OF_AGENTS[name]
            dimension = "agent" if attributes.get(kind) == expected else None
        if dimension is not None and said.get(dimension) != value:
            told.setdefault(dimension, value[:MOST_CHARACTERS])
    return told
