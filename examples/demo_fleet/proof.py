"""Whether it is true: the bill, held against the provider, the budgets, the metrics and the webhooks that arrived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus

from examples.demo.prometheus import total_nano
from examples.demo.proof import Check
from examples.demo_fleet.bill import Bill, Item
from examples.demo_fleet.stage import Agent, Stage
from otel_llmcost.config import load
from otel_llmcost.core.budget import Balance
from otel_llmcost.storage import open_store

REFUSED_OF = "planner-daily"
WHOLE = "fleet-daily"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What happened beside the bill."""

    balances: tuple[Balance, ...]
    redis_keys: int | None
    """None: there is no Redis here."""
    signed: tuple[tuple[str, str], ...]
    """Budget and level of each webhook whose signature is right."""
    unsigned: int
    """Those whose signature is wrong."""
    of_alertmanager: tuple[str, ...]
    """Names of the alerts that came through Prometheus and Alertmanager."""


def look(on: Stage) -> Around:
    """Look once at balances and webhooks."""
    entries = on.receiver.entries
    ours = [entry for entry in entries if entry["path"] == "/llmcost"]
    taken = [entry["body"]["data"] for entry in ours if entry["status"] == HTTPStatus.OK]
    theirs = [entry["body"]["alerts"] for entry in entries if entry["path"] == "/alertmanager"]
    return Around(
        balances=_balances(on),
        redis_keys=_keys(on.redis),
        signed=tuple((data.get("budget", ""), data.get("level", "")) for data in taken),
        unsigned=len(ours) - len(taken),
        of_alertmanager=tuple(sorted({each["labels"]["alertname"] for alerts in theirs for each in alerts})),
    )


def is_over(on: Stage, bill: Bill, around: Around) -> bool:
    """Tell whether nothing is to be waited for any more."""
    has_alert = on.prometheus is None or not on.has_alertmanager or bool(around.of_alertmanager)
    settled = {balance.budget: balance.settled_nano for balance in around.balances}
    is_told = (REFUSED_OF, "exceeded") in around.signed
    return bill.is_whole and has_alert and is_told and settled.get(WHOLE) == bill.cost_nano


def checks(on: Stage, bill: Bill, around: Around) -> Iterator[Check]:
    """Hold everything against everything."""
    yield from (_ended(agent) for agent in on.agents)
    requests, calls = sum(item.requests for item in bill.items), sum(item.calls for item in bill.items)
    yield Check(
        requests == calls > 0 and bill.nameless == 0,
        f"{requests} requests reached the provider, {calls + bill.nameless} charges are in the ledger: one for each",
    )
    yield from (_same(item) for item in bill.items)
    yield _refused(on, bill)
    yield from _balance(bill, around)
    yield Check(
        (REFUSED_OF, "exceeded") in around.signed and not around.unsigned,
        f"{len(around.signed)} signed webhooks of the collector arrived: {_listed(around.signed)}",
    )
    metrics = total_nano(bill.readings.team)
    yield Check(metrics == bill.cost_nano, f"the collector's /metrics say {exact(metrics)}")
    if bill.readings.prometheus is not None:
        asked = total_nano(bill.readings.prometheus)
        yield Check(asked == bill.cost_nano, f"Prometheus says {exact(asked)}")
        if on.has_alertmanager:
            said = ", ".join(around.of_alertmanager) or "nothing"
            yield Check(bool(around.of_alertmanager), f"Alertmanager told the receiver of {said}")


def exact(nano: int) -> str:
    """Show an amount to the nano-dollar."""
    return f"${Decimal(nano).scaleb(-9):.9f}"


def _ended(agent: Agent) -> Check:
    code = agent.process.poll()
    how = "did its work" if code == 0 else f"ended with {code}, see {agent.log}"
    return Check(code == 0, f"{agent.name} ({agent.language}, {agent.instrumentor}) {how}")


def _same(item: Item) -> Check:
    return Check(
        item.provider_nano == item.cost_nano > 0 and item.source != "",
        f"{item.agent.name}: the provider counted {exact(item.provider_nano)}, the ledger {exact(item.cost_nano)}",
    )


def _refused(on: Stage, bill: Bill) -> Check:
    (planner,) = (item for item in bill.items if item.agent.name == "planner")
    lines = planner.agent.log.read_text(errors="replace").splitlines()
    said = next((line for line in lines if line.startswith(f"refused: budget '{REFUSED_OF}'")), None)
    if said is None:
        return Check(holds=False, claim=f"the planner was not refused: {on.folder}/planner.log")
    return Check(holds=True, claim=f"the planner has no budget of its own, and was {said.partition(' until ')[0]}")


def _balance(bill: Bill, around: Around) -> Iterator[Check]:
    balances = {balance.budget: balance for balance in around.balances}
    whole, refused = balances.get(WHOLE), balances.get(REFUSED_OF)
    where = "" if around.redis_keys is None else ", in Redis"
    settled = 0 if whole is None else whole.settled_nano
    yield Check(
        settled == bill.cost_nano and around.redis_keys != 0,
        f"the budget of the whole fleet holds {exact(settled)}{where}: calls of plugin and of spans",
    )
    if refused is not None:
        spent, limit = exact(refused.settled_nano), exact(refused.limit_nano)
        yield Check(refused.settled_nano <= refused.limit_nano, f"the planner's holds {spent} of {limit}")


def _listed(signed: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{budget} {level}" for budget, level in signed) or "none"


def _balances(on: Stage) -> tuple[Balance, ...]:
    now = datetime.now(UTC)
    budgets = load({}, cwd=on.folder, home=on.folder).budgets
    with closing(open_store(on.ports.store)) as store:
        return tuple(store.balances([(budget, budget.window.at(now)) for budget in budgets]))


def _keys(url: str | None) -> int | None:
    if url is None:
        return None
    from redis import Redis  # noqa: PLC0415 -- only where there is one

    with Redis.from_url(url) as client:
        return int(client.dbsize())
