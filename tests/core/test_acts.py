"""What people decided holds from when they said so until it is over or somebody ends it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from otel_llmcost.core.acts import Act, in_force
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.budget import Balance
from otel_llmcost.core.policy import Policy
from tests.core.calls import NOW, budget

HOUR = timedelta(hours=1)


def act(kind="raise", act_id="a", **facts) -> Act:
    return Act(**{"act_id": act_id, "at": NOW, "kind": kind, "by": "ann", **facts})


def raised(nano, **facts) -> Act:
    return act(budget="b", amount_nano=nano, **facts)


def claimed(tags=None, at=NOW, *acts, **budget_facts):
    policy = Policy([budget(name="b", limit=Decimal(1), **budget_facts)], NOW, in_force(acts, NOW))
    return policy.claims(tags or {}, at, None, lambda _budget, _subject: None)[0]


def test_a_stop_is_for_the_calls_in_its_scope():
    controls = in_force([act("stop", scope=Scope({"agent": ("scr*",)}))], NOW)

    assert controls.stop_of({"agent": "scraper"}, NOW) is not None
    assert controls.stop_of({"agent": "writer"}, NOW) is None
    assert controls.stop_of({}, NOW) is None


def test_a_stop_of_everything_is_for_calls_that_say_nothing_of_themselves():
    assert in_force([act("stop")], NOW).stop_of({}, NOW) is not None


def test_an_act_that_was_ended_does_not_hold():
    controls = in_force([act("stop"), act("resume", "e", ends="a")], NOW)

    assert controls.stops == ()


def test_a_raise_lifts_limit_and_marks_of_claims_and_balances():
    claim = claimed(None, NOW, raised(1_000_000_000))

    assert claim.limit_nano == 2_000_000_000
    assert dict(claim.marks)["exceeded"] == 2_000_000_000


def test_raises_add_up():
    assert claimed(None, NOW, raised(1), raised(2, act_id="b")).limit_nano == 1_000_000_003


def test_a_raise_of_one_subject_is_not_the_others():
    lift = raised(5, subject="user=u-1")

    assert claimed({"user": "u-1"}, NOW, lift, per=("user",)).limit_nano == 1_000_000_005
    assert claimed({"user": "u-2"}, NOW, lift, per=("user",)).limit_nano == 1_000_000_000


def test_a_raise_that_is_over_lifts_nothing_though_nobody_looked_since():
    """A process reads acts now and then; the end of one comes at its own time."""
    lift = raised(5, until=NOW + HOUR)

    assert claimed(None, NOW + HOUR - timedelta(microseconds=1), lift).limit_nano == 1_000_000_005
    assert claimed(None, NOW + HOUR, lift).limit_nano == 1_000_000_000


@pytest.mark.parametrize(
    ("subject", "limit"), [pytest.param("user=u-1", 113, id="its-own-too"), pytest.param("user=u-2", 103, id="all")]
)
def test_a_balance_is_shown_with_the_limit_it_has_now(subject, limit):
    controls = in_force([raised(3), raised(10, act_id="b", subject="user=u-1")], NOW)
    balance = Balance(budget="b", subject=subject, limit_nano=100, window_start=NOW, window_end=NOW + HOUR)

    assert controls.lifted(balance, NOW).limit_nano == limit
