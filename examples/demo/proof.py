"""Whether it is true: what was shown, held against what others counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from examples.demo.prometheus import Readings, total_nano
from examples.demo.screen import usd
from examples.demo.watch import Snapshot, Webhook
from examples.provider_server import Exchange
from otel_llmcost.core.money import to_nano
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.usage import Unit

Usage = Mapping[str, Any]

_PER_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """A claim, and whether it is true."""

    holds: bool
    claim: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line of the receipt: what one model was asked and answered, as the provider counted it."""

    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    input_price: Decimal
    """USD per million tokens."""
    output_price: Decimal

    @property
    def cost_usd(self) -> Decimal:
        """Tokens times price."""
        cost = self.input_tokens * self.input_price + self.output_tokens * self.output_price
        return cost / _PER_MILLION


def total_usd(items: Iterable[Item]) -> Decimal:
    """Add up a receipt."""
    return sum((item.cost_usd for item in items), Decimal(0))


def receipt(exchanges: Iterable[Exchange], book: PriceBook) -> list[Item]:
    """Add up what the local provider counted. (No prompt of the team is long enough for it to be cached.)"""
    found: dict[tuple[str, str], list[Usage]] = {}
    for exchange in exchanges:
        found.setdefault((exchange.provider, exchange.body["model"]), []).append(exchange.usage or {})
    return [
        Item(
            model=model,
            requests=len(usages),
            input_tokens=_sum(usages, "prompt_tokens", "input_tokens"),
            output_tokens=_sum(usages, "completion_tokens", "output_tokens"),
            input_price=_price(book, provider, model, "input_tokens"),
            output_price=_price(book, provider, model, "output_tokens"),
        )
        for (provider, model), usages in sorted(found.items())
    ]


def _sum(usages: Iterable[Usage], *names: str) -> int:
    """Add up a count that the providers' interfaces name differently; an embedding has no output."""
    return sum(usage.get(name, 0) for usage in usages for name in names)


def _price(book: PriceBook, provider: str, model: str, unit: Unit) -> Decimal:
    """Return the list price of a million tokens."""
    return book.rate_at(provider, model, datetime.now(UTC)).prices.get(unit, Decimal(0)) * _PER_MILLION


def checks(snapshot: Snapshot, items: Sequence[Item], readings: Readings, *, is_running: bool) -> Iterator[Check]:
    """Hold everything against everything.

    Args:
        snapshot: of the end.
        items: the provider's receipt; empty where it gives none.
        readings: the metrics.
        is_running: whether the team is still at work.
    """
    if snapshot.requests is not None:
        yield _requests(snapshot)
        yield _cost(snapshot, items)
    yield Check(
        snapshot.refused_calls > 0 and is_running,
        f"{snapshot.refused_calls} calls were refused before they were sent, and the team "
        + ("lives on" if is_running else "has ended, which it should not"),
    )
    yield from _limits(snapshot)
    yield _webhooks(snapshot.webhooks)
    yield from _levels(snapshot)
    yield _same("the team's own metrics say", total_nano(readings.team), snapshot.cost_nano)
    if readings.prometheus is not None:
        yield _same("Prometheus says", total_nano(readings.prometheus), snapshot.cost_nano)


def _requests(snapshot: Snapshot) -> Check:
    return Check(
        snapshot.requests == snapshot.calls > 0,
        f"{snapshot.requests} requests reached the provider, {snapshot.calls} charges are in the ledger:"
        " one for each, none for a refused call",
    )


def _cost(snapshot: Snapshot, items: Sequence[Item]) -> Check:
    return _same("what the provider counted, times price, is", to_nano(total_usd(items)), snapshot.cost_nano)


def _same(who: str, nano: int, ledger_nano: int) -> Check:
    return Check(nano == ledger_nano > 0, f"{who} {_exact(nano)}, the ledger {_exact(ledger_nano)}")


def _limits(snapshot: Snapshot) -> Iterator[Check]:
    for each in snapshot.standings:
        if each.refuses and each.balance.refused:
            name = f"{each.balance.budget} {each.balance.subject}".strip()
            spent, limit = each.balance.spent_nano, each.balance.limit_nano
            yield Check(spent <= limit, f"{name} refused further calls at {usd(spent)} of {usd(limit)}")


def _webhooks(messages: Sequence[Webhook]) -> Check:
    told = Counter((message.budget, message.subject, message.level) for message in messages)
    verified = sum(message.is_verified for message in messages)
    return Check(
        0 < verified == len(messages) == len(told),
        f"{len(messages)} webhooks arrived, {verified} with a valid signature, each mark told"
        + (" once" if len(told) == len(messages) else " more than once"),
    )


def _levels(snapshot: Snapshot) -> Iterator[Check]:
    """Check that the budget of them all was told of mark by mark, in their order."""
    for each in snapshot.standings:
        if each.refuses and not each.budget.per:
            expected = [mark.level for mark in each.budget.marks]
            told = [message.level for message in snapshot.webhooks if message.budget == each.budget.name]
            yield Check(told == expected, f"{each.budget.name} was told of: {', '.join(told) or 'nothing'}")


def _exact(nano: int) -> str:
    return f"${Decimal(nano).scaleb(-9):.9f}"
