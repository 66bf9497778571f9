"""What an endpoint of the budget API is, and what it has to work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from otel_llmcost.storage.base import Store
from otel_llmcost.storage.wire_forms import Form
from otel_llmcost_collector.asgi import ProblemError
from otel_llmcost_collector.tokens import Right, Token

AGENTS: frozenset[Right] = frozenset({"agent", "operator"})
READERS: frozenset[Right] = frozenset({"reader", "operator"})
BOTH: frozenset[Right] = AGENTS | READERS
OPERATORS: frozenset[Right] = frozenset({"operator"})
_LONGEST_DUTY = timedelta(days=1)
"""Nobody who asks once is waited for longer."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where an act is done, and for whom."""

    store: Store
    token: Token
    clock: Callable[[], datetime] | None
    """None: whoever asks is believed what time it is."""

    def now(self, said: datetime) -> datetime:
        """Return the time by the server's clock, so that one agent whose clock is wrong harms no other."""
        return said if self.clock is None else self.clock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint."""

    rights: frozenset[Right]
    """One of them is needed."""
    form: type[Form] | None
    """Of the body; None: there is none, and it is asked with GET."""
    answers: type[Form]
    run: Callable[[Desk, Any], Form]
    changes: bool = False
    """It is done once only, however often it is asked under one key."""
    is_long: bool = False
    """It may take long, and no call waits for it."""


def duty_of(asked: timedelta) -> timedelta:
    """Return how long somebody has a duty who asks for so long, be it for less than nothing."""
    return max(timedelta(), min(asked, _LONGEST_DUTY))


def another(team: str) -> ProblemError:
    """Make the refusal of what is another team's."""
    return ProblemError(HTTPStatus.FORBIDDEN, f"this token is for team {team}, and this is another's")
