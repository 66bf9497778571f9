"""What a call will cost and did cost: the price book, joined with what was learned from earlier calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from otel_llmcost.core.flow import Answer, Call, Failure
from otel_llmcost.core.learned import Learned, learn, prior
from otel_llmcost.core.ledger import Charge, ChargeStatus
from otel_llmcost.core.listing import STANDARD
from otel_llmcost.core.matching import says_less
from otel_llmcost.core.outputs import Outputs
from otel_llmcost.core.policy import Estimate
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.rates import Rate, cost_nano, costs_with_output
from otel_llmcost.core.usage import Unit, Usage
from otel_llmcost.core.value import maker
from otel_llmcost.errors import UnknownPriceError, error_type

PROVIDER = "provider"
"""Source of a cost that the provider itself stated."""
NO_ANSWER_SEEN = "no-answer-seen"
"""Method of a charge for a call that was sent and whose end nobody saw."""
_NO_CEILING = 4096
"""Output tokens assumed at most where neither the request nor the book has a limit."""
_MOST_LEARNED = 10_000
"""So many agents and models are told apart; of further ones nothing is learned."""
_MUCH = 50
_EVERY = 8
_FACTOR = "factor:"
_EXACT_FACTOR = "factor-exact:"
_OUTPUTS = "outputs:"
_TIMES = "milliseconds:"
_FIRST_TIME = 10_000
"""Milliseconds expected of a call to one's own hardware before the first."""

_estimate = maker(Estimate)
_charge_by_position: Callable[..., Charge] = maker(Charge)


