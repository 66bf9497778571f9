"""Whoever else instruments the SDKs, and in whatever order: one charge per call, and its cost on their spans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.provider_server import ProviderServer
from tests.beside.calls import CALLS, NATIVE, UNSEEN
from tests.beside.worker import CASES, Case, Outcome, Told

ROOT = Path(__file__).parents[2]
OWN = "otel_llmcost"
AUTO = [case for case in CASES if case.mode == "auto"]


@pytest.fixture(scope="module")
def outcomes() -> dict[tuple[str, str], Outcome]:
    environ = {**os.environ, "OTEL_LLMCOST_STORE": "memory://", "OTEL_LLMCOST_CONFIG": os.devnull}
    command = [sys.executable, "-m", "tests.beside.worker"]
    with ProviderServer() as server:
        done = subprocess.run(
            [*command, server.url], cwd=ROOT, env=environ, stdout=subprocess.PIPE, timeout=600, check=True
        )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    read = [Outcome(**{**each, "spans": [Told(**span) for span in each["spans"]]}) for each in found]
    return {(each.case, each.call): each for each in read}


def others_at(case: Case, call: str) -> int:
    """Say how many spans others make for a call."""
    return sum((name, call) not in UNSEEN for name in case.team) + call.endswith(NATIVE)


def by_case(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=str)


@by_case(CASES)
@pytest.mark.parametrize("call", CALLS)
def test_a_call_is_one_charge(case: Case, call: str, outcomes: dict[tuple[str, str], Outcome]) -> None:
    """Their wrappers and ours stand around the same call; what the program gets is of the SDK's own type."""
    outcome = outcomes[str(case), call]

    assert outcome.error is None
    assert [status for _, status, _ in outcome.charges] == ["estimated" if call.endswith("_left") else "confirmed"]
    assert outcome.open_reservations == 0


@by_case(AUTO)
@pytest.mark.parametrize("call", CALLS)
def test_every_span_of_others_carries_the_cost(case: Case, call: str, outcomes: dict[tuple[str, str], Outcome]) -> None:
    """Nested, beside one another, without the answer's id, or ended before their stream was: all the same."""
    outcome = outcomes[str(case), call]
    ((charge_id, _, cost_nano),) = outcome.charges
    assert cost_nano is not None

    told = [(span.charge_id, span.cost_usd) for span in outcome.spans if span.scope != OWN]
    assert told == [(charge_id, pytest.approx(cost_nano / 1e9))] * others_at(case, call)


@by_case(AUTO)
@pytest.mark.parametrize("call", CALLS)
def test_we_make_a_span_only_where_nobody_else_does(
    case: Case, call: str, outcomes: dict[tuple[str, str], Outcome]
) -> None:
    """Two spans of a call would show its tokens twice."""
    own = [span for span in outcomes[str(case), call].spans if span.scope == OWN]

    assert len(own) == (0 if others_at(case, call) else 1)


@by_case([case for case in CASES if case.mode != "auto"])
@pytest.mark.parametrize("call", CALLS)
def test_spans_may_be_chosen(case: Case, call: str, outcomes: dict[tuple[str, str], Outcome]) -> None:
    """`own`: always one of ours; `enrich`: never; `off`: neither ours nor a word on theirs."""
    spans = outcomes[str(case), call].spans
    own = [span for span in spans if span.scope == OWN]
    told = [span for span in spans if span.scope != OWN and span.cost_usd is not None]

    assert len(own) == (1 if case.mode == "own" else 0)
    assert len(told) == (0 if case.mode == "off" else others_at(case, call))
