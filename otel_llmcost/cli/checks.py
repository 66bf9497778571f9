"""What `doctor` looks at in our own parts: settings, store, prices, ledger, alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from otel_llmcost.cli.config import undeliverable
from otel_llmcost.cli.output import usd
from otel_llmcost.cli.tools import Tools
from otel_llmcost.core.ledger import ChargeStatus
from otel_llmcost.errors import UnknownPriceError

State = Literal["ok", "note", "warning", "problem"]

LOOK_BACK = timedelta(days=7)
_OLD = timedelta(days=60)
_MOST_DELIVERIES = 1000
_UNSURE: dict[ChargeStatus, str] = {
    "estimated": "the answer came without (all of) its usage",
    "suspected": "nobody saw the answer, but the provider may have billed",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    state: State
    text: str


def settings(tools: Tools) -> Iterator[Check]:
    """Look at what was read."""
    said = tools.settings
    if said.config_path is None:
        yield Check("note", "no llmcost.toml here or in the user's folder, and none named by OTEL_LLMCOST_CONFIG")
    else:
        yield Check("ok", f"{said.config_path}: {len(said.budgets)} budgets, {len(said.channels)} alert channels")
    for problem in (*map(str, said.problems), *undeliverable(said)):
        yield Check("problem", problem)
    for notice in said.notices:
        yield Check("note", notice)
    if said.disabled:
        yield Check("warning", "disabled = true: nothing is accounted for, nothing is enforced")


def store(tools: Tools) -> Iterator[Check]:
    """Read and write the store."""
    url = tools.settings.store
    tools.store().expire(tools.now())
    yield Check("ok", f"{url} can be read and written; {tools.store().open_reservations()} calls are under way")
    if url.startswith("memory:"):
        yield Check("warning", "memory:// is each process's own, and gone when it ends")


def prices(tools: Tools) -> Iterator[Check]:
    """Tell which prices are in use."""
    book = tools.book()
    yield Check("ok", f"{book.source}, compiled on {book.compiled_on}, {len(book.models()):,} models")
    if book.overrides:
        yield Check("ok", f"{len(book.overrides)} prices of your own lie over it")
    if tools.now().date() - date.fromisoformat(book.compiled_on) > _OLD:
        yield Check("warning", "these prices are old: run `otel-llmcost prices update`")


def ledger(tools: Tools) -> Iterator[Check]:
    """Look for calls whose cost is not known, or not for sure."""
    now = tools.now()
    totals = tools.store().totals(("status", "provider", "model"), now - LOOK_BACK, now)
    calls, cost = sum(each.calls for each in totals), sum(each.cost_nano for each in totals)
    yield Check("ok" if calls else "note", f"{calls:,} calls in the last {LOOK_BACK.days} days cost {usd(cost)}")
    for each in totals:
        status, provider, model = (value or "" for value in each.group)
        if status == "unpriced":
            reason = _why(tools, provider, model)
            yield Check("warning", f"{each.calls:,} calls of {provider}/{model} are unpriced: {reason}")
    if any(each.group[0] in _UNSURE for each in totals):
        yield from _unsure(tools)


def alerts(tools: Tools) -> Iterator[Check]:
    """Look for alerts that did not arrive."""
    found = Counter(each.state for each in tools.store().deliveries(most=_MOST_DELIVERIES))
    yield Check("ok", f"{found['delivered']:,} alerts delivered, {found['pending']:,} to be delivered")
    if found["dead"]:
        yield Check("problem", f"{found['dead']:,} alerts were given up: see `otel-llmcost alerts list --state dead`")
    if not tools.settings.channels:
        yield Check("note", "no alert channel: marks that are reached are only logged")


def _why(tools: Tools, provider: str, model: str) -> str:
    try:
        rate = tools.book().rate_at(provider, model, tools.now())
    except UnknownPriceError as error:
        return f"{error.reason}; give it one by a [[price]] in llmcost.toml"
    return f"they came before the price {rate.rate_id} was known, or used something it has no price for"


def _unsure(tools: Tools) -> Iterator[Check]:
    """Count by model and method; only where there is something to count, as the whole week's charges are read."""
    now = tools.now()
    counts: Counter[tuple[ChargeStatus, str, str, str]] = Counter(
        (charge.status, charge.provider, charge.model, charge.method)
        for charge in tools.store().charges(now - LOOK_BACK, now)
        if charge.status in _UNSURE
    )
    for (status, provider, model, method), count in counts.most_common():
        yield Check("note", f"{count:,} calls of {provider}/{model} are {status} ({method}): {_UNSURE[status]}")
