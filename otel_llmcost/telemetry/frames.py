"""Where in an agent framework the program stands, and whom that makes a call for.

It is carried twice. As baggage in OpenTelemetry's context it goes on into threads, onto spans and to other services.
But other instrumentors put contexts of their own in place of the current one, kept from before an agent was named or
left behind by an agent that is done; so the place itself is kept beside it, in a variable that nobody else touches.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_llmcost.core.attribution import Dimension, Tags
from otel_llmcost.telemetry import baggage

PLACE_KEY = otel_context.create_key("llmcost.place")
"""Under this key a context carries the place it was made in."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Inside of an agent's work."""

    frame: Any = None
    """What was entered last."""
    tags: Tags = field(default_factory=dict[Dimension, str])
    """What the frames around say, all of them together."""
    agents: frozenset[str] = frozenset()
    """The agents that the program itself had named when a frame was entered."""


OUTSIDE = Place()
"""All frames are known to have been left: what a context still carries of them was left behind."""

place: ContextVar[Place | None] = ContextVar("llmcost_place", default=None)
"""None: nothing is known, as in a thread that was begun in a frame; the context tells all there is."""


def tags(ctx: Context) -> Tags:
    """Read who the current work is for: what the program and its callers say, and the frames it is inside of."""
    said = baggage.tags(ctx)
    here = place.get()
    if here is None:
        return said
    there = ctx.get(PLACE_KEY)
    if there is not here and isinstance(there, Place):
        said = _without(there.tags, said)
    found: dict[Dimension, str] = {}
    found.update(here.tags)
    found.update(said)
    if "agent" in here.tags and said.get("agent") in here.agents:
        found["agent"] = here.tags["agent"]
    return found


def _without(left: Tags, said: Tags) -> Tags:
    return {dimension: value for dimension, value in said.items() if left.get(dimension) != value}


def entered(ctx: Context, frame: Any, named: Tags) -> tuple[Context, Place]:
    """Return the context and the place inside a frame.

    Args:
        ctx: the current one.
        frame: the frame.
        named: what it says that is to be heard.
    """
    outer = current_place(ctx) or OUTSIDE
    around: dict[Dimension, str] = {}
    around.update(outer.tags)
    agents = outer.agents
    agent = baggage.tags(ctx).get("agent")
    if agent is not None and agent != outer.tags.get("agent") and agent not in agents:
        agents |= {agent}
        around.pop("agent", None)  # what the program has named since then is nearer
    here = Place(frame, {**around, **named}, agents)
    return otel_context.set_value(PLACE_KEY, here, baggage.with_tags(named, ctx)), here


def current_place(ctx: Context) -> Place | None:
    """Return where the program stands; in a thread that was begun in a frame its context says so."""
    here = place.get()
    if here is not None:
        return here
    there = ctx.get(PLACE_KEY)
    return there if isinstance(there, Place) else None
