"""How much is tried: a few minutes in CI, up to an hour by hand."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the proofs are."""

    seed: int
    """Of all that is random; printed, so that a run can be had again."""
    rounds: int
    """Races for a budget on each store, and five times as many as emergency stops."""
    storm_seconds: float
    """How long each store is disturbed while agents work on it."""
    histories: int
    """Made-up histories of calls, clocks and windows."""
    balances: int
    """Under one budget."""
    soak_seconds: float
    """How long senders send to collectors that are killed."""
    fuzz_seconds: float
    """How long it is tried what can be sent, all targets together."""

    def chance(self, *about: object) -> random.Random:
        """Make random numbers for one proof, the same for the same seed whatever else runs."""
        return random.Random(f"{self.seed} {about}")


_SIZES: Mapping[str, Mapping[str, float]] = {
    "small": {
        "rounds": 2,
        "storm_seconds": 6,
        "histories": 30,
        "balances": 10_000,
        "soak_seconds": 15,
        "fuzz_seconds": 60,
    },
    "full": {
        "rounds": 25,
        "storm_seconds": 120,
        "histories": 600,
        "balances": 10_000,
        "soak_seconds": 300,
        "fuzz_seconds": 1800,
    },
}


def size(environ: Mapping[str, str] = os.environ) -> Size:
    """Read the size from `PROVE`, and what differs from it from `PROVE_SEED`, `PROVE_ROUNDS` and the like."""
    chosen = _SIZES[environ.get("PROVE", "small")]
    said = {name: type(number)(environ.get(f"PROVE_{name.upper()}", number)) for name, number in chosen.items()}
    seed = int(environ.get("PROVE_SEED") or random.SystemRandom().randrange(1_000_000))
    return Size(seed=seed, **said)
