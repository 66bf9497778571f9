from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from otel_llmcost.alerting.top import AgentCost
from otel_llmcost.alerting.webhook import body, notice, problem_of, sign, verify
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.core.money import from_nano
from otel_llmcost.errors import ConfigError, WebhookError
from tests.alerting.makers import ALERT, NOON, SECRET, alert, channel

OTHER_SECRET = "whsec_" + b64encode(b"another secret for tests").decode()
ID = "0f8c"
BODY = b'{"type":"budget.warning"}'


def read(message: bytes) -> dict:
    return json.loads(message, parse_float=Decimal)


def test_body_says_all_that_a_receiver_needs():
    top = (AgentCost("researcher", 5_000_000_000), AgentCost(None, 2_512_300_000))

    assert read(body(ALERT, top)) == {
        "type": "budget.warning",
        "timestamp": "2026-11-22T12:00:00Z",
        "data": {
            "alert_id": ALERT.alert_id,
            "state": "fired",
            "budget": "support-daily",
            "scope": "user=u-7",
            "window": {"start": "2026-11-22T00:00:00Z", "end": "2026-11-23T00:00:00Z"},
            "level": "warning",
            "share": Decimal("0.75123"),
            "spent_usd": Decimal("7.5123"),
            "limit_usd": 10,
            "remaining_usd": Decimal("2.4877"),
            "projected_usd": Decimal("15.0246"),
            "top": [{"agent": "researcher", "cost_usd": 5}, {"agent": None, "cost_usd": Decimal("2.5123")}],
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        },
    }


def test_body_of_a_refusal_says_what_was_asked_for():
    data = read(body(alert(level="exceeded", requested_nano=2_600_000_000)))["data"]

    assert (data["refused"], data["requested_usd"]) == (True, Decimal("2.6"))


def test_body_of_a_window_without_end_projects_what_was_spent():
    data = read(body(alert(window_start=None, window_end=None)))["data"]

    assert data["window"] == {"start": None, "end": None}
    assert data["projected_usd"] == data["spent_usd"]


def test_body_of_a_budget_of_nothing_is_spent_whole():
    data = read(body(alert(limit_nano=0, spent_nano=1)))["data"]

    assert (data["share"], data["remaining_usd"]) == (1, 0)


def test_body_of_what_is_counted_names_no_usd():
    data = read(body(alert(measure="tokens", spent_nano=7_500, limit_nano=10_000, requested_nano=2_600)))["data"]

    assert not [name for name in data if name.endswith("_usd")]
    assert (data["measure"], data["spent"], data["limit"], data["remaining"]) == ("tokens", 7_500, 10_000, 2_500)
    assert (data["projected"], data["requested"], data["share"]) == (15_000, 2_600, Decimal("0.75"))


def test_body_of_another_kind_says_its_facts():
    message = read(body(alert(kind="burn_rate", level="fast", facts={"factor": Decimal("14.4"), "text": "soon gone"})))

    assert message["type"] == "burn_rate.fast"
    assert message["data"]["facts"] == {"factor": Decimal("14.4"), "text": "soon gone"}


@given(st.integers(0, 10**20))
def test_amounts_are_numbers_with_all_their_digits(nano: int):
    """A float would lose digits: 12345678.123456789 has 17."""
    assert read(body(alert(spent_nano=nano)))["data"]["spent_usd"] == from_nano(nano)


@given(st.text(), st.text())
def test_any_name_makes_json_that_reads_back(budget: str, subject: str):
    data = read(body(alert(key=BalanceKey(budget, subject, 0))))["data"]

    assert (data["budget"], data["scope"]) == (budget, subject)


def test_notice_carries_its_text():
    assert read(notice("store.failed", NOON, "no space left")) == {
        "type": "store.failed",
        "timestamp": "2026-11-22T12:00:00Z",
        "data": {"message": "no space left"},
    }


@pytest.mark.parametrize("secret", [pytest.param(SECRET, id="padded"), pytest.param(SECRET.rstrip("="), id="unpadded")])
def test_an_independent_implementation_accepts_our_signature(secret: str):
    headers = sign(secret, ID, datetime.now(UTC), BODY)

    assert Webhook(SECRET).verify(BODY, headers) == {"type": "budget.warning"}


def test_a_plain_text_secret_is_its_bytes():
    headers = sign("correct-horse", ID, datetime.now(UTC), BODY)

    assert Webhook(b"correct-horse").verify(BODY, headers) == {"type": "budget.warning"}


def test_we_accept_the_signature_of_an_independent_implementation():
    signature = Webhook(SECRET).sign(ID, NOON, BODY.decode())
    headers = {"Webhook-Id": ID, "Webhook-Timestamp": str(int(NOON.timestamp())), "Webhook-Signature": signature}

    assert verify(SECRET, headers, BODY, now=NOON) == {"type": "budget.warning"}


