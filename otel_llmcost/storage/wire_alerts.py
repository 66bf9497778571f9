"""Alerts and their deliveries as JSON and back: what a store is asked with over a network, and answers with."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec import field

from otel_llmcost.core.alert import BUDGET, Alert, Channel, Delivery, DeliveryState, Fired, News, Quiet
from otel_llmcost.core.budget import BalanceKey, Measure
from otel_llmcost.core.exact_json import Scalar
from otel_llmcost.errors import WireError
from otel_llmcost.storage.wire_forms import Form


class AlertForm(Form):
    """A mark that was reached, or something else that somebody must know."""

    key: BalanceKey
    level: str
    at: datetime
    spent_nano: int
    limit_nano: int
    window_start: datetime | None = None
    window_end: datetime | None = None
    trace_id: str | None = None
    requested_nano: int | None = None
    kind: str = BUDGET
    measure: Measure = "cost"
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    """Texts, numbers, true, false and null only."""


class Alerts(Form):
    """Answers `Settle`: what it fired."""

    alerts: list[AlertForm]


class OneAlert(Form):
    """Asks for `Store.fire`."""

    alert: AlertForm


class DeliveryForm(Form):
    """News of an alert on its way to a channel."""

    delivery_id: str
    channel: str
    alert: AlertForm
    attempts: int
    state: DeliveryState
    next_attempt_at: datetime
    due_at: datetime
    problem: str | None = None
    news: News = "fired"
    group_id: str | None = None
    by: str | None = None


class OneDelivery(Form):
    """Asks for `Store.finish_delivery`."""

    delivery: DeliveryForm


class Deliveries(Form):
    """Answers which deliveries there are."""

    deliveries: list[DeliveryForm]


class FiredForm(Form):
    """An alert and what has become of it."""

    alert: AlertForm
    deliveries: list[DeliveryForm] = field(default_factory=list[DeliveryForm])
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    recovered_at: datetime | None = None


class FiredList(Form):
    """Answers which alerts there are."""

    alerts: list[FiredForm]


class ChannelForm(Form):
    """A channel's rules; where it is and its secret are nobody else's business."""

    name: str
    levels: frozenset[str]
    remind_every: timedelta | None = None
    escalate_to: str | None = None
    escalate_after: timedelta = timedelta(minutes=15)
    quiet: Quiet | None = None
    group: timedelta | None = None
    recoveries: bool = True


class ClaimDeliveries(Form):
    """Asks for `Store.claim_deliveries`."""

    channels: list[ChannelForm]
    now: datetime
    lease: timedelta
    most: int = 20


class ChannelNames(Form):
    """Asks for `Store.next_delivery_at`."""

    channels: list[str]


class Next(Form):
    """Answers `ChannelNames`."""

    at: datetime | None


class Most(Form):
    """Asks for no more than so many."""

    most: int = 100


class Acknowledge(Form):
    """Asks for `Store.acknowledge`."""

    alert_id: str
    by: str
    at: datetime


class Recover(Form):
    """Asks for `Store.recover`."""

    alert_id: str
    at: datetime


class Resend(Form):
    """Asks for `Store.resend`."""

    delivery_id: str
    now: datetime


class Done(Form):
    """Answers whether it was done, and not before or by another."""

    is_done: bool


def alert_form(alert: Alert) -> AlertForm:
    """Write down an alert."""
    return AlertForm(
        key=alert.key,
        level=alert.level,
        at=alert.at,
        spent_nano=alert.spent_nano,
        limit_nano=alert.limit_nano,
        window_start=alert.window_start,
        window_end=alert.window_end,
        trace_id=alert.trace_id,
        requested_nano=alert.requested_nano,
        kind=alert.kind,
        measure=alert.measure,
        facts=dict(alert.facts),
    )


def alert_of(form: AlertForm) -> Alert:
    """Read an alert.

    Raises:
        WireError: a fact is a list or an object.
    """
    if not all(isinstance(each, Scalar) for each in form.facts.values()):
        msg = "a fact is neither a text, a number, true, false nor null"
        raise WireError(msg)
    return Alert(
        key=form.key,
        level=form.level,
        at=form.at,
        spent_nano=form.spent_nano,
        limit_nano=form.limit_nano,
        window_start=form.window_start,
        window_end=form.window_end,
        trace_id=form.trace_id,
        requested_nano=form.requested_nano,
        kind=form.kind,
        measure=form.measure,
        facts=form.facts,
    )


def delivery_form(delivery: Delivery) -> DeliveryForm:
    """Write down a delivery."""
    return DeliveryForm(
        delivery_id=delivery.delivery_id,
        channel=delivery.channel,
        alert=alert_form(delivery.alert),
        attempts=delivery.attempts,
        state=delivery.state,
        next_attempt_at=delivery.next_attempt_at,
        due_at=delivery.due_at,
        problem=delivery.problem,
        news=delivery.news,
        group_id=delivery.group_id,
        by=delivery.by,
    )


def delivery_of(form: DeliveryForm) -> Delivery:
    """Read a delivery.

    Raises:
        WireError: its alert cannot be read.
    """
    return Delivery(
        delivery_id=form.delivery_id,
        channel=form.channel,
        alert=alert_of(form.alert),
        attempts=form.attempts,
        state=form.state,
        next_attempt_at=form.next_attempt_at,
        due_at=form.due_at,
        problem=form.problem,
        news=form.news,
        group_id=form.group_id,
        by=form.by,
    )


def fired_form(fired: Fired) -> FiredForm:
    """Write down what has become of an alert."""
    return FiredForm(
        alert=alert_form(fired.alert),
        deliveries=[delivery_form(each) for each in fired.deliveries],
        acknowledged_at=fired.acknowledged_at,
        acknowledged_by=fired.acknowledged_by,
        recovered_at=fired.recovered_at,
    )


def fired_of(form: FiredForm) -> Fired:
    """Read what has become of an alert.

    Raises:
        WireError: the alert cannot be read.
    """
    return Fired(
        alert=alert_of(form.alert),
        deliveries=tuple(delivery_of(each) for each in form.deliveries),
        acknowledged_at=form.acknowledged_at,
        acknowledged_by=form.acknowledged_by,
        recovered_at=form.recovered_at,
    )


def channel_form(channel: Channel) -> ChannelForm:
    """Write down a channel's rules."""
    return ChannelForm(
        name=channel.name,
        levels=channel.levels,
        remind_every=channel.remind_every,
        escalate_to=channel.escalate_to,
        escalate_after=channel.escalate_after,
        quiet=channel.quiet,
        group=channel.group,
        recoveries=channel.recoveries,
    )


def channel_of(form: ChannelForm) -> Channel:
    """Read a channel's rules; nothing can be sent to it from here."""
    return Channel(
        name=form.name,
        url="",
        secret=None,
        levels=form.levels,
        remind_every=form.remind_every,
        escalate_to=form.escalate_to,
        escalate_after=form.escalate_after,
        quiet=form.quiet,
        group=form.group,
        recoveries=form.recoveries,
    )
