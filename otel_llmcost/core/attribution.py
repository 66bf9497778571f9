"""Who a call is for, and the patterns a budget picks calls by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Literal, get_args

Dimension = Literal[
    "agent",
    "task",
    "user",
    "team",
    "feature",
    "session",
    "workflow",
    "endpoint",
    "project",
    "environment",
    "tier",
    "provider",
    "model",
    "trace",
]
"""`provider`, `model` and `trace` are told by the call itself; the others are said by people, code or baggage."""
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
SAID: tuple[Dimension, ...] = DIMENSIONS[:-3]
"""The dimensions that `attribute()`, the environment and baggage may set."""

Tags = Mapping[Dimension, str]
"""Only what is known; a dimension nobody named is absent, never empty."""


def merged(*layers: Tags) -> dict[Dimension, str]:
    """Lay tags over one another; later layers win."""
    result: dict[Dimension, str] = {}
    for layer in layers:
        result.update(layer)
    return result


def subject_of(per: tuple[Dimension, ...], tags: Tags) -> str | None:
    """Name whose balance a call counts on, such as `team=support,user=u-7`; no two name the same.

    Returns:
        An empty string where one balance serves all calls; None where the call lacks one of the dimensions.
    """
    if not per:
        return ""
    if len(per) == 1:
        value = tags.get(per[0])
        return None if value is None else f"{per[0]}={encodable(value)}"
    parts: list[str] = []
    for dimension in per:
        value = tags.get(dimension)
        if value is None:
            return None
        parts.append(f"{dimension}={encodable(value).replace('%', '%25').replace(',', '%2C')}")
    return ",".join(parts)


def encodable(text: str) -> str:
    """Spell out what is no character (such as a stray byte of the environment), which no file or wire would take."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class Scope:
    """Which calls something is for: a shell-style pattern (or several) per dimension; none at all is every call."""

    patterns: Mapping[Dimension, tuple[str, ...]] = field(default_factory=dict[Dimension, tuple[str, ...]])
    _tests: tuple[tuple[Dimension, frozenset[str], re.Pattern[str] | None], ...] = field(
        init=False, repr=False, compare=False, default=()
    )

    def __post_init__(self) -> None:
        tests = tuple((dimension, *compiled(patterns)) for dimension, patterns in self.patterns.items())
        object.__setattr__(self, "_tests", tests)

    def matches(self, tags: Tags) -> bool:
        """Tell whether all patterns fit; a dimension that the call lacks fits no pattern, not even `*`."""
        for dimension, exact, pattern in self._tests:
            value = tags.get(dimension)
            if value is None:
                return False
            if value not in exact and (pattern is None or pattern.match(value) is None):
                return False
        return True

    def __str__(self) -> str:
        return " ".join(f"{dimension}={'|'.join(patterns)}" for dimension, patterns in self.patterns.items())


def compiled(patterns: tuple[str, ...]) -> tuple[frozenset[str], re.Pattern[str] | None]:
    """Part patterns into values that they name and what the others fit; None: there are no others."""
    exact = frozenset(pattern for pattern in patterns if not set(pattern) & set("*?["))
    wild = [translate(pattern) for pattern in patterns if pattern not in exact]
    return exact, re.compile("|".join(wild)) if wild else None
