"""Measure a collector's ledger: `python -m tests.bench.collector.ledger`.

Rows per CPU-second at several sizes of a write, bytes per row, and what reports take over a million rows and ten.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

import msgspec

from otel_llmcost.core.attribution import DIMENSIONS
from otel_llmcost.storage.base import GroupBy
from otel_llmcost_collector.ledger import open_ledger
from otel_llmcost_collector.ledger.base import Ledger, Line
from otel_llmcost_collector.observed import Observed, id_of_span

START = datetime(2026, 10, 1, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
DAYS = 30
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
MODELS = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-pro"),
)


def lines(count: int, step_us: int, *, users: int = 1000, seed: int = 1) -> Iterator[Line]:
    """Make lines as receivers do: every text is a new one, as it comes from a decoder."""
    chance = random.Random(seed)
    for number in range(count):
        at_us = START_US + number * step_us + chance.randrange(1000)
        provider, model = MODELS[chance.randrange(len(MODELS))]
        trace_id, span_id = f"{chance.getrandbits(128):032x}", f"{chance.getrandbits(64):016x}"
        response_id = "chatcmpl-" + "".join(chance.choices(_LETTERS, k=29))
        agent = chance.randrange(20)
        yield Line(
            observed=Observed(
                charge_id=id_of_span(at_us, span_id, trace_id),
                at_us=at_us,
                duration_us=chance.randrange(100_000, 5_000_000),
                provider=provider,
                operation="chat",
                requested_model=model,
                served_model=f"{model}-2026-08-06",
                tags={
                    "agent": f"agent-{agent}",
                    "user": f"user-{chance.randrange(users)}",
                    "team": f"team-{agent % 5}",
                    "environment": "production",
                    "provider": provider,
                    "model": model,
                    "trace": trace_id,
                },
                counts={
                    "input_tokens": chance.randrange(100, 5000),
                    "output_tokens": chance.randrange(10, 1000),
                    "cache_read_tokens": chance.randrange(100),
                },
                status="confirmed",
                method="reported",
                cost_nano=(cost := chance.randrange(100_000, 20_000_000)),
                list_cost_nano=cost,
                rate_id=f"{provider}/{model}@2026-01-01",
                rate_source="genai-prices 0.2.3",
                tier="standard",
                trace_id=trace_id,
                span_id=span_id,
                parent_span_id=f"{chance.getrandbits(64):016x}",
                response_id=response_id,
                error_type=None,
                source="semconv",
                richness=5,
            ),
            call_key=blake2b(response_id.encode(), digest_size=12).digest(),
        )


def batches(made: Sequence[Line], size: int) -> Iterator[Sequence[Line]]:
    for start in range(0, len(made), size):
        yield made[start : start + size]


def writing(ledger: Ledger, made: Sequence[Line], size: int) -> float:
    """Write lines; return the CPU time of one, in µs."""
    gc.collect()
    gc.freeze()  # who holds few lines has little to look through
    began = time.process_time()
    for batch in batches(made, size):
        ledger.write(batch, lambda new: b"x" * 50)
    took = time.process_time() - began
    gc.unfreeze()
    return took / len(made) * 1e6


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", help="ledger to write to instead of files of its own")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=1000)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        speeds(Path(folder), asked.url)
        queries(Path(folder), asked.url, asked.rows, asked.users)


def speeds(folder: Path, url: str | None) -> None:
    for step_us in (1000, 100, 10):
        made = list(lines(93_000, step_us, seed=step_us))
        for size in (155, 1000):
            ledger = open_ledger(url or f"sqlite://{folder}/speed-{step_us}-{size}.db", node="a")
            each = writing(ledger, made, size)
            again = writing(ledger, made, size)
            ledger.close()
            print(
                f"{1e6 / step_us:9,.0f} charges/s, {size:5} a write: {each:5.2f} µs CPU a row = {1e6 / each:9,.0f} "
                f"rows per CPU-second, {each * 155 / 1000:.2f} ms for 155; told again {again:5.2f} µs"
            )


def queries(folder: Path, url: str | None, rows: int, users: int) -> None:
    place = folder / "queries.db"
    ledger = open_ledger(url or f"sqlite://{place}", node="a")
    step_us = DAYS * 86_400_000_000 // rows
    made = list(lines(100_000, step_us, users=users))
    each, written = 0.0, 0
    for part in range(0, rows, len(made)):
        each += writing(ledger, [_moved(line, part * step_us) for line in made], 1000)
        written += 1
    print(f"{rows:,} rows over {DAYS} days: {each / written:.2f} µs CPU a row", end="")
    if url is None:
        print(f", {place.stat().st_size / rows:.0f} bytes a row", end="")
    print()
    ledger.close()
    ledger = open_ledger(url or f"sqlite://{place}", node="a")
    end = START + timedelta(days=DAYS)
    whole, week = (START, end), (end - timedelta(days=7, hours=5, minutes=13), end)
    day = (end - timedelta(hours=24, minutes=7), end)
    asked: list[tuple[str, Sequence[GroupBy], tuple[datetime, datetime]]] = [
        *[(f"{DAYS} days by {by}", (by,), whole) for by in (*DIMENSIONS, "day", "hour", "month", "status", "rate")],
        ("30 days by agent, model, day", ("agent", "model", "day"), whole),
        ("30 days by user, day", ("user", "day"), whole),
        ("a week by user", ("user",), week),
        ("a week by agent, model", ("agent", "model"), week),
        ("a week by user, model", ("user", "model"), week),
        ("a day by hour, model", ("hour", "model"), day),
        ("a day by user", ("user",), day),
        ("a day by task", ("task",), day),
        ("a day by trace", ("trace",), day),
    ]
    for name, by, span in asked:
        took = [_ms(lambda: ledger.totals(by, *span)) for _ in range(2)]  # noqa: B023 -- called at once
        print(f"{name:32} {took[0]:8.0f} ms first, {took[1]:8.0f} ms again")
    print(f"{'series':32} {_ms(ledger.series):8.0f} ms")
    print(f"{'unconfirmed':32} {_ms(lambda: ledger.unconfirmed(*whole)):8.0f} ms")
    print(f"{'latest 10,000':32} {_ms(lambda: ledger.since(START, 10_000)):8.0f} ms")
    ledger.close()


def _moved(line: Line, by_us: int) -> Line:
    observed = line.observed
    at_us = observed.at_us + by_us
    charge_id = id_of_span(at_us, str(observed.span_id), str(observed.trace_id))
    return Line(observed=msgspec.structs.replace(observed, at_us=at_us, charge_id=charge_id), call_key=line.call_key)


def _ms(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return (time.process_time() - began) * 1000


if __name__ == "__main__":
    main(sys.argv[1:])