class Pricing:
    """Estimates and prices calls."""

    def __init__(
        self,
        book: PriceBook,
        learned: Mapping[str, tuple[float, ...]] | None = None,
        *,
        keep: Callable[[Mapping[str, tuple[float, ...]]], None] = lambda _: None,
        is_exact: bool = False,
    ) -> None:
        """Take over what is known.

        Args:
            book: all rates.
            learned: what earlier calls taught, by key.
            keep: told what a call taught.
            is_exact: inputs are counted by a tokeniser; what its counts teach is kept apart from the rule's.
        """
        self._book = book
        self._learned = dict(learned or {})
        self._keep = keep
        self._first_guess = _no_guess if is_exact else prior
        self._factor_key = _EXACT_FACTOR if is_exact else _FACTOR
        self._seen = 0
        self._factors: dict[str, float] = {}
        self._highs: dict[str, int] = {}
        self._well_known: set[str] = set()

    def use(self, book: PriceBook) -> None:
        """Go on with other rates."""
        self._book = book

    def factor(self, model: str) -> float:
        """Return by how much the cheap rule is off for a model's tokeniser."""
        factor = self._factors.get(model)
        if factor is None:
            factor = self._factors[model] = self._factor(model).factor
        return factor

    def estimate(self, call: Call, model: str | None = None) -> Estimate:
        """Estimate a call, if need be at another model's price."""
        usage = call.input.usage(self.factor(call.model))
        tokens = usage.counts.get("input_tokens", 0)
        expected_nano: int | None = None
        worst_nano: int | None = None
        try:
            if model is None:
                rate = self._book.rate_at(call.provider, call.model, call.at, input_tokens=tokens, tier=call.tier)
            else:
                rate = self._assumed_rate(call.provider, model, call.at, tokens, tier=call.tier)
            if rate.meters:
                usage = metered(usage, rate, self._expected_time(call))
            expected, worst = self._output(call, rate.max_output_tokens)
            expected_nano, worst_nano = costs_with_output(usage, expected, worst, rate)
        except UnknownPriceError:
            expected, worst = self._output(call, None)
        return _estimate(
            expected_nano=expected_nano,
            worst_nano=worst_nano,
            is_capped=call.max_output_tokens is not None or not call.has_output,
            input_tokens=tokens,
            expected_output_tokens=expected,
            worst_output_tokens=worst,
        )

    def _assumed_rate(self, provider: str, model: str, at: datetime, tokens: int, *, tier: str = STANDARD) -> Rate:
        """Find the rate of a model that a budget assumes: who sells what has no price need not sell that one."""
        try:
            return self._book.rate_at(provider, model, at, input_tokens=tokens, tier=tier)
        except UnknownPriceError:
            return self._book.rate_at("", model, at, input_tokens=tokens, tier=tier)

    def _output(self, call: Call, ceiling: int | None) -> tuple[int, int]:
        """Say how many tokens of output to expect, and how many at worst."""
        if not call.has_output:
            return 0, 0
        worst = (call.max_output_tokens or ceiling or _NO_CEILING) * call.choices
        return min(self._expected(call) * call.choices, worst), worst

    def charge(self, call: Call, answer: Answer, estimate: Estimate | None) -> Charge:
        """Price an answer; where it came without (all of) its usage, by what was sent and received."""
        usage = answer.usage
        if usage is not None and answer.is_complete:
            self._learn(call, usage)
            return self._charge(call, answer, usage, "confirmed", "reported", estimate)
        method = "no-usage-reported" if answer.is_complete else "stream-ended-early"
        received = round(answer.received_tokens * self.factor(call.model))
        if not received and answer.is_complete and estimate is not None:
            received = estimate.expected_output_tokens  # it said something, and nobody measured it
        counted = usage or call.input.usage(self.factor(call.model))
        guessed = _with_output(counted, max(counted.output_tokens, received))
        return self._charge(call, answer, guessed, "estimated", method, estimate)

    def charge_beside(self, call: Call, answer: Answer) -> Charge:
        """Price an answer whose usage says nothing of the request that is at hand: nothing is learnt from it."""
        return self._charge(call, answer, answer.usage or Usage(), "confirmed", "reported", None)

    def charge_of_failure(self, call: Call, failure: Failure, estimate: Estimate | None) -> Charge | None:
        """Price a call that brought no answer as it was estimated; None: the provider bills nothing for it."""
        if not failure.may_be_billed:
            return None
        usage = call.input.usage(self.factor(call.model))
        guessed = _with_output(usage, estimate.expected_output_tokens) if estimate is not None else usage
        answer = Answer(usage=None, error_type=error_type(failure.error), duration_seconds=failure.duration_seconds)
        return self._charge(call, answer, guessed, "suspected", NO_ANSWER_SEEN, estimate)

    def cost_at(self, model: str, charge: Charge) -> int | None:
        """Price a charge's usage at another model's rate, in nano-USD; None: that one has no price either."""
        try:
            rate = self._assumed_rate(charge.provider, model, charge.at, charge.usage.input_tokens)
            return cost_nano(charge.usage, rate)[0]
        except UnknownPriceError:
            return None

    def _charge(
        self, call: Call, answer: Answer, usage: Usage, status: ChargeStatus, method: str, estimate: Estimate | None
    ) -> Charge:
        tier = answer.tier or call.tier
        rate: Rate | None = None
        effective: int | None = None
        listed: int | None = None
        try:
            rate = self._rate_of_answer(call, answer, usage, tier)
            if rate.meters:
                usage = metered(usage, rate, round(answer.duration_seconds * 1000))
                self._learn_time(call, usage)
            effective, listed = cost_nano(usage, rate)
        except UnknownPriceError:
            status = "unpriced"
        rate_id, source = (None, None) if rate is None else (rate.rate_id, rate.source)
        if rate is not None:
            tier = rate.tier
        if answer.cost_nano is not None:
            effective, rate, rate_id, source, status = answer.cost_nano, None, None, PROVIDER, "confirmed"
        return _charge_by_position(  # in the order of its fields, see `maker`
            call.charge_id,
            call.at,
            answer.duration_seconds,
            call.provider,
            call.operation,
            call.model,
            answer.served_model,
            call.tags,
            usage,
            status,
            effective,
            listed,
            method,
            rate_id,
            source,
            tier,
            None if estimate is None else estimate.expected_nano,
            call.trace_id,
            call.span_id,
            answer.response_id,
            answer.error_type,
            rate,
        )

    def _rate_of_answer(self, call: Call, answer: Answer, usage: Usage, tier: str) -> Rate:
        """Find the rate of the model that answered; under a name nobody knows, that of the one asked for."""
        rate_at, served, tokens = self._book.rate_at, answer.served_model, usage.counts.get("input_tokens", 0)
        if served is not None and served != call.model and not says_less(served, call.model):
            try:
                return rate_at(call.provider, served, call.at, input_tokens=tokens, tier=tier)
            except UnknownPriceError:
                pass
        return rate_at(call.provider, call.model, call.at, input_tokens=tokens, tier=tier)

    def _learn(self, call: Call, usage: Usage) -> None:
        """Learn of a call; once much is known, of every eighth."""
        self._seen += 1
        if self._seen % _EVERY and call.learning_key in self._well_known:
            return
        if len(self._learned) >= _MOST_LEARNED and _OUTPUTS + call.learning_key not in self._learned:
            return
        outputs = self._outputs(call)
        if outputs.answers >= _MUCH:
            self._well_known.add(call.learning_key)
        taught: dict[str, tuple[float, ...]] = {}
        if call.has_output:
            taught[_OUTPUTS + call.learning_key] = outputs.seen(usage.output_tokens // call.choices)
        before = self._factor(call.model)
        after = learn(before, call.input, usage.input_tokens)
        if after is not before:
            taught[self._factor_key + call.model] = (after.log_factor, float(after.calls))
        self._learned.update(taught)
        self._factors.pop(call.model, None)
        self._highs.pop(call.learning_key, None)
        self._keep(taught)

    def _expected(self, call: Call) -> int:
        high = self._highs.get(call.learning_key)
        if high is None:
            high = self._highs[call.learning_key] = self._outputs(call).high()
        return high

    def _outputs(self, call: Call) -> Outputs:
        state = self._learned.get(_OUTPUTS + call.learning_key)
        return Outputs() if state is None else Outputs(int(state[0]), state[1], state[2])

    def _learn_time(self, call: Call, usage: Usage) -> None:
        key = _TIMES + call.learning_key
        if usage["gpu_milliseconds"] and (key in self._learned or len(self._learned) < _MOST_LEARNED):
            taught = {key: self._times(call).seen(usage["gpu_milliseconds"])}
            self._learned.update(taught)
            self._keep(taught)

    def _times(self, call: Call) -> Outputs:
        """Return how long such calls tend to take, in milliseconds; one's own hardware is paid by that."""
        state = self._learned.get(_TIMES + call.learning_key)
        return Outputs() if state is None else Outputs(int(state[0]), state[1], state[2])

    def _expected_time(self, call: Call) -> int:
        times = self._times(call)
        return times.high() if times.answers else _FIRST_TIME

    def _factor(self, model: str) -> Learned:
        state = self._learned.get(self._factor_key + model)
        return self._first_guess(model) if state is None else Learned(state[0], int(state[1]))


def _no_guess(_model: str) -> Learned:
    return Learned()


def metered(usage: Usage, rate: Rate, milliseconds: int) -> Usage:
    """Add what no answer reports but the rate has a price for: the call itself, the time it took."""
    counts: dict[Unit, int] = {**usage.counts}
    for unit in rate.meters:
        counts.setdefault(unit, 1 if unit == "requests" else milliseconds)
    return Usage(counts)


def _with_output(usage: Usage, output_tokens: int) -> Usage:
    counts: dict[Unit, int] = {**usage.counts, "output_tokens": output_tokens}
    return Usage(counts)
