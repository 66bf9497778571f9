"""Whoever else instruments the SDKs, and in whatever order: one charge per call, and its cost on their spans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.provider_server import ProviderServer
from tests.beside.teams import BREAKS, CASES, LOSES, NOT_CONFIRMED, Case, is_counted, others_at
from tests.beside.worker import Outcome, Told, calls_of

ROOT = Path(__file__).parents[2]
OWN = "otel_llmcost"
ALL = [(case, call) for case in CASES for call in calls_of(case)]
AUTO = [(case, call) for case, call in ALL if case.mode == "auto"]
OTHER_MODES = [(case, call) for case, call in ALL if case.mode != "auto"]
Outcomes = dict[tuple[str, str], Outcome]


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    environ = {
        **os.environ,
        "OTEL_LLMCOST_STORE": "memory://",
        "OTEL_LLMCOST_CONFIG": os.devnull,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the network when it is imported
        "OPENAI_AGENTS_DISABLE_TRACING": "0",
    }
    command = [sys.executable, "-m", "tests.beside.worker"]
    with ProviderServer() as server:
        done = subprocess.run(
            [*command, server.url], cwd=ROOT, env=environ, stdout=subprocess.PIPE, timeout=900, check=True
        )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b'{"case"')]
    read = [Outcome(**{**each, "spans": [Told(**span) for span in each["spans"]]}) for each in found]
    return {(each.case, each.call): each for each in read}


def by_case(cases: list[tuple[Case, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("case", "call"), cases, ids=str)


@by_case(ALL)
def test_a_call_is_one_charge(case: Case, call: str, outcomes: Outcomes) -> None:
    """Their wrappers and ours stand around the same call; what the program gets is of the SDK's own type."""
    outcome = outcomes[str(case), call]
    is_broken = any(call in BREAKS.get(name, ()) for name in case.team)

    assert outcome.error is None
    assert bool(outcome.mistyped) == is_broken
    assert [status for _, status, _ in outcome.charges] == [NOT_CONFIRMED.get(call, "confirmed")]
    assert outcome.open_reservations == 0


@by_case(AUTO)
def test_every_span_of_others_about_it_carries_the_cost(case: Case, call: str, outcomes: Outcomes) -> None:
    """Nested, beside one another, without the answer's id, or ended before their stream was: all the same."""
    outcome = outcomes[str(case), call]
    ((charge_id, _, cost_nano),) = outcome.charges
    about_it = [span for span in outcome.spans if span.scope != OWN and span.is_call]

    assert [span.charge_id for span in about_it] == [charge_id] * len(about_it)
    if cost_nano is not None:
        assert [span.cost_usd for span in about_it] == [pytest.approx(cost_nano / 1e9)] * len(about_it)
    assert len(about_it) == others_at(case, call) or not is_counted(case, call)


@by_case(AUTO)
def test_spans_about_more_or_less_carry_none(case: Case, call: str, outcomes: Outcomes) -> None:
    """Sums over the spans of agents, chains and HTTP requests would count a call again."""
    rest = [span for span in outcomes[str(case), call].spans if span.scope != OWN and not span.is_call]

    assert [span for span in rest if span.charge_id is not None or span.cost_usd is not None] == []


@by_case(AUTO)
def test_we_make_a_span_only_where_nobody_else_does(case: Case, call: str, outcomes: Outcomes) -> None:
    """Two spans of a call would show its tokens twice."""
    spans = outcomes[str(case), call].spans
    own = [span for span in spans if span.scope == OWN]
    is_others = others_at(case, call) > 0 or any(call in LOSES.get(name, ()) for name in case.team)

    assert len(own) == (0 if is_others else 1)


@by_case(OTHER_MODES)
def test_spans_may_be_chosen(case: Case, call: str, outcomes: Outcomes) -> None:
    """`own`: always one of ours; `enrich`: never; `off`: neither ours nor a word on theirs."""
    spans = outcomes[str(case), call].spans
    own = [span for span in spans if span.scope == OWN]
    told = [span for span in spans if span.scope != OWN and span.charge_id is not None]

    assert len(own) == (1 if case.mode == "own" else 0)
    assert len(told) == (0 if case.mode == "off" else others_at(case, call))
