"""What `doctor` looks at in our own parts: settings, store, prices, ledger, alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Literal

from otel_llmcost.cli.config import counted, undeliverable, unpriceable
from otel_llmcost.cli.output import moment, usd
from otel_llmcost.cli.tools import Tools
from otel_llmcost.config import Settings
from otel_llmcost.core.ledger import ChargeStatus
from otel_llmcost.core.rates import price
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.errors import UnknownPriceError

State = Literal["ok", "note", "warning", "problem"]

LOOK_BACK = timedelta(days=7)
_OLD = timedelta(days=60)
_MOST_DELIVERIES = 1000
_INSTANT = timedelta(microseconds=1)
_METHODS: Mapping[str, str] = {
    "no-usage-reported": "the answer came without its usage",
    "stream-ended-early": "the stream was left before its end, where its usage stands",
    "no-answer-seen": "nobody saw the answer, but the provider may have billed",
    "lost-attempt": "the SDK tried again, but the provider may have billed the attempt before, too",
}
"""Where a usage is from → why it is not the provider's."""
_UNSURE: Mapping[ChargeStatus, str] = {
    "estimated": "the answer came without (all of) its usage",
    "suspected": "the provider may have billed it",
}
"""The same of methods that are not known here."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    state: State
    text: str
    facts: Mapping[str, object] | None = None
    """The same for programs, where they are likely to want it in parts."""


def settings(tools: Tools) -> Iterator[Check]:
    """Look at what was read."""
    said = tools.settings
    if said.config_path is None:
        yield Check("note", "no llmcost.toml here or in the user's folder, and none named by OTEL_LLMCOST_CONFIG")
    else:
        yield Check("ok", f"{said.config_path}: {_counted(said)}")
    for problem in (*map(str, said.problems), *undeliverable(said), *unpriceable(tools)):
        yield Check("problem", problem)
    for notice in said.notices:
        yield Check("note", notice)
    if said.disabled:
        yield Check("warning", "disabled = true: nothing is accounted for, nothing is enforced")


def store(tools: Tools) -> Iterator[Check]:
    """Read and write the store."""
    url = tools.settings.store
    now = tools.now()
    tools.store().expire(now)
    if not url.startswith("http"):  # whoever asks a server may have no right to write
        tools.store().lead("doctor", "doctor", now, now)
    yield Check("ok", f"{url} can be read and written; {tools.store().open_reservations()} calls are under way")
    if url.startswith("http"):
        yield from _fleet(tools)
    if url.startswith("memory:"):
        yield Check("warning", "memory:// is each process's own, and gone when it ends")


def _fleet(tools: Tools) -> Iterator[Check]:
    """Tell of the budgets that the server tells all agents to hold."""
    own, found = tools.settings, tools.in_force()
    told = sum(not any(each is mine for mine in own.budgets) for each in found.budgets)
    yield Check("ok", f"{told} budgets and limits are told to all agents by its server")
    for problem in found.problems[len(own.problems) :]:
        yield Check("problem", str(problem))
    for notice in found.notices[len(own.notices) :]:
        yield Check("note", notice)


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
    totals = tools.store().totals((), now - LOOK_BACK, now)
    calls, cost = sum(each.calls for each in totals), sum(each.cost_nano for each in totals)
    yield Check("ok" if calls else "note", f"{calls:,} calls in the last {LOOK_BACK.days} days cost {usd(cost)}")
    for each in tools.store().unconfirmed(now - LOOK_BACK, now):
        is_unpriced = each.status == "unpriced"
        reason = _why_unpriced(tools, each) if is_unpriced else _METHODS.get(each.method, _UNSURE[each.status])
        yield Check(
            "warning" if is_unpriced else "note",
            f"{each.calls:,} calls of {each.provider}/{each.model} are {each.status} ({each.method}), "
            f"the last at {moment(each.last_at)}: {reason}",
            {**asdict(each), "reason": reason},
        )


def decisions(tools: Tools) -> Iterator[Check]:
    """Tell what people decided that holds now."""
    found = tools.store().acts_in_force(tools.now())
    if not found:
        yield Check("ok", "no stop and no raise is in force")
    for act in found:
        until = f", until {moment(act.until)} UTC" if act.until else ""
        why = f": {act.reason}" if act.reason else ""
        if act.kind == "stop":
            yield Check(
                "warning", f"{str(act.scope) or 'all calls'} stopped by {act.by} at {moment(act.at)}{until}{why}"
            )
        else:
            yield Check("note", f"budget {act.budget} raised by {act.by} at {moment(act.at)}{until}{why}")


def alerts(tools: Tools) -> Iterator[Check]:
    """Look for alerts that did not arrive."""
    deliveries = tools.store().deliveries(most=_MOST_DELIVERIES)
    found = Counter(each.state for each in deliveries)
    yield Check("ok", f"{found['delivered']:,} alerts delivered, {found['pending']:,} to be delivered")
    if found["dead"]:
        yield Check("problem", f"{found['dead']:,} alerts were given up: see `otel-llmcost alerts list --state dead`")
    failing = {each.channel: each.problem for each in reversed(deliveries) if each.state == "pending" and each.problem}
    for channel, problem in failing.items():
        yield Check("warning", f"nothing arrives at {channel!r}, it is tried again: {problem}")
    if not tools.settings.channels:
        yield Check("note", "no alert channel: marks that are reached are only logged")


def _why_unpriced(tools: Tools, calls: Unconfirmed) -> str:
    """Try to price the last of them again."""
    book = tools.book()
    for charge in tools.store().charges(calls.last_at, calls.last_at + _INSTANT):
        if (charge.status, charge.provider, charge.model) == (calls.status, calls.provider, calls.model):
            tokens = charge.usage.input_tokens
            try:
                rate = book.rate_at(charge.provider, charge.model, charge.at, input_tokens=tokens, tier=charge.tier)
                price(charge.usage, rate)
            except UnknownPriceError as error:
                return f"{error.reason}; give it one by a [[price]] in llmcost.toml"
    return "it has a price now, which was not known then"


def _counted(said: Settings) -> str:
    names = {"budgets": "budgets", "limits": "limits", "channels": "alert channels", "fixed_costs": "fixed costs"}
    found = counted(said)
    return ", ".join(f"{found[key]} {name}" for key, name in names.items())
