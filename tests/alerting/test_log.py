"""An alert in one line."""

from __future__ import annotations

from otel_llmcost.alerting.log import describe
from tests.alerting.makers import alert


def test_what_is_counted_is_said_in_its_own_unit():
    said = describe(alert(measure="tokens", spent_nano=7_500, limit_nano=10_000, requested_nano=600))

    assert said == (
        "budget 'support-daily' of user=u-7: warning, a call for about 600 tokens was refused, "
        "7,500 tokens of 10,000 tokens spent (75.0%), 15,000 tokens at this pace by 2026-11-23 00:00 UTC"
    )


def test_another_kind_of_alert_says_what_it_is():
    assert describe(alert(kind="burn_rate", level="fast")).startswith(
        "burn_rate 'support-daily' of user=u-7: fast, $7.51"
    )


def test_an_alert_that_has_a_text_says_just_that():
    assert describe(alert(kind="anomaly", level="anomaly", facts={"text": "it rains"})) == "anomaly: it rains"
