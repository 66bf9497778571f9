"""How long a model's answers to an agent tend to be: two numbers that follow the answers seen."""

from __future__ import annotations

from math import ceil, exp, log, sqrt
from typing import NamedTuple

FIRST_GUESS = 500
"""Output tokens expected of a model nobody has asked yet."""
_MEMORY = 50
_P95 = 1.645
_DOUBT = 0.15
"""Added to the spread seen, less with each answer: few answers say little about the next."""


class Outputs(NamedTuple):
    """Mean and variance of the logarithm of output sizes, recent ones weighing more."""

    answers: int = 0
    mean: float = 0.0
    variance: float = 0.0

    def seen(self, tokens: int) -> Outputs:
        """Take one more answer into account."""
        value = log(tokens + 1)
        count = min(self.answers + 1, _MEMORY)
        step = 1 / count
        away = value - self.mean
        return Outputs(count, self.mean + step * away, (1 - step) * (self.variance + step * away * away))

    def high(self) -> int:
        """Return a size that 95 of 100 answers do not exceed, as far as has been seen; a guess before the first."""
        if not self.answers:
            return FIRST_GUESS
        spread = sqrt(self.variance) + _DOUBT / sqrt(self.answers)
        return ceil(exp(self.mean + _P95 * spread)) - 1
