"""What is to be told of an alert, to whom and when: every decision between firing and the last news of it.

Stores ask for these decisions inside the act that writes them down, so that one process of a fleet takes each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from otel_llmcost.core.alert import Alert, Channel, Delivery, Fired, News, Quiet
from otel_llmcost.core.budget import Balance, Mark
from otel_llmcost.core.window import zone

STALE = timedelta(days=7)
"""After so long without a process that knows its channel, a delivery is closed."""
STALE_PROBLEM = "for a week no process has had this channel in its settings"
SETTLED_PROBLEM = "the alert was acknowledged or has recovered before"

_FOLLOW_UPS: tuple[News, ...] = ("reminded", "escalated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A delivery that is to be made."""

    channel: str
    news: News
    due_at: datetime
    is_grouped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done now about one alert and one channel."""

    orders: tuple[Order, ...] = ()
    closes: tuple[str, ...] = ()
    """Ids of deliveries that are no use any more."""
    look_at: datetime | None = None
    """When there is something to be done again; None: not by the passing of time."""


def plan(fired: Fired, channel: Channel, now: datetime, *, is_overtaken: bool = False) -> Plan:
    """Decide what a channel that an alert is addressed to is to be told now, and when to decide again.

    Args:
        fired: the alert, with the deliveries to all channels.
        channel: one that wants it, or that it was escalated to.
        now: an instant.
        is_overtaken: a later alert of the same balance was told to the channel, so there is no more to say of this one.
    """
    ours = [each for each in fired.deliveries if each.channel == channel.name]
    if not ours:
        first = _order(channel, "fired", fired.alert, now)
        return Plan(orders=(first,), look_at=first.due_at if fired.is_settled else _next(channel, first.due_at))
    if fired.is_settled:
        return _end(fired, ours, channel, now, is_overtaken=is_overtaken)
    if is_overtaken or now >= fired.alert.ends_at:
        return Plan()
    return _merged((_escalation(fired, ours, channel, now), _reminder(fired, ours, channel, now)))


def has_recovered(alert: Alert, marks: Sequence[Mark], balance: Balance) -> bool:
    """Tell whether the cause of a budget's alert is gone within its window.

    Args:
        alert: as it was fired.
        marks: of its budget now; a level that is not among them has no cause to be judged by.
        balance: as it is now, with its limit of now.
    """
    limit_nano, spent_nano = balance.limit_nano, balance.spent_nano
    if alert.requested_nano is not None:
        # A refusal fires its mark below it. What is held by calls under way comes and goes: only more room than there
        # was by what is spent, and enough for the call that was refused, ends it.
        room_nano = limit_nano - spent_nano
        return room_nano > alert.limit_nano - alert.spent_nano and room_nano >= alert.requested_nano
    return any(mark.level == alert.level and spent_nano < int(mark.share * limit_nano) for mark in marks)


def is_rearmed_by_recovery(alert: Alert) -> bool:
    """Tell whether an alert that recovered may be fired again in its window.

    A rolling window lets go of what was spent all the time: at its mark there would be no end of alerts.
    """
    return alert.window_start is None or alert.window_end is not None


def due_at(channel: Channel, alert: Alert, now: datetime) -> datetime:
    """Say when news of an alert may go out to a channel: once its group is complete, and outside quiet hours."""
    complete_at = now + (channel.group or timedelta(0))
    return quiet_until(channel, alert, complete_at) or complete_at


def group_for(due: datetime, open_groups: Mapping[str, datetime]) -> str | None:
    """Choose the group that news joins: the first to go out of those that go out no later than the news itself may.

    Args:
        due: when the news may go out.
        open_groups: id → when it goes out; none that is out already.
    """
    early = [(at, group_id) for group_id, at in open_groups.items() if at <= due]
    return min(early)[1] if early else None


def held_until(channel: Channel, message: Iterable[Delivery], now: datetime) -> datetime | None:
    """Say until when quiet hours hold a message back; None: it may go out.

    Args:
        channel: where to.
        message: all that goes out as one; what is let through takes the rest along.
        now: an instant.
    """
    untils = [quiet_until(channel, each.alert, now) for each in message]
    known = [until for until in untils if until is not None]
    return max(known) if known and len(known) == len(untils) else None


def quiet_until(channel: Channel, alert: Alert, now: datetime) -> datetime | None:
    """Say when the quiet hours that hold an alert back are over; None: nothing holds it back."""
    quiet = channel.quiet
    if quiet is None or alert.is_one_of(quiet.except_for):
        return None
    local = now.astimezone(zone(quiet.timezone))
    is_over_night = quiet.ends < quiet.starts
    has_begun, has_ended = local.time() >= quiet.starts, local.time() >= quiet.ends
    if (has_ended and not has_begun) if is_over_night else (has_ended or not has_begun):
        return None
    return _end_of(quiet, local, is_tomorrow=is_over_night and has_begun)


def _end_of(quiet: Quiet, local: datetime, *, is_tomorrow: bool) -> datetime:
    """Find the end of quiet hours; where clocks are set it may exist twice or not at all: then the later of both."""
    day = local.date() + timedelta(days=is_tomorrow)
    ends = datetime.combine(day, quiet.ends, local.tzinfo)
    return max(ends.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def _order(channel: Channel, news: News, alert: Alert, now: datetime) -> Order:
    is_grouped = channel.group is not None
    return Order(channel=channel.name, news=news, due_at=due_at(channel, alert, now), is_grouped=is_grouped)


def _next(channel: Channel, told_at: datetime) -> datetime | None:
    """Say when the first reminder or escalation of what was told may be due."""
    pauses = [channel.remind_every, channel.escalate_after if channel.escalate_to is not None else None]
    known = [told_at + pause for pause in pauses if pause is not None]
    return min(known, default=None)


def _end(fired: Fired, ours: Sequence[Delivery], channel: Channel, now: datetime, *, is_overtaken: bool) -> Plan:
    """Take back reminders that have become superfluous, and tell how it ended."""
    closes = tuple(each.delivery_id for each in ours if each.state == "pending" and each.news in _FOLLOW_UPS)
    was_told = any(each.state != "closed" and each.delivery_id not in closes for each in ours)
    news: News = "acknowledged" if fired.recovered_at is None else "recovered"
    if is_overtaken or not was_told or not channel.recoveries or any(each.news == news for each in ours):
        return Plan(closes=closes)
    return Plan(closes=closes, orders=(_order(channel, news, fired.alert, now),))


def _escalation(fired: Fired, ours: Sequence[Delivery], channel: Channel, now: datetime) -> Plan:
    target = channel.escalate_to
    if target is None or any(each.channel == target and each.news == "escalated" for each in fired.deliveries):
        return Plan()
    at = ours[0].due_at + channel.escalate_after
    return Plan(look_at=at) if now < at else Plan(orders=(Order(channel=target, news="escalated", due_at=now),))


def _reminder(fired: Fired, ours: Sequence[Delivery], channel: Channel, now: datetime) -> Plan:
    if channel.remind_every is None:
        return Plan()
    last = ours[-1]
    if last.state == "pending":
        return Plan(look_at=max(now, last.due_at) + channel.remind_every)
    at = last.next_attempt_at + channel.remind_every
    until = quiet_until(channel, fired.alert, max(at, now))
    if until is not None or now < at:
        return Plan(look_at=until or at)
    order = _order(channel, "reminded", fired.alert, now)
    return Plan(orders=(order,), look_at=order.due_at + channel.remind_every)


def _merged(plans: Sequence[Plan]) -> Plan:
    looks = [each.look_at for each in plans if each.look_at is not None]
    return Plan(orders=tuple(order for each in plans for order in each.orders), look_at=min(looks, default=None))
