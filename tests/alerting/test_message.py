"""What goes out: JSON for programs, words for people, alone or as a group."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from otel_llmcost.alerting.message import message_of, message_of_notice
from otel_llmcost.alerting.schedule import Notice
from otel_llmcost.alerting.top import AgentCost
from otel_llmcost.core.alert import News
from tests.alerting.makers import NOON, alert, delivery

TOP = (AgentCost("researcher", 6_412_300_000), AgentCost(None, 1_100_000_000))


def nobody(_alert: object) -> tuple[AgentCost, ...]:
    return ()


def read(message: bytes) -> dict[str, Any]:
    return json.loads(message, parse_float=Decimal)


def test_people_are_told_what_why_and_what_to_do():
    message = message_of([delivery()], lambda _: TOP)

    assert message.title == "budget support-daily of user=u-7: warning"
    assert message.text.splitlines() == [
        (
            "budget 'support-daily' of user=u-7: warning, $7.51 of $10.00 spent (75.1%), "
            "$15.02 at this pace by 2026-11-23 00:00 UTC"
        ),
        "Most of it: researcher $6.41, calls without an agent $1.10.",
        f"Fired 2026-11-22 12:00 UTC; to acknowledge: otel-llmcost alerts ack {delivery().alert.alert_id}",
    ]


@pytest.mark.parametrize(
    ("news", "by", "begins"),
    [
        ("reminded", None, "still open: budget"),
        ("escalated", None, "not acknowledged yet: budget"),
        ("acknowledged", "eva", "acknowledged by eva: budget"),
        ("recovered", None, "recovered: budget"),
    ],
)
def test_all_news_of_an_alert_says_what_it_is_under_one_title(news: News, by: str | None, begins: str):
    """Receivers put together what has one title: an incident and its end."""
    message = message_of([delivery(news=news, by=by)], nobody)
    data = read(message.body)["data"]

    assert message.title == message_of([delivery()], nobody).title
    assert message.text.startswith(begins)
    assert (data["state"], data.get("acknowledged_by")) == (news, by)


@pytest.mark.parametrize(
    ("changes", "news", "tone"),
    [
        ({}, "fired", "warning"),
        ({"level": "exceeded"}, "reminded", "failure"),
        ({"level": "", "kind": "stop"}, "fired", "failure"),
        ({"level": "", "kind": "resume"}, "fired", "success"),
        ({"level": "exceeded"}, "acknowledged", "info"),
        ({"level": "exceeded"}, "recovered", "success"),
    ],
)
def test_the_tone_is_that_of_the_news(changes: dict[str, Any], news: News, tone: str):
    assert message_of([delivery(news=news, alert=alert(**changes))], nobody).tone == tone


def test_a_group_is_one_message_with_each_as_it_would_be_alone():
    each = [delivery(group_id="msg_g"), delivery("d-2", group_id="msg_g", alert=alert(level="exceeded"))]

    message = message_of(each, nobody)

    assert (message.message_id, message.title, message.tone) == ("msg_g", "2 alerts", "failure")
    assert read(message.body) == {
        "type": "alerts",
        "timestamp": "2026-11-22T12:00:00Z",
        "data": {"alerts": [read(message_of([one], nobody).body) for one in each]},
    }
    assert message.text == "\n\n".join(message_of([one], nobody).text for one in each)


@pytest.mark.parametrize(
    ("budget", "kind", "level", "title"),
    [
        ("anomaly:user", "anomaly", "anomaly", "anomaly: user=u-7"),
        ("support-daily", "burn_rate", "fast", "burn_rate.fast support-daily of user=u-7"),
        ("budget-daily", "budget", "warning", "budget budget-daily of user=u-7: warning"),
    ],
)
def test_another_kind_is_named_by_what_it_is(budget: str, kind: str, level: str, title: str):
    key = alert().key._replace(budget=budget)

    assert message_of([delivery(alert=alert(key=key, kind=kind, level=level))], nobody).title == title


def test_an_alert_that_has_words_of_its_own_is_told_in_them():
    said = alert(kind="anomaly", level="anomaly", facts={"text": "agent=writer cost $250.00 on 2026-11-21"})

    message = message_of([delivery(alert=said)], nobody)

    assert message.text.startswith("anomaly: agent=writer cost $250.00 on 2026-11-21\n")


def test_a_budget_without_subjects_has_a_plain_title():
    said = alert(key=alert().key._replace(subject=""))

    assert message_of([delivery(alert=said)], nobody).title == "budget support-daily: warning"


def test_a_name_with_a_line_break_makes_no_line_of_its_own():
    """Names of users are the users' own: no line of a log, no header of an e-mail is theirs to write."""
    said = alert(key=alert().key._replace(subject="user=eva\r\nBcc: all@example.com"))

    message = message_of([delivery(alert=said)], lambda _: (AgentCost("a\nb", 1),))

    assert message.title == "budget support-daily of user=eva  Bcc: all@example.com: warning"
    assert len(message.text.splitlines()) == 3


def test_a_notice_is_a_message_too():
    notice = Notice(
        delivery_id="n-1", channel="ops", kind="store.failed", text="disk full", at=NOON, next_attempt_at=NOON
    )

    message = message_of_notice(notice)

    assert (message.message_id, message.title, message.text) == ("n-1", "otel-llmcost: store.failed", "disk full")
    assert read(message.body)["type"] == "store.failed"
