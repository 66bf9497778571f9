"""What is changed in a request before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otel_llmcost.core.body import is_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to ask for in place of what the caller asks for."""

    model: str | None = None
    """None: the model stays."""
    max_output_tokens: int | None = None
    """At most so many; a caller who asks for less gets less. None: as the caller says."""


NO_CHANGE = Change()


def put(fields: Mapping[str, Any], path: str, value: object) -> dict[str, Any] | None:
    """Return fields with another value at a dotted path; what is given stays as it is.

    Returns:
        None: something else than fields stands in the path's way.
    """
    name, _, rest = path.partition(".")
    if rest:
        inner = fields.get(name)
        if inner is not None and not is_fields(inner):
            return None
        value = put({} if inner is None else inner, rest, value)
        if value is None:
            return None
    return {**fields, name: value}