@pytest.mark.parametrize("known", [SECRET, OTHER_SECRET])
def test_two_secrets_satisfy_receivers_of_either(known: str):
    headers = sign(f"{OTHER_SECRET} {SECRET}", ID, datetime.now(UTC), BODY)

    assert Webhook(known).verify(BODY, headers)
    assert verify(known, headers, BODY)


def test_a_receiver_may_hold_two_secrets():
    assert verify(f"{OTHER_SECRET} {SECRET}", sign(SECRET, ID, NOON, BODY), BODY, now=NOON)


def test_an_independent_implementation_refuses_another_secret():
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER_SECRET).verify(BODY, sign(SECRET, ID, datetime.now(UTC), BODY))


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        pytest.param({"webhook-id": "other"}, timedelta(0), id="another id"),
        pytest.param({"webhook-timestamp": str(int(NOON.timestamp()) + 1)}, timedelta(0), id="another time"),
        pytest.param({"webhook-signature": "v1,AAAA"}, timedelta(0), id="another signature"),
        pytest.param({"webhook-signature": "v1,\N{EURO SIGN}\udcff"}, timedelta(0), id="no signature at all"),
        pytest.param({"webhook-signature": ""}, timedelta(0), id="no signature"),
        pytest.param({"webhook-id": ""}, timedelta(0), id="no id"),
        pytest.param({"webhook-timestamp": "soon"}, timedelta(0), id="no time"),
        pytest.param({"webhook-timestamp": "9" * 5000}, timedelta(0), id="a time too long to read"),
        pytest.param({}, timedelta(seconds=301), id="too old"),
        pytest.param({}, timedelta(seconds=-301), id="too new"),
    ],
)
def test_verify_refuses(changes: dict[str, str], after: timedelta):
    with pytest.raises(WebhookError):
        verify(SECRET, sign(SECRET, ID, NOON, BODY) | changes, BODY, now=NOON + after)


def test_verify_refuses_a_changed_body():
    with pytest.raises(WebhookError, match="no signature of it fits"):
        verify(SECRET, sign(SECRET, ID, NOON, BODY), BODY + b" ", now=NOON)


@pytest.mark.parametrize("message", [b"[]", b"spent 3 $", b"\xff"])
def test_verify_refuses_what_is_not_a_json_object(message: bytes):
    with pytest.raises(WebhookError, match="not a JSON object"):
        verify(SECRET, sign(SECRET, ID, NOON, message), message, now=NOON)


def test_verify_reads_amounts_exactly():
    message = body(alert(spent_nano=12_345_678_123_456_789))

    got = verify(SECRET, sign(SECRET, ID, NOON, message), message, now=NOON)

    assert got["data"]["spent_usd"] == Decimal("12345678.123456789")


def test_without_a_secret_nothing_is_signed():
    assert sign(None, ID, NOON, BODY) == {"webhook-id": ID, "webhook-timestamp": str(int(NOON.timestamp()))}


@pytest.mark.parametrize("secret", ["", "  ", "whsec_", "whsec_n0t*base64", f"{SECRET} whsec_n0t*base64"])
def test_a_secret_that_cannot_sign_is_an_error_that_does_not_show_it(secret: str):
    with pytest.raises(ConfigError) as caught:
        sign(secret, ID, NOON, BODY)

    assert "n0t" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("hooks.example.com/s3cret", id="no scheme"),
        pytest.param("https:///s3cret", id="no host"),
        pytest.param("https://host:0/s3cret", id="port 0"),
        pytest.param("https://host:99999/s3cret", id="no such port"),
        pytest.param("https://[::1/s3cret", id="half a bracket"),
        pytest.param("https://a..b/s3cret", id="no host name"),
        pytest.param("https://host/s3cret path", id="a space"),
        pytest.param("https://host/s3cr\N{LATIN SMALL LETTER E WITH ACUTE}t", id="not ASCII"),
        pytest.param("https://host/s3cret\r\nx: y", id="a line break"),
    ],
)
def test_a_url_that_nothing_can_be_posted_to_has_a_problem_that_does_not_show_it(url: str):
    problem = problem_of(channel(url))

    assert problem
    assert "s3cret" not in problem
    assert "token" not in problem


@pytest.mark.parametrize("secret", ["", "whsec_n0t*base64"])
def test_a_secret_that_cannot_sign_is_a_problem_of_the_channel(secret: str):
    problem = problem_of(channel("https://host/", secret=secret))

    assert problem
    assert "n0t" not in problem


@pytest.mark.parametrize("url", ["https://hooks.example.com/x?y=z", "http://[::1]:8080", "https://u:p@host/"])
def test_a_url_that_can_be_posted_to_has_no_problem(url: str):
    assert problem_of(channel(url)) is None


def test_a_channel_does_not_show_its_secrets():
    shown = repr(channel("https://user:hidden@host/hidden", secret="hidden"))

    assert "hidden" not in shown
