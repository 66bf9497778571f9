"""What holds while the store cannot be reached: the last known balances, and what this process spent since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock

from otel_llmcost.core.budget import Balance, BalanceKey, Claim, Grant, Refusal
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import Policy
from otel_llmcost.errors import BudgetExceededError, StoreError
from otel_llmcost.instrumentation.contain import logger
from otel_llmcost.storage.base import Hold, Posting
from otel_llmcost.storage.memory import MemoryStore

_NEVER = datetime.min.replace(tzinfo=UTC)


class Outage:
    """Decides in the store's place, until the store answers again."""

    def __init__(self, latest: Callable[[], Iterable[Charge]] = tuple) -> None:
        """Know nothing yet.

        Args:
            latest: gives the latest charges of this process.
        """
        self.count = 0
        self.is_on = False
        self._latest = latest
        self._known: dict[tuple[str, str], Balance] = {}
        self._known_at = _NEVER
        self._stand_in = MemoryStore()
        """Balances as they were known, moved on by this process alone."""
        self._begun: set[BalanceKey] = set()
        self._beginning = Lock()

    def know(self, balances: Sequence[Balance], at: datetime) -> None:
        """Take note of what stands in the store."""
        self._known = {(balance.budget, balance.subject): balance for balance in balances}
        self._known_at = at

    def reserve(self, hold: Hold, policy: Policy, error: StoreError) -> Refusal | Grant | None:
        """Reserve on what is known here.

        Raises:
            BudgetExceededError: a budget of the call says `on_store_error = "closed"`.
        """
        self.count += 1
        with self._beginning:
            if not self.is_on:
                self._begin(policy, error)
            for claim in hold.claims:
                self._begin_balance(claim, hold.at)
        for claim in hold.claims:
            budget = policy.named(claim.key.budget)
            if budget.on_store_error == "closed":
                raise BudgetExceededError.unreachable(
                    budget=budget.name, scope=claim.key.subject, limit=budget.limit, problem=str(error)
                )
        return self._stand_in.reserve(hold)

    def settle(self, posting: Posting) -> None:
        """Move the balances on by a call of this process; the books get it as well, when there are some again."""
        self._stand_in.settle((posting,))

    def is_over(self) -> None:
        """Leave it to the store again."""
        with self._beginning:
            if self.is_on:
                self.is_on = False
                logger.warning("the store is there again: %d calls were decided without it", self.count)
                self.count = 0

    def _begin(self, policy: Policy, error: StoreError) -> None:
        self._stand_in, self._begun = MemoryStore(), set()
        for charge in self._latest():
            if charge.at + timedelta(seconds=charge.duration_seconds) >= self._known_at:
                claims = policy.claims(charge.tags, charge.at, None, lambda _budget, _subject: None)
                posting = Posting(reservation_id=charge.charge_id, claims=claims, charge=charge, assumed={})
                self._stand_in.settle((posting,))
        self.is_on = True
        since = (
            "nothing is known of others" if self._known_at == _NEVER else f"as they stood at {self._known_at:%H:%M:%S}"
        )
        logger.error(
            "the store is out of reach; budgets are held on their balances (%s) and what this process spends: %s",
            since,
            error,
        )

    def _begin_balance(self, claim: Claim, at: datetime) -> None:
        """Put what was known of a balance onto the one that stands in for it."""
        if claim.key in self._begun:
            return
        self._begun.add(claim.key)
        known = self._known.get((claim.key.budget, claim.key.subject))
        if known is not None and (claim.is_rolling or known.window_start == claim.window.bounds[0]):
            self._stand_in.put(claim, known.held_nano, at)
