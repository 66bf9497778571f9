"""What a call comes to beside its own end: attempts that nobody saw the end of, and truths that come later."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from otel_llmcost.core.attribution import Tags
from otel_llmcost.core.flow import Answer, Call, Failure, Settle
from otel_llmcost.core.ledger import Charge, reversal
from otel_llmcost.core.policy import Policy
from otel_llmcost.core.pricing import NO_ANSWER_SEEN, Pricing
from otel_llmcost.storage.base import Posting
from otel_llmcost.storage.writer import Writer
from otel_llmcost.telemetry.meters import Meters

_MOST_OWED = 10_000
LOST_ATTEMPT = "lost-attempt"
"""Method of a charge for an attempt that an SDK repeated, though the provider may have answered and billed it."""


@dataclass(slots=True)
class Owed:
    """What this process knows of things that are paid later."""

    owners: dict[str, Tags] = field(default_factory=dict[str, Tags])
    """Provider's id → whom it is for."""
    seen: dict[str, Tags] = field(default_factory=dict[str, Tags])
    """Ids of charges that were learnt of here."""

    def remember(self, response_id: str, tags: Tags) -> None:
        """Note whom something is for."""
        _put(self.owners, response_id, tags)

    def is_new(self, charge: Charge) -> bool:
        """Tell whether this process sees a charge for the first time."""
        is_new = charge.charge_id not in self.seen
        _put(self.seen, charge.charge_id, {})
        return is_new


def _put(known: dict[str, Tags], key: str, tags: Tags) -> None:
    known[key] = tags
    if len(known) > _MOST_OWED:
        del known[next(iter(known))]


def lost_attempts(step: Settle, lost: int, pricing: Pricing) -> list[Posting]:
    """Suspect one charge for each attempt within a call whose end nobody saw, beyond what the call itself came to.

    Args:
        step: how the call ended. If it ended with an unseen answer itself, that one is the last attempt's.
        lost: how many attempts there were whose end was not seen.
        pricing: estimates them; as the same request was sent, each comes to the same.
    """
    ended_unseen = step.charge is not None and step.charge.method == NO_ANSWER_SEEN  # priced or not
    count = lost - ended_unseen
    if count <= 0:
        return []
    charge = _suspected(step.call, pricing)
    if charge is None:
        return []
    charges = [replace(charge, charge_id=f"{step.call.charge_id}-lost-{number + 1}") for number in range(count)]
    return [
        Posting(reservation_id=each.charge_id, claims=step.claims, charge=each, assumed=step.assumed)
        for each in charges
    ]


def beside(step: Settle, answers: list[Answer], pricing: Pricing) -> list[Charge]:
    """Price what other models did within a call, each at its own rate."""
    call = step.call
    return [
        replace(
            pricing.charge_beside(replace(call, model=answer.served_model or call.model), answer),
            charge_id=f"{call.charge_id}-beside-{number + 1}",
        )
        for number, answer in enumerate(answers)
    ]


def _suspected(call: Call, pricing: Pricing) -> Charge | None:
    failure = Failure(error=TimeoutError(), may_be_billed=True)
    charge = pricing.charge_of_failure(call, failure, pricing.estimate(call))
    return None if charge is None else replace(charge, method=LOST_ATTEMPT, error_type=None)


def correct(original: Charge, truth: Charge, *, writer: Writer, policy: Policy, meters: Meters) -> None:
    """Put the truth in the place of a charge that was estimated or suspected: one entry takes it back, one is new.

    Both count at the time of the original, on the budgets it counted on; doing it again changes nothing.
    """
    back = reversal(original)
    new = replace(truth, at=original.at, tags=original.tags, corrects=original.charge_id)
    then = Policy(policy.budgets, original.at)
    claims = then.claims(original.tags, original.at, None, lambda _budget, _subject: None)
    for charge in (back, new):
        writer.settle(Posting(reservation_id=charge.charge_id, claims=claims, charge=charge, assumed={}))
    meters.corrected(original, new)
