"""`/metrics` says what the ledger has, to the nano-dollar, whatever is killed meanwhile."""

from __future__ import annotations

import random
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from otel_llmcost.storage import open_store
from tests.collector.running import Running, running
from tests.collector.spans import CALL, span, wire
from tests.real.servers import free_port

pytestmark = pytest.mark.slow

SPANS, BATCH, RUNS = 300, 10, 2
COST_NANO = 7_500_000
"""Of 1000 tokens sent to gpt-4o and 500 received."""


def batches(dice: random.Random) -> list[bytes]:
    """Make requests, a fifth of them twice, in any order."""
    begun = int(time.time() - 60) * 10**9
    facts = [
        span(
            {
                **CALL,
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.agent.name": f"a{n % 7}",
            },
            trace_id=dice.randbytes(16),
            span_id=dice.randbytes(8),
            start_time_unix_nano=begun + n,
            end_time_unix_nano=begun + n + 10**9,
        )
        for n in range(SPANS)
    ]
    made = [wire(*facts[n : n + BATCH]) for n in range(0, SPANS, BATCH)]
    made += [*dice.sample(made, len(made) // 5), wire(*dice.sample(facts, BATCH))]
    dice.shuffle(made)
    return made


def taken(collector: Running, content: bytes) -> bool:
    """Send once; False: nobody says that it was taken."""
    request = Request(f"{collector.http}/v1/traces", content, {"content-type": "application/x-protobuf"})
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False


def killed_amid(collector: Running, left: list[bytes]) -> list[bytes]:
    """Kill it while requests are under way; return what nobody says was taken."""
    with ThreadPoolExecutor(4) as senders:
        sent = [(content, senders.submit(taken, collector, content)) for content in left]
        collector.end(signal.SIGKILL)
        return [content for content, is_taken in sent if not is_taken.result()]


def shown(collector: Running, name: str) -> Decimal:
    """Add up a metric as it is written."""
    lines = [line for line in collector.get("/metrics").splitlines() if re.match(rf"{name}{{", line)]
    return sum((Decimal(line.rpartition(" ")[2]) for line in lines), Decimal(0))


def in_ledger(collector: Running) -> tuple[Decimal, int]:
    now = datetime.now(UTC)
    with closing(open_store(collector.api)) as store:
        charges = list(store.charges(now - timedelta(days=1), now + timedelta(days=1)))
    return sum((Decimal(each.cost_nano or 0) for each in charges), Decimal(0)).scaleb(-9), len(charges)


def test_metrics_are_the_ledgers_whatever_is_killed(tmp_path: Path) -> None:
    """Each run is killed amid what it takes in; what nobody acknowledged is sent again to the next."""
    dice = random.Random(20261122)
    left = batches(dice)
    settings = f'workers = 2\n[receive]\nhttp = "127.0.0.1:{free_port()}"\ngrpc = "off"\n'

    for _ in range(RUNS):
        with running(tmp_path, settings, places=False) as collector:
            collector.get("/metrics")
            for content in left[: len(left) // 3]:
                if taken(collector, content):
                    left.remove(content)
            left = killed_amid(collector, left)
    with running(tmp_path, settings, places=False) as collector:
        left = [content for content in left if not taken(collector, content)]
        cost, calls = in_ledger(collector)

        assert (left, calls) == ([], SPANS)
        assert shown(collector, "llmcost_calls_total") == calls
        assert shown(collector, "llmcost_cost_USD_total") == cost == Decimal(SPANS * COST_NANO).scaleb(-9)
        assert shown(collector, "llmcost_collector_workers") == 2
