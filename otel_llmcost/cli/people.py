"""Who gives a command, and the ids of what they decide."""

from __future__ import annotations

import getpass
import random
from datetime import datetime

from otel_llmcost.core.uuid7 import uuid7

_RANDOM_BITS = 74


def who(said: str | None) -> str:
    """Name the person: as said, else by login name; where there is none, as in a container, `unknown`."""
    if said:
        return said
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # Python before 3.13 raises one of the latter two
        return "unknown"


def new_id(now: datetime) -> str:
    """Make an id that sorts by time."""
    return uuid7(int(now.timestamp() * 1000), random.getrandbits(_RANDOM_BITS))
