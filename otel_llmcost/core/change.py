"""What is changed in a request before it is sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to ask for in place of what the caller asks for."""

    model: str | None = None
    """None: the model stays."""
    max_output_tokens: int | None = None
    """At most so many; a caller who asks for less gets less. None: as the caller says."""


NO_CHANGE = Change()
