"""What must be true of a store, by the word of the provider that served the calls and of the agents that made them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from examples.provider_server import ProviderServer
from examples.provider_server.log import Exchange
from otel_llmcost.core.budget import Balance, Budget
from otel_llmcost.core.ledger import Charge
from otel_llmcost.storage.base import Store

INPUT_NANO, OUTPUT_NANO = 2_500, 10_000
"""Per token, as the agents' settings have it too."""
EACH_CALL = "each-call"
"""Name of the budget with a balance for each call."""
_NAME = re.compile(r"(\S+): answer in")


def name_of(exchange: Exchange) -> str:
    """Read which call a request was made for."""
    found = _NAME.match(exchange.body["messages"][0]["content"])
    assert found is not None, exchange.body
    return found[1]


def kind_of(name: str) -> str:
    return name.rpartition(".")[2]


def agent_of(name: str) -> str:
    return name.split(".", 1)[0]


def price_nano(exchange: Exchange) -> int:
    """Price an answer by what the provider says it came to."""
    usage = exchange.usage or {}
    return usage["prompt_tokens"] * INPUT_NANO + usage["completion_tokens"] * OUTPUT_NANO


def is_told_whole(exchange: Exchange) -> bool:
    """Tell whether the agent waits for the whole answer, so that it is charged for exactly that."""
    return exchange.is_complete and kind_of(name_of(exchange)) in {"plain", "stream"}


class Served:
    """Adds up what is sure to be charged at least for what was served so far."""

    def __init__(self, server: ProviderServer) -> None:
        self._server = server
        self._seen = 0
        self._under_way: list[Exchange] = []
        self._nano = 0

    def nano(self) -> int:
        arrived = self._server.requests
        under_way = [*self._under_way, *arrived[self._seen :]]
        self._seen = len(arrived)
        self._under_way = []
        for each in under_way:
            if not each.is_complete or each.usage is None:
                self._under_way.append(each)
            elif is_told_whole(each):
                self._nano += price_nano(each)
        return self._nano


def fates_of(files: Iterable[Path]) -> dict[str, str]:
    """Read what agents saw of their calls; a call they were killed in has no fate."""
    lines = [line for file in files for line in file.read_text().splitlines()]
    return dict(line.split(" ", 1) for line in lines if " " in line)


@dataclass
class Books:
    """A store as it stands once all is over."""

    charges: Sequence[Charge]
    balances: Sequence[Balance]
    open_reservations: int

    @classmethod
    def of(cls, store: Store, budgets: Sequence[Budget]) -> Books:
        now = datetime.now(UTC)
        return cls(
            charges=list(store.charges(now - timedelta(days=1), now + timedelta(days=1))),
            balances=store.balances([(budget, budget.window.at(now)) for budget in budgets], most=1_000_000),
            open_reservations=store.open_reservations(),
        )

    def settled_nano(self, budget: str) -> int:
        return sum(balance.settled_nano for balance in self.balances if balance.budget == budget)

    def suspected_nano(self, budget: str) -> int:
        return sum(balance.suspected_nano for balance in self.balances if balance.budget == budget)


@dataclass
class Findings:
    """What does not hold, and the figures of what was looked at."""

    wrong: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)

    def check(self, holds: object, problem: str) -> None:
        if not holds:
            self.wrong.append(problem)


@dataclass
class Seen:
    """All that is known of a storm beside the store."""

    exchanges: Sequence[Exchange]
    fates: dict[str, str]
    killed: set[str]
    """Agents that were killed."""
    told_nano: dict[str, int]
    """Agent that came to its end → what its metrics say."""
    away: Sequence[tuple[float, float]] = ()
    """When calls may have been sent of which the store did not know: Unix seconds."""

    def is_unknown(self, exchange: Exchange) -> bool:
        """Tell whether nobody but the agent knew of a call, and the agent was killed."""
        is_killed = agent_of(name_of(exchange)) in self.killed
        return is_killed and any(since <= exchange.at <= until for since, until in self.away)


def judge(books: Books, seen: Seen, whole: Sequence[str]) -> Findings:
    """Hold a store to all of it.

    Args:
        books: the store, after every reservation's time is over.
        seen: what it has to agree with.
        whole: budgets that every call counts on, in a window that is not over.
    """
    found = Findings()
    _add_up(found, books, whole)
    _nothing_twice(found, books)
    _metrics_agree(found, books, seen)
    _all_served_is_there(found, books, seen)
    _limits_hold(found, books.balances)
    found.figures["charges"] = len(books.charges)
    found.figures["charged nano-USD"] = sum(charge.cost_nano or 0 for charge in books.charges)
    return found


