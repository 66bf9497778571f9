"""What real instrumentors told of real exchanges is charged once, however many of them were stacked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations

import pytest

from otel_llmcost.pricebook.book import load
from otel_llmcost_collector.accounting.twins import Twins
from otel_llmcost_collector.dialects.directory import reader_for
from otel_llmcost_collector.observed import Observed
from otel_llmcost_collector.pipeline import Pipeline
from tests.collector.dialects.corpus import SPANS, senders

_PIPELINE = Pipeline(load(), readers=reader_for)


def calls() -> Iterator[tuple[str, list[Observed]]]:
    """Give all recorded calls that anybody told of."""
    for sender in senders():
        for line in (SPANS / f"{sender}.jsonl").read_text(encoding="utf-8").splitlines()[1:]:
            each = json.loads(line)
            told = _PIPELINE.traces_json(json.dumps({"resourceSpans": each["resourceSpans"]}).encode()).observed
            if told:
                yield f"{sender}-{each['call']}", told


CALLS = list(calls())
STACKED = [pytest.param(told, id=name) for name, told in CALLS if len(told) > 1]


def charged(batches: list[list[Observed]]) -> set[str]:
    twins, standing = Twins(), set[str]()
    for batch in batches:
        plan = twins.plan(batch)
        standing -= {*plan.replaces.values(), *plan.taken_back}
        standing |= {each.charge_id for each in plan.charges if each is not None}
        twins.keep(0.0)
    return standing


@pytest.mark.parametrize("told", STACKED)
def test_a_call_that_several_tell_of_is_charged_once_by_the_richest(told: list[Observed]) -> None:
    best = max(told, key=lambda each: each.richness)

    for order in permutations(told):
        assert charged([list(order)]) == {best.charge_id}
        assert charged([[each] for each in order]) == {best.charge_id}


def test_different_calls_stay_different_though_all_come_at_once() -> None:
    """Each sender made the same exchanges, some of them within milliseconds, many with equal tokens."""
    everything = [told for _, told in CALLS]

    assert len(charged([[each for told in everything for each in told]])) == len(everything)
    assert len(charged([[each] for told in reversed(everything) for each in told])) == len(everything)
