"""The bill: what the collector's ledger says of each agent, beside what the provider itself counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from examples.demo.prometheus import COST, Readings, Sample, scrape
from examples.demo.proof import receipt, total_usd
from examples.demo_fleet.stage import Agent, Stage
from examples.provider_server import Exchange
from otel_llmcost.core.money import to_nano
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.storage import open_store

BY_AGENT = f"sum by (gen_ai_agent_name) ({COST})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line of the bill: one agent."""

    agent: Agent
    source: str
    """The dialect that the collector was told in."""
    requests: int
    """As the provider counted them."""
    provider_nano: int
    """What it counted, times its prices."""
    calls: int
    input_tokens: int
    output_tokens: int
    cost_nano: int
    """All of these in the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """All lines, and what others make of them."""

    items: Sequence[Item]
    readings: Readings
    nameless: int
    """Calls in the ledger that are of none of the agents."""

    @property
    def is_whole(self) -> bool:
        """Whether every request has its charge, and every reader has read them all."""
        calls = sum(item.calls for item in self.items)
        return calls == sum(item.requests for item in self.items) and self.readings.say(self.cost_nano)

    @property
    def cost_nano(self) -> int:
        """What the ledger says in total."""
        return sum(item.cost_nano for item in self.items)


def read(on: Stage, book: PriceBook) -> Bill:
    """Ask the ledger over the collector's API, the provider's log, `/metrics` and Prometheus."""
    team = scrape(f"{on.ports.store}/metrics")
    asked = on.prometheus.ask(BY_AGENT) if on.prometheus is not None else None
    with closing(open_store(on.ports.store)) as store:
        found = {total.group[0]: total for total in store.totals(("agent",), on.began_at, datetime.now(UTC))}
    requests = _by_agent(on.provider.requests)
    items = []
    for agent in on.agents:
        total, sent = found.pop(agent.name, None), requests.get(agent.name, [])
        items.append(
            Item(
                agent=agent,
                source=_source(team, agent.name),
                requests=len(sent),
                provider_nano=to_nano(total_usd(receipt(sent, book))),
                calls=0 if total is None else total.calls,
                input_tokens=0 if total is None else total.input_tokens,
                output_tokens=0 if total is None else total.output_tokens,
                cost_nano=0 if total is None else total.cost_nano,
            )
        )
    return Bill(
        items=items,
        readings=Readings(team=team, prometheus=asked),
        nameless=sum(total.calls for total in found.values()),
    )


def _by_agent(exchanges: Iterable[Exchange]) -> Mapping[str, list[Exchange]]:
    found: dict[str, list[Exchange]] = {}
    for exchange in exchanges:
        found.setdefault(exchange.headers.get("authorization", "").removeprefix("Bearer "), []).append(exchange)
    return found


def _source(samples: Iterable[Sample], agent: str) -> str:
    """Return what the metrics say of how an agent's calls were told."""
    sources = {
        each.labels.get("llmcost_source", "")
        for each in samples
        if each.name == COST and each.labels.get("gen_ai_agent_name") == agent
    }
    return ", ".join(sorted(sources))
