"""One LLM call, start to end, as a generator of steps: it says what is to be done and does nothing itself."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from otel_llmcost.core.actions import NOTHING, Done, Plan
from otel_llmcost.core.attribution import Tags
from otel_llmcost.core.budget import Budget, Claim, Grant, Refusal
from otel_llmcost.core.change import NO_CHANGE, Change
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import Estimate, Policy, assumed_model
from otel_llmcost.core.refusing import refused
from otel_llmcost.core.tokens import InputCount
from otel_llmcost.core.usage import Usage
from otel_llmcost.core.value import maker, value
from otel_llmcost.errors import BudgetExceededError, RefusedError


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
    applied: Change = NO_CHANGE
    """What was changed in the request."""
    unapplied: Change = NO_CHANGE
    """What was to be changed in the request and could not be."""


@value
class Failure:
    """How a call ended that brought no answer."""

    error: BaseException
    may_be_billed: bool
    """It was sent, and nobody saw what became of it."""
    duration_seconds: float = 0.0
    applied: Change = NO_CHANGE
    unapplied: Change = NO_CHANGE
    """See `Answer`."""


@value
class Reserve:
    """Take all of these claims or none.

    Resumed with a `Refusal`, with a `Grant` or None for taken, or with `Later` where room was waited for.
    """

    call: Call
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Later:
    """There may be room now: ask again."""

    at: datetime


@value
class Release:
    """Give back what was taken: the call is not sent, or not so."""

    call: Call
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Send:
    """Let the SDK do its call. Resumed with an `Answer` when the answer, or the stream, is over, or a `Failure`."""

    change: Change | None = None
    """What to change in the request first."""


@value
class Settle:
    """Book the charge on what was reserved; without one, give everything back."""

    call: Call
    claims: tuple[Claim, ...]
    charge: Charge | None
    error: BaseException | None
    assumed: Mapping[str, int]
    """Budget → nano-USD it counts for a call without a price."""
    done: tuple[Done, ...] = ()
    """What budgets had done to the call."""


Step = Reserve | Release | Send | Settle

new_call, new_answer = maker(Call), maker(Answer)
_reserve, _settle, _SEND = maker(Reserve), maker(Settle), Send()


class Prices(Protocol):
    """What a call will cost and did cost."""

    def estimate(self, call: Call, model: str | None = None) -> Estimate:
        """Estimate a call, if need be at another model's price."""
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
        RefusedError: a balance has no room, or a budget refuses calls such as this one.
    """
    plan = NOTHING
    if policy.planner is None:
        call, estimate, claims = yield from _taken(call, prices, policy)
    else:
        plan, call, estimate, claims = yield from _planned(call, prices, policy)
    end: Answer | Failure = yield _SEND if plan.change is None else Send(plan.change)
    done: tuple[Done, ...] = ()
    if plan.change is not None:
        done, call = plan.as_it_went(end.applied, end.unapplied), changed(call, end.applied)
    if isinstance(end, Failure):
        charge = prices.charge_of_failure(call, end, estimate)
    else:
        charge = prices.charge(call, end, estimate)
    assumed: dict[str, int] = {}
    if charge is not None:
        if charge.cost_nano is None:
            assumed = _assumed(prices, policy, claims, charge)
        if done:
            charge = replace(charge, actions=tuple(each.text for each in done))
    error = end.error if isinstance(end, Failure) else None
    yield _settle(call=call, claims=claims, charge=charge, error=error, assumed=assumed, done=done)


_Taken = tuple[Call, Estimate, tuple[Claim, ...]]


def _taken(call: Call, prices: Prices, policy: Policy) -> Generator[Step, Any, _Taken]:
    """Take what a call needs, when there is room for it."""
    while True:
        estimate, claims = _wanted(call, prices, policy)
        if not claims:
            return call, estimate, claims
        answer: Refusal | Grant | Later | None = yield _reserve(call=call, claims=claims)
        if isinstance(answer, Later):
            call = replace(call, at=answer.at)
        elif isinstance(answer, Refusal):
            raise refused(answer, policy.named(answer.claim.key.budget), call.at)
        else:
            return call, estimate, claims


def _planned(  # noqa: C901 -- one loop over what may come back
    asked: Call, prices: Prices, policy: Policy
) -> Generator[Step, Any, tuple[Plan, Call, Estimate, tuple[Claim, ...]]]:
    """Take what a call needs once it is changed as its budgets want it to be.

    What they want depends on their balances, which only a reservation tells: it is made again where that tells more.
    Returns the call as it was asked for, beside what is to be changed in it.
    """
    planner = policy.planner
    assert planner is not None  # noqa: S101 -- asked by the caller
    wanted = _wanted(asked, prices, policy)
    plan = planner.plan(asked.tags, wanted[1])
    while True:
        call = asked if plan.change is None else changed(asked, plan.change)
        estimate, claims = wanted if plan.change is None else _wanted(call, prices, policy)
        answer: Refusal | Grant | Later | None = None
        if claims:
            answer = yield _reserve(call=call, claims=claims)
        if isinstance(answer, Later):
            asked = replace(asked, at=answer.at)
            wanted = _wanted(asked, prices, policy)
            continue
        if answer is not None:
            planner.saw(answer.watched)
        is_refused, before = isinstance(answer, Refusal), plan
        try:
            plan = planner.plan(asked.tags, wanted[1])
            if plan == before and isinstance(answer, Refusal):
                raise refused(answer, policy.named(answer.claim.key.budget), call.at)
        except RefusedError:
            if claims and not is_refused:
                yield Release(call=call, claims=claims)
            raise
        if plan == before:
            return plan, asked, estimate, claims
        if claims and not is_refused:
            yield Release(call=call, claims=claims)


def changed(call: Call, change: Change) -> Call:
    """Return a call as it is after a change of its request."""
    model, cap = change.model or call.model, change.max_output_tokens
    if cap is not None and call.max_output_tokens is not None:
        cap = min(cap, call.max_output_tokens)
    return replace(
        call,
        model=model,
        tags={**call.tags, "model": model},
        max_output_tokens=call.max_output_tokens if cap is None else cap,
    )


def _wanted(call: Call, prices: Prices, policy: Policy) -> tuple[Estimate, tuple[Claim, ...]]:
    estimate = prices.estimate(call)
    claims = policy.claims(
        call.tags, call.at, estimate, lambda budget, subject: _estimate_unpriced(call, prices, budget, subject)
    )
    return estimate, claims


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
