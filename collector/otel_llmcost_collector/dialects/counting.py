"""From counts as they were told to canonical ones: totals that include their parts, nothing twice, nothing negative."""

from __future__ import annotations

from otel_llmcost.core.money import NANO_PER_USD
from otel_llmcost.core.usage import PARENTS, Unit, canonical

Counts = dict[Unit, int]

MOST = 10**12
"""A count beyond this is none: no call comes near it."""
_DIGITS = 13
_MOST_USD = 9_000_000_000.0
"""Beyond this, nano-USD are more than a store can hold."""


def whole(told: object) -> int:
    """Read a count, whatever type it came as; what is none is 0."""
    if type(told) is int:
        return told if 0 < told <= MOST else 0
    if type(told) is float:
        return int(told) if 0 < told <= MOST and told == int(told) else 0
    if type(told) is str and len(told) <= _DIGITS and told.isascii() and told.isdigit():
        return int(told)
    return 0


def nano_of_usd(usd: object) -> int | None:
    """Return nano-USD exactly as they were before they were written as USD; None: it is no cost."""
    if (type(usd) is float or type(usd) is int) and 0 <= usd <= _MOST_USD:
        return round(usd * NANO_PER_USD)
    return None


def with_cached(counts: Counts, *, is_exclusive: bool, total: int) -> str:
    """Let the input include what was read from and written to a cache.

    Returns:
        How it was told: `inclusive`, `exclusive`, or `inferred` where the figures gave it away.
    """
    cached = counts.get("cache_read_tokens", 0) + counts.get("cache_write_tokens", 0)
    if not cached:
        return "exclusive" if is_exclusive else "inclusive"
    tokens = counts.get("input_tokens", 0)
    if is_exclusive:
        counts["input_tokens"] = tokens + cached
        return "exclusive"
    both = tokens + counts.get("output_tokens", 0)
    if cached > tokens or (total and total not in (both, tokens) and total == both + cached):
        counts["input_tokens"] = tokens + cached
        return "inferred"
    return "inclusive"


def with_rest(counts: Counts, total: int) -> None:
    """Add to the output what only the total tells, such as reasoning that was left out."""
    rest = total - counts.get("input_tokens", 0) - counts.get("output_tokens", 0)
    if rest > 0 and counts.get("output_tokens"):
        counts["output_tokens"] += rest
        counts["reasoning_tokens"] = max(counts.get("reasoning_tokens", 0), rest)


def with_reasoning(counts: Counts) -> None:
    """Add reasoning to an output that was told without it."""
    if "reasoning_tokens" in counts:
        counts["output_tokens"] = counts.get("output_tokens", 0) + counts.get("reasoning_tokens", 0)


def settle(counts: Counts) -> None:
    """Make sure that no part is above its total."""
    for unit, count in counts.items():
        if unit in PARENTS:
            for total in PARENTS[unit]:
                if counts.get(total, 0) < count:
                    counts.update(canonical(counts).counts)
                    return
