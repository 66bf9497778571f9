"""In whatever order calls start, end, expire and live on: nothing is lost, and the stated bound holds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from otel_llmcost.core.window import Rolling
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Hold, Posting
from tests.storage.books import NOW, USD, Books, budget, unbilled

USERS = st.sampled_from(["a", "b"])
AMOUNTS = st.integers(0, 6)


class Calls(RuleBasedStateMachine):
    """Calls of two users on a budget for all, one for each, and one that rolls."""

    url = "memory://"
    holds = Bundle("holds")
    postings = Bundle("postings")

    def __init__(self) -> None:
        super().__init__()
        budgets = [
            budget("all", "20"),
            budget("each", "8", per=("user",)),
            budget("rolling", "12", window=Rolling(timedelta(hours=1), "1h")),
        ]
        self.books = Books(open_store(self.url), budgets)
        self.open: dict[str, Hold] = {}
        self.expired: dict[str, Hold] = {}
        self.booked: dict[str, tuple[Posting, int]] = {}
        """Charge id → its posting, and its cost."""

    @rule(target=holds, user=USERS, amount=AMOUNTS, exposure=AMOUNTS)
    def start(self, user: str, amount: int, exposure: int) -> object:
        hold = self.books.hold(amount, {"user": user}, exposure_usd=exposure)
        if self.books.store.reserve(hold) is not None:
            return multiple()
        self.open[hold.reservation_id] = hold
        return hold

    @rule(target=postings, hold=holds, cost=AMOUNTS, is_suspected=st.booleans())
    def end(self, hold: Hold, cost: int, is_suspected: bool) -> Posting:
        posting = self.books.posting(hold, cost, status="suspected" if is_suspected else "confirmed")
        self.books.store.settle([posting])
        self.booked.setdefault(hold.reservation_id, (posting, cost * USD))
        self._ended(hold)
        return posting

    @rule(hold=holds)
    def give_up(self, hold: Hold) -> None:
        self.books.store.settle([unbilled(hold)])
        self._ended(hold)

    @rule(posting=postings)
    def end_again(self, posting: Posting) -> None:
        self.books.store.settle([posting, posting])

    @rule(minutes=st.integers(1, 10))
    def time_passes(self, minutes: int) -> None:
        self.books.now += timedelta(minutes=minutes)

    @rule()
    def clock_jumps_back(self) -> None:
        self.books.now -= timedelta(minutes=7)

    @rule()
    def expire(self) -> None:
        over = [key for key, hold in self.open.items() if hold.expires_at <= self.books.now]

        assert self.books.store.expire(self.books.now) == len(over)

        for key in over:
            self.expired[key] = self.open.pop(key)

    @rule(hold=holds)
    def live_on(self, hold: Hold) -> None:
        is_over = hold.reservation_id not in {**self.open, **self.expired}

        self.books.store.renew([hold.reservation_id], hold.expires_at)

        if not is_over:
            self.expired.pop(hold.reservation_id, None)
            self.open[hold.reservation_id] = hold

    @invariant()
    def what_is_held_is_what_is_under_way(self) -> None:
        assert self.books.store.open_reservations() == len(self.open)
        held = sum(hold.claims[0].amount_nano for hold in self.open.values())
        exposed = sum(hold.claims[0].exposure_nano for hold in self.open.values())
        balance = self.books.balance("all")
        assert (balance.reserved_nano, balance.exposure_nano) == (held, exposed)

    @invariant()
    def what_is_spent_is_what_was_charged_or_given_up(self) -> None:
        charged = sum(cost for _, cost in self.booked.values())
        given_up = sum(hold.claims[0].amount_nano for hold in self.expired.values())
        assert self.books.balance("all").spent_nano == charged + given_up
        assert sum(balance.spent_nano for balance in self.books.balances("each")) == charged + given_up
        totals = self.books.store.totals([], NOW - timedelta(days=2), NOW + timedelta(days=2))
        assert sum(total.cost_nano for total in totals) == charged

    @invariant()
    def no_balance_is_above_its_limit_and_stated_bound(self) -> None:
        for name in ("all", "each"):
            for balance in self.books.balances(name):
                assert balance.held_nano <= balance.limit_nano + balance.bound_nano

    def _ended(self, hold: Hold) -> None:
        self.open.pop(hold.reservation_id, None)
        self.expired.pop(hold.reservation_id, None)

    def teardown(self) -> None:
        self.books.store.close()


class CallsInAFile(Calls):
    """The same in SQLite."""

    def __init__(self) -> None:
        self.folder = TemporaryDirectory()
        self.url = f"sqlite://{Path(self.folder.name) / 'ledger.db'}"
        super().__init__()

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCallsInAFile = CallsInAFile.TestCase
TestCallsInAFile.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