def _add_up(found: Findings, books: Books, whole: Sequence[str]) -> None:
    """Every nano-dollar of the ledger is on the balances, and beside it what calls held that nobody ended."""
    sure: Counter[str] = Counter()
    unsure: Counter[str] = Counter()
    for charge in books.charges:
        (unsure if charge.status == "suspected" else sure)[charge.tags["task"]] += charge.cost_nano or 0
    found.check(books.open_reservations == 0, f"{books.open_reservations} reservations outlived their time")
    ended = sure.keys() | unsure.keys()
    for balance in books.balances:
        found.check(balance.reserved_nano == balance.exposure_nano == 0, f"still held: {balance}")
        name = call_of(balance)
        if name in ended:
            is_right = (balance.settled_nano, balance.suspected_nano) == (sure[name], unsure[name])
            found.check(is_right, f"charged {sure[name]}, suspected {unsure[name]}, but {balance}")
        elif name is not None:
            found.check(balance.settled_nano == 0, f"settled without a charge: {balance}")
            unsure[name] = balance.suspected_nano
            found.figures["held nano-USD, end unknown"] += balance.suspected_nano
    for name in whole:
        has, due = (books.settled_nano(name), books.suspected_nano(name)), (sure.total(), unsure.total())
        found.check(has == due, f"balances of {name} have {has} settled and suspected, the ledger and holds {due}")


def call_of(balance: Balance) -> str | None:
    """Name the call that a balance is of; None: it is of many."""
    return balance.subject.removeprefix("task=") if balance.budget == EACH_CALL and balance.subject else None


def _nothing_twice(found: Findings, books: Books) -> None:
    ids = Counter(charge.charge_id for charge in books.charges)
    calls = Counter(charge.tags["task"] for charge in books.charges if charge.corrects is None)
    answers = Counter(charge.response_id for charge in books.charges if charge.response_id is not None)
    for counts in (ids, calls, answers):
        twice = [name for name, count in counts.items() if count > 1]
        found.check(not twice, f"charged twice: {twice[:5]}")


def _metrics_agree(found: Findings, books: Books, seen: Seen) -> None:
    charged: defaultdict[str, int] = defaultdict(int)
    for charge in books.charges:
        charged[agent_of(charge.tags["task"])] += charge.cost_nano or 0
    for agent, told in seen.told_nano.items():
        found.check(told == charged[agent], f"metrics of {agent} say {told}, the ledger {charged[agent]}")


def _all_served_is_there(found: Findings, books: Books, seen: Seen) -> None:
    charges = {charge.tags["task"]: charge for charge in books.charges if charge.corrects is None}
    suspected = {
        name: balance.suspected_nano
        for balance in books.balances
        if (name := call_of(balance)) is not None and balance.suspected_nano and name not in charges
    }
    served = {name_of(each): each for each in seen.exchanges if each.usage is not None}
    for name, exchange in served.items():
        charge, fate = charges.get(name), seen.fates.get(name)
        if charge is None:
            is_excused = agent_of(name) in seen.killed and name in suspected
            if not is_excused and seen.is_unknown(exchange):
                found.figures["served while the store was away, agent killed"] += 1
                continue
            found.check(is_excused, f"{name} was served ({price_nano(exchange)}) and is in no book; fate: {fate}")
            found.figures["served, agent killed, suspected"] += is_excused
        elif fate == "answered" and is_told_whole(exchange):
            is_right = charge.status == "confirmed" and charge.cost_nano == price_nano(exchange)
            found.check(is_right, f"{name} was served for {price_nano(exchange)} and charged {charge}")
            found.figures["served, confirmed"] += is_right
        else:
            found.figures[f"served, {charge.status}, {fate or 'killed'}"] += 1
    for name in charges.keys() - served.keys():
        is_unseen = charges[name].status in {"suspected", "estimated"}
        found.check(is_unseen, f"{name} was charged and not served: {charges[name]}")
        found.figures["not served, suspected"] += 1
    for name in suspected.keys() - served.keys():
        is_excused = agent_of(name) in seen.killed  # before it could give back what it held
        fate = seen.fates.get(name, "under way").split(" ")[0]
        found.figures[f"held, not served, {fate}{', agent killed' if is_excused else ''}"] += 1
        found.check(is_excused, f"{name} was {fate}, and what it held is suspected: {suspected[name]}")


def _limits_hold(found: Findings, balances: Sequence[Balance]) -> None:
    for balance in balances:
        if balance.budget != EACH_CALL:
            found.check(is_within(balance), f"above its limit and bound: {balance}")


def is_within(balance: Balance) -> bool:
    """Tell whether a balance is what is promised of it."""
    return balance.held_nano <= balance.limit_nano + balance.bound_nano
