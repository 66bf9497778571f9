"""What goes over a network comes out as it went in, whatever of it is new to one side."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from otel_llmcost.core.acts import Act
from otel_llmcost.core.alert import Alert, Channel, Delivery, Fired
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.core.rates import Rate
from otel_llmcost.core.window import Calendar, Life, Rolling, Window
from otel_llmcost.errors import StoreError, WireError
from otel_llmcost.storage import wire, wire_alerts
from otel_llmcost.storage import wire_forms as forms
from otel_llmcost.storage.adopting import terms
from otel_llmcost.storage.memory import MemoryStore
from tests.storage.books import NOW, Books, budget


@pytest.mark.parametrize(
    ("kind", "form", "left_out"),
    [
        (Act, forms.ActForm, set()),
        (Alert, wire_alerts.AlertForm, set()),
        (Delivery, wire_alerts.DeliveryForm, set()),
        (Fired, wire_alerts.FiredForm, set()),
        (Channel, wire_alerts.ChannelForm, {"url", "secret"}),
    ],
)
def test_no_field_is_forgotten(kind: Any, form: type[msgspec.Struct], left_out: set[str]) -> None:
    assert {each.name for each in fields(kind)} - left_out == set(form.__struct_fields__)


@pytest.mark.parametrize(
    "window",
    [
        Calendar("month", ZoneInfo("Europe/Berlin")),
        Calendar("hour"),
        Rolling(timedelta(hours=24), "24h"),
        Life("session"),
    ],
    ids=str,
)
def test_a_budget_counts_the_same_on_the_other_side(window: Window) -> None:
    """Else its balances would begin anew with every agent that asks."""
    scope = Scope({"model": ("gpt-*", "o3"), "team": ("support",)})
    ours = budget(window=window, scope=scope, per=("user", "agent"), measure="tokens")

    theirs = wire.budget_of(wire.decode(wire.encode(wire.budget_form(ours)), forms.BudgetForm))

    assert terms(theirs) == terms(ours)
    assert (theirs.name, theirs.limit_nano, theirs.window) == (ours.name, ours.limit_nano, ours.window)


def test_what_is_no_character_is_spelled_out_wherever_it_stands() -> None:
    asked = forms.Renew(reservation_ids=["a", "b\udcff"], expires_at=NOW)

    assert wire.decode(wire.encode(asked), forms.Renew).reservation_ids == ["a", r"b\udcff"]
    assert wire.decode(wire.encode({"k\udcff": [1, None]}), dict) == {r"k\udcff": [1, None]}


def test_a_rate_does_not_go_over_the_network() -> None:
    """Its id does; the ledger keeps no more."""
    books = Books(MemoryStore())
    posting = books.posting(books.hold(1), 1, rate=Rate(rate_id="r", source="s", prices={}))

    sent = wire.sendable(posting)

    assert sent.charge is not None
    assert sent.charge.rate is None
    assert wire.sendable(sent) is sent


@pytest.mark.parametrize("fact", ["[1]", '{"a": 1}'])
def test_a_fact_is_one_value(fact: str) -> None:
    content = f'{{"key": ["a", "", 1], "level": "x", "at": "{NOW.isoformat()}", "spent_nano": 1, "limit_nano": 1, \
"facts": {{"x": {fact}}}}}'
    form = wire.decode(content.encode(), wire_alerts.AlertForm)

    with pytest.raises(WireError, match="a fact is neither"):
        wire_alerts.alert_of(form)


def test_facts_stay_exact() -> None:
    facts = {"z": Decimal("3.250000000000000000001"), "days": 7, "text": "x", "is_new": True, "none": None}
    key = BalanceKey("agent=a", "", 1)
    alert = Alert(
        key=key, level="x", at=NOW, spent_nano=1, limit_nano=2, window_start=None, window_end=None, facts=facts
    )

    form = wire.decode(wire.encode(wire_alerts.alert_form(alert)), wire_alerts.AlertForm)

    assert wire_alerts.alert_of(form) == alert


@pytest.mark.parametrize("content", [b"", b"[]", b'{"count": 1.5}', b'{"count": "\xff"}', b'{"more":' + b"[" * 9999])
def test_what_cannot_be_read_is_a_stores_error(content: bytes) -> None:
    with pytest.raises(StoreError):
        wire.decode(content, forms.Count)


def test_what_only_a_newer_side_knows_is_passed_over() -> None:
    assert wire.decode(b'{"count": 1, "since": {"version": [9]}}', forms.Count).count == 1
