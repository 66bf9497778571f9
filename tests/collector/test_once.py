"""What is handed on comes to what the ledger says, however many spans told of one call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llmcost.core.policy import Policy
from otel_llmcost.pricebook.book import load
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector.accounting.accountant import Accountant
from otel_llmcost_collector.accounting.base import Accounts
from otel_llmcost_collector.accounting.remote import AccountsServer, RemoteAccounts
from otel_llmcost_collector.dialects.directory import reader_for
from otel_llmcost_collector.ledger.sqlite import SqliteLedger
from otel_llmcost_collector.pipeline import Pipeline
from otel_llmcost_collector.receivers.admission import Admission
from otel_llmcost_collector.receivers.intake import Intake
from otel_llmcost_collector.receivers.outcome import DONE, Request
from otel_llmcost_collector.self_metrics import Figures
from tests.collector.dialects.corpus import SPANS, senders
from tests.collector.receivers.parts import Sink
from tests.collector.spans import from_json, spans_in

NOW = datetime(2026, 11, 23, tzinfo=UTC)
COSTS = ("llmcost.cost.total", "llmcost.estimated.cost", "gen_ai.usage.cost")
"""Where the collector's own cost stands: the first of them, since its sender's stays where it was."""


@cache
def requests() -> Sequence[bytes]:
    """One of each recorded exchange, with the spans of all who told of it; our plugin says itself what it costs."""
    lines = [
        line
        for sender in senders()
        if not sender.startswith("ours")
        for line in (SPANS / f"{sender}.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    ]
    return [json.dumps({"resourceSpans": json.loads(line)["resourceSpans"]}).encode() for line in lines]


class Nobody:
    """Wants to know nothing of workers."""

    def take(self, run: str, figures: Figures) -> None: ...

    def gone(self, run: str) -> None: ...


class Node:
    """A collector without its receivers."""

    def __init__(self, ledger: SqliteLedger, accounts: Accounts) -> None:
        self.ledger, self.sink = ledger, Sink()
        self._intake = Intake(Pipeline(load(), readers=reader_for), accounts, self.sink)
        self._admission = Admission()

    async def take(self, contents: Sequence[bytes], *, is_json: bool) -> None:
        for each in contents:
            with self._admission.slot() as slot:
                request = Request(signal="traces", protocol="http", packed=each, is_json=is_json)
                assert await self._intake.take(request, slot) is DONE

    @property
    def handed_on(self) -> list[bytes]:
        return [content for _, content, _ in self.sink.taken]

    @property
    def charged_nano(self) -> int:
        (total,) = self.ledger.totals([], NOW - timedelta(days=30), NOW)
        return total.cost_nano


@asynccontextmanager
async def node(folder: Path, *, is_worker: bool = False) -> AsyncGenerator[Node]:
    """Begin a collector, the accountant in a process of its own or not."""
    async with AsyncExitStack() as ending:
        ledger = SqliteLedger(str(folder / "ledger.db"), node="n-1")
        ending.callback(ledger.close)
        accountant = Accountant(ledger, MemoryStore(), Policy((), NOW), clock=lambda: NOW)
        accountant.start()
        ending.callback(accountant.close)
        if not is_worker:
            yield Node(ledger, accountant)
            return
        server = await AccountsServer.begin(folder / "accounts.sock", accountant, Nobody())
        ending.push_async_callback(server.end)
        remote = RemoteAccounts(folder / "accounts.sock", run="worker-0")
        ending.push_async_callback(remote.close)
        yield Node(ledger, remote)


def spans(contents: Sequence[bytes], *, is_json: bool) -> list[dict[str, Any]]:
    """Take the attributes of all spans out of requests."""
    found: list[Span] = [span for each in contents for span in spans_in(from_json(each) if is_json else each)]
    return [
        {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in span.attributes}
        for span in found
    ]


def is_duplicate(attributes: dict[str, Any]) -> bool:
    """Tell whether another span stands for the call."""
    return attributes.get("llmcost.cost.status") == "duplicate"


def cost_nano(attributes: dict[str, Any]) -> int:
    """Tell what a back end adds up of a span."""
    if "llmcost.cost.source" not in attributes or is_duplicate(attributes):
        return 0
    return round(next((attributes[name] for name in COSTS if name in attributes), 0.0) * 1e9)


@pytest.mark.parametrize("is_worker", [False, True], ids=["alone", "worker"])
@pytest.mark.parametrize("is_json", [False, True], ids=["protobuf", "json"])
def test_all_spans_together_cost_what_the_ledger_says(tmp_path: Path, is_json: bool, is_worker: bool) -> None:
    """All tellings of a call come in one request."""
    sent = requests() if is_json else [from_json(each) for each in requests()]

    async def both() -> tuple[list[bytes], int]:
        async with node(tmp_path, is_worker=is_worker) as one:
            await one.take(sent, is_json=is_json)
            return one.handed_on, one.charged_nano

    handed_on, charged = asyncio.run(both())

    found = spans(handed_on, is_json=is_json)
    assert sum(map(cost_nano, found)) == charged > 0


def test_a_duplicate_says_what_stands_for_its_call_and_has_no_cost(tmp_path: Path) -> None:
    async def handed_on() -> list[bytes]:
        async with node(tmp_path) as one:
            await one.take(requests(), is_json=True)
            return one.handed_on

    found = spans(asyncio.run(handed_on()), is_json=True)

    duplicates = [each for each in found if is_duplicate(each)]
    standing = {each.get("llmcost.charge.id") for each in found if not is_duplicate(each)}
    assert len(duplicates) > 20
    assert {each["llmcost.charge.id"] for each in duplicates} <= standing
    assert not any(name in each for each in duplicates for name in COSTS)


@pytest.mark.parametrize("is_json", [False, True], ids=["protobuf", "json"])
def test_two_collectors_in_a_row_are_one_bill_and_one_cost(tmp_path: Path, is_json: bool) -> None:
    """The second keeps the first one's books, and changes nothing."""
    sent = requests() if is_json else [from_json(each) for each in requests()]

    async def in_a_row() -> None:
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
        async with node(tmp_path / "first") as first, node(tmp_path / "second") as second:
            await first.take(sent, is_json=is_json)
            await second.take(first.handed_on, is_json=is_json)
            assert second.charged_nano == first.charged_nano
            assert second.handed_on == first.handed_on

    asyncio.run(in_a_row())


def test_what_is_sent_again_is_handed_on_as_before(tmp_path: Path) -> None:
    """As senders do that got no answer: a back end that has both knows them by their spans' ids."""

    async def twice() -> None:
        async with node(tmp_path) as one:
            await one.take(requests(), is_json=True)
            before = one.charged_nano
            await one.take(requests(), is_json=True)
            assert one.handed_on[len(requests()) :] == one.handed_on[: len(requests())]
            assert one.charged_nano == before

    asyncio.run(twice())
