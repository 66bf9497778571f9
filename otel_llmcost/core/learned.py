"""What the counts that a provider reports teach about a model's tokeniser: one factor for the text of its requests."""

from __future__ import annotations

from math import exp, log
from typing import NamedTuple

from otel_llmcost.core.input_rules import typical_factor
from otel_llmcost.core.tokens import InputCount

MIN_FACTOR = 0.25
MAX_FACTOR = 6.0
MIN_TEXT_TOKENS = 64
"""A shorter text teaches nothing: the provider's framing outweighs it."""
NEWEST_SHARE = 0.05
"""Weight of the newest call once many were seen; earlier calls weigh as in a plain average."""
MAX_STEP = log(2)
"""One odd call is taken as at most twice or half of what was learned."""


class Learned(NamedTuple):
    """The factor of one model and one way of counting. These two numbers are what a store keeps."""

    log_factor: float = 0.0
    calls: int = 0
    """How many calls taught it; 0: nobody did yet."""

    @property
    def factor(self) -> float:
        """What the counted text is to be multiplied by."""
        return min(max(exp(self.log_factor), MIN_FACTOR), MAX_FACTOR)


def prior(model: str) -> Learned:
    """Return what is published of a model's tokeniser, to begin with."""
    return Learned(log(typical_factor(model)))


def learn(learned: Learned, count: InputCount, reported_tokens: int) -> Learned:
    """Return what is known of a model after one more call.

    Args:
        learned: What was known before.
        count: How the call's input was counted before it was sent.
        reported_tokens: All input tokens the provider then reported, cached ones included.
    """
    reported_text = reported_tokens - count.fixed_tokens - count.media_tokens
    is_mostly_text = count.text_tokens >= max(MIN_TEXT_TOKENS, count.media_tokens)
    if not count.is_complete or not is_mostly_text or reported_text <= 0:
        return learned
    ratio = min(max(reported_text / count.text_tokens, MIN_FACTOR), MAX_FACTOR)
    step = log(ratio) - learned.log_factor
    if learned.calls:
        step = min(max(step, -MAX_STEP), MAX_STEP)
    share = max(1 / (learned.calls + 1), NEWEST_SHARE)
    return Learned(learned.log_factor + share * step, learned.calls + 1)
