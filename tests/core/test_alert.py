"""Marks: which are reached, and by what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.alert import OK, Alert, Channel, level_at, marks_of_refusal, reached
from otel_llmcost.core.budget import DEFAULT_MARKS, BalanceKey, Budget, Claim, Mark
from otel_llmcost.core.policy import Policy
from otel_llmcost.core.window import Calendar

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHARES = st.lists(st.decimals("0.01", "3", places=2), min_size=1, max_size=5, unique=True).map(sorted)


DAY = timedelta(days=1)
ALERT = Alert(
    key=BalanceKey("all", "user=a", 0),
    level="warning",
    at=NOW,
    spent_nano=8,
    limit_nano=10,
    window_start=NOW - DAY / 2,
    window_end=NOW + DAY / 2,
)


def claim(limit: str = "10", marks: tuple[Mark, ...] = DEFAULT_MARKS) -> Claim:
    policy = Policy([Budget(name="all", limit=Decimal(limit), window=Calendar("day"), marks=marks)], NOW)
    (made,) = policy.claims({}, NOW, None, lambda _budget, _subject: None)
    return made


@pytest.mark.parametrize(
    ("spent", "level"),
    [("0", OK), ("7.49", OK), ("7.5", "warning"), ("9.499999999", "warning"), ("9.5", "critical"), ("10", "exceeded")],
)
def test_the_level_is_that_of_the_highest_mark_reached(spent: str, level: str) -> None:
    assert level_at(Decimal(spent), Decimal(10), DEFAULT_MARKS) == level


def test_of_nothing_spent_of_a_limit_of_nothing_all_is_well() -> None:
    assert level_at(Decimal(0), Decimal(0), DEFAULT_MARKS) == OK
    assert reached(claim("0"), 0) == ()


def test_the_first_cent_over_a_limit_of_nothing_exceeds_it() -> None:
    assert level_at(Decimal("0.01"), Decimal(0), DEFAULT_MARKS) == "exceeded"
    assert reached(claim("0"), 1) == ("warning", "critical", "exceeded")


@given(SHARES, st.integers(1, 40_000_000_000))
def test_what_is_reached_and_the_level_say_the_same(shares: list[Decimal], spent_nano: int) -> None:
    marks = tuple(Mark(f"at {share}", share) for share in shares)

    levels = reached(claim("10", marks), spent_nano)

    assert levels == tuple(mark.level for mark in marks)[: len(levels)], "lowest first"
    assert (levels[-1] if levels else OK) == level_at(Decimal(spent_nano).scaleb(-9), Decimal(10), marks)


@given(SHARES, st.integers(0, 10**10), st.integers(0, 10**10))
def test_spending_more_never_reaches_less(shares: list[Decimal], spent: int, more: int) -> None:
    one = claim("10", tuple(Mark(f"at {share}", share) for share in shares))

    assert set(reached(one, spent)) <= set(reached(one, spent + more))


def test_a_refusal_reaches_the_marks_from_the_whole_limit_on() -> None:
    marks = (Mark("warning", Decimal("0.75")), Mark("exceeded", Decimal(1)), Mark("far", Decimal("1.5")))

    assert marks_of_refusal(claim("10", marks)) == ("exceeded", "far")


def test_a_channel_does_not_show_its_secrets() -> None:
    channel = Channel(name="ops", url="https://hooks.example.com/T0/geheim", secret="whsec_geheim", levels=frozenset())

    assert "geheim" not in repr(channel)


def test_an_alert_has_one_id_wherever_it_is_read() -> None:
    elsewhere = replace(ALERT, at=NOW.astimezone(timezone(timedelta(hours=9))), spent_nano=9)

    assert ALERT.alert_id == elsewhere.alert_id
    assert len(ALERT.alert_id) == 8


@pytest.mark.parametrize(
    "other",
    [
        replace(ALERT, level="critical"),
        replace(ALERT, kind="burn_rate"),
        replace(ALERT, at=NOW + timedelta(microseconds=1)),
        replace(ALERT, key=ALERT.key._replace(subject="user=b")),
    ],
)
def test_no_two_alerts_have_the_same_id(other: Alert) -> None:
    """A mark that is fired again after a reset is another alert."""
    assert other.alert_id != ALERT.alert_id


@pytest.mark.parametrize(
    ("kind", "level", "named"),
    [
        ("budget", "warning", "budget.warning"),
        ("burn_rate", "fast", "burn_rate.fast"),
        ("anomaly", "anomaly", "anomaly"),
        ("stop", "", "stop"),
    ],
)
def test_a_type_says_kind_and_level(kind: str, level: str, named: str) -> None:
    assert replace(ALERT, kind=kind, level=level).type == named


@pytest.mark.parametrize(
    ("levels", "is_wanted"),
    [({"fast"}, True), ({"burn_rate"}, True), ({"burn_rate.fast"}, True), ({"burn_rate.slow", "warning"}, False)],
)
def test_an_alert_goes_by_its_level_kind_or_type(levels: set[str], is_wanted: bool) -> None:
    assert replace(ALERT, kind="burn_rate", level="fast").is_one_of(frozenset(levels)) is is_wanted


@pytest.mark.parametrize(
    ("alert", "ends_at"),
    [
        pytest.param(ALERT, NOW + DAY / 2, id="with-its-window"),
        pytest.param(replace(ALERT, window_end=None), NOW + DAY / 2, id="when-a-rolling-window-has-rolled-on"),
        pytest.param(replace(ALERT, window_start=None, window_end=None), NOW + DAY, id="a-session-in-a-day"),
        pytest.param(replace(ALERT, kind="anomaly", window_end=NOW), NOW + DAY, id="of-yesterday-in-a-day"),
    ],
)
def test_an_alert_ends_when_it_is_armed_again(alert: Alert, ends_at: datetime) -> None:
    assert alert.ends_at == ends_at
