"""One LLM call, start to end, as a generator of steps: it says what is to be done and does nothing itself."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from otel_llmcost.core.attribution import Tags
from otel_llmcost.core.budget import Budget, Claim
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import Estimate, Policy, assumed_model
from otel_llmcost.core.tokens import InputCount
from otel_llmcost.core.usage import Usage
from otel_llmcost.core.value import maker, value
from otel_llmcost.errors import BudgetExceededError


@value
class Call:
    """A request as it is about to be sent."""

    charge_id: str
    at: datetime
    provider: str
    operation: str
    model: str
    tags: Tags
    """With provider, model and trace."""
    input: InputCount
    """Counted by rule; for exact numbers the answer is waited for."""
    max_output_tokens: int | None
    choices: int = 1
    is_stream: bool = False
    has_output: bool = True
    """False for embeddings: only input is paid."""
    tier: str = "standard"
    trace_id: str | None = None
    span_id: str | None = None

    @property
    def learning_key(self) -> str:
        """Name the calls whose answers tend to be of like sizes."""
        return f"{self.model}:{self.tags.get('agent', '')}:{self.tags.get('feature', '')}"


@value
class Answer:
    """What came back. `usage` is None where nothing was reported."""

    usage: Usage | None
    served_model: str | None = None
    response_id: str | None = None
    tier: str | None = None
    """Modifiers of the price, joined by `+`; None: nothing was said."""
    cost_nano: int | None = None
    """What the provider itself says it costs; None: it says nothing."""
    is_complete: bool = True
    """False: the stream ended before its end."""
    received_tokens: float = 0.0
    """Rough size of what came of the answer, to estimate by where its usage did not come."""
    error_type: str | None = None
    """What broke the stream."""
    duration_seconds: float = 0.0


@value
class Failure:
    """How a call ended that brought no answer."""

    error: BaseException
    may_be_billed: bool
    """It was sent, and nobody saw what became of it."""
    duration_seconds: float = 0.0


@value
class Reserve:
    """Take all of these claims, or raise `RefusedError`."""

    call: Call
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Send:
    """Let the SDK do its call. Resumed with an `Answer` when the answer, or the stream, is over, or a `Failure`."""


@value
class Settle:
    """Book the charge on what was reserved; without one, give everything back."""

    call: Call
    claims: tuple[Claim, ...]
    charge: Charge | None
    error: BaseException | None
    assumed: Mapping[str, int]
    """Budget → nano-USD it counts for a call without a price."""


Step = Reserve | Send | Settle

new_call, new_answer = maker(Call), maker(Answer)
_reserve, _settle, _SEND = maker(Reserve), maker(Settle), Send()


class Prices(Protocol):
    """What a call will cost and did cost."""

    def estimate(self, call: Call, model: str | None = None) -> Estimate | None:
        """Estimate a call, if need be at another model's price; None: no rate is known."""
        ...

    def charge(self, call: Call, answer: Answer, estimate: Estimate | None) -> Charge:
        """Price an answer."""
        ...

    def charge_of_failure(self, call: Call, failure: Failure, estimate: Estimate | None) -> Charge | None:
        """Price a call that ended in an error; None: the provider bills nothing for it."""
        ...

    def cost_at(self, model: str, charge: Charge) -> int | None:
        """Price a charge's usage at another model's rate, in nano-USD."""
        ...


def call_flow(call: Call, prices: Prices, policy: Policy) -> Generator[Step, Any, None]:
    """Reserve, send, settle: the only place where this order is written.

    Raises:
        RefusedError: thrown in by whoever performs `Reserve`, or because a budget refuses unpriced calls.
    """
    estimate = prices.estimate(call)
    claims = policy.claims(
        call.tags, call.at, estimate, lambda budget, subject: _estimate_unpriced(call, prices, budget, subject)
    )
    if claims:
        yield _reserve(call=call, claims=claims)
    end: Answer | Failure = yield _SEND
    if isinstance(end, Failure):
        charge = prices.charge_of_failure(call, end, estimate)
    else:
        charge = prices.charge(call, end, estimate)
    assumed: dict[str, int] = {}
    if charge is not None and charge.cost_nano is None:
        assumed = _assumed(prices, policy, claims, charge)
    error = end.error if isinstance(end, Failure) else None
    yield _settle(call=call, claims=claims, charge=charge, error=error, assumed=assumed)


def _estimate_unpriced(call: Call, prices: Prices, budget: Budget, subject: str) -> Estimate | None:
    if budget.unpriced == "refuse":
        raise BudgetExceededError.unpriced(
            budget=budget.name, scope=subject, limit=budget.limit, provider=call.provider, model=call.model
        )
    model = assumed_model(budget)
    return None if model is None else prices.estimate(call, model)


def _assumed(prices: Prices, policy: Policy, claims: tuple[Claim, ...], charge: Charge) -> dict[str, int]:
    """Price an unpriced charge for those budgets that assume another model's price."""
    result: dict[str, int] = {}
    for claim in claims:
        model = assumed_model(policy.named(claim.key.budget))
        if model is not None and (cost := prices.cost_at(model, charge)) is not None:
            result[claim.key.budget] = cost
    return result
