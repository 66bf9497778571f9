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


class Run:
    """The work of an agent that is inside of no other, with all that is inside of it."""

    __slots__ = ("is_open",)

    def __init__(self) -> None:
        self.is_open = True


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Inside of an agent's work."""

    frame: Any = None
    """What was entered last."""
    tags: Tags = field(default_factory=dict[Dimension, str])
    """What the frames around say, all of them together."""
    agents: frozenset[str] = frozenset()
    """The agents that the program itself had named when a frame was entered."""
    run: Run = field(default_factory=Run)


OUTSIDE = Place()
"""The run is over: what a context still carries of it was left behind; of another one it was handed on, as in pools."""
BETWEEN = Place()
"""Between two steps of a generator, with its consumer: the run goes on, and is not his."""

place: ContextVar[Place | None] = ContextVar("llmcost_place", default=None)
"""None: nothing is known, as in a thread that was begun in a frame; the context tells all there is."""


def tags(ctx: Context) -> Tags:
    """Read who the current work is for: what the program and its callers say, and the frames it is inside of."""
    here = place.get()
    said = _said(ctx, here)
    if here is None or not here.tags:
        return said
    found: dict[Dimension, str] = {}
    found.update(here.tags)
    found.update(said)
    if "agent" in here.tags and said.get("agent") in here.agents:
        found["agent"] = here.tags["agent"]
    return found


def _said(ctx: Context, here: Place | None) -> Tags:
    """Read a context's baggage, without what it carries of another place."""
    said = baggage.tags(ctx)
    there = ctx.get(PLACE_KEY)
    if here is None or there is here or not isinstance(there, Place) or (here is OUTSIDE and there.run.is_open):
        return said
    return {dimension: value for dimension, value in said.items() if there.tags.get(dimension) != value}


def entered(ctx: Context, frame: Any, named: Tags) -> tuple[Context, Place]:
    """Return the context and the place inside a frame.

    Args:
        ctx: the current one.
        frame: the frame.
        named: what it says that is to be heard.
    """
    outer = current_place(ctx) or Place()
    said = _said(ctx, place.get())
    agents = outer.agents
    agent = said.get("agent")
    if agent is not None and agent != outer.tags.get("agent"):
        agents |= {agent}
    inside: dict[Dimension, str] = {}
    for dimension, value in outer.tags.items():
        known = said.get(dimension, value)  # what the program has said since that frame was entered is nearer
        if known == value or (dimension == "agent" and known in outer.agents):
            inside[dimension] = value
    inside.update(named)
    carried = baggage.tags(ctx)
    missing: dict[Dimension, str] = {name: value for name, value in inside.items() if carried.get(name) != value}
    here = Place(frame, inside, agents, outer.run)
    return otel_context.set_value(PLACE_KEY, here, baggage.with_tags(missing, ctx)), here


def is_inside(here: Place | None) -> bool:
    """Tell whether a place is known to be in a frame."""
    return here is not None and here is not OUTSIDE and here is not BETWEEN


def current_place(ctx: Context) -> Place | None:
    """Return where the program stands; in a thread that was begun in a frame its context says so."""
    here = place.get()
    if is_inside(here):
        return here
    there = ctx.get(PLACE_KEY)
    if isinstance(there, Place) and (here is None or (here is OUTSIDE and there.run.is_open)):
        return there
    return None
