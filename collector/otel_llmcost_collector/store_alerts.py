"""The endpoints of the budget API for alerts and their deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from otel_llmcost.core.alert import Alert, Delivery, Fired
from otel_llmcost.storage import wire_alerts as wire
from otel_llmcost.storage.wire_forms import Count, Form, Nothing, Now
from otel_llmcost_collector.store_desk import AGENTS, BOTH, OPERATORS, READERS, Desk, Route, another, duty_of
from otel_llmcost_collector.store_teams import names_another


def _fire(desk: Desk, asked: wire.OneAlert) -> Form:
    alert, team = wire.alert_of(asked.alert), desk.token.team
    if team is not None and _is_of_another(alert, team):
        raise another(team)
    return wire.Done(is_done=desk.store.fire(alert))


def _alerts(desk: Desk, asked: wire.Most) -> Form:
    return _listed(desk, desk.store.alerts(most=asked.most))


def _open_alerts(desk: Desk, asked: Now) -> Form:
    return _listed(desk, desk.store.open_alerts(desk.now(asked.now)))


def _acknowledge(desk: Desk, asked: wire.Acknowledge) -> Form:
    return wire.Done(is_done=desk.store.acknowledge(asked.alert_id, asked.by, asked.at))


def _recover(desk: Desk, asked: wire.Recover) -> Form:
    return wire.Done(is_done=desk.store.recover(asked.alert_id, asked.at))


def _claim(desk: Desk, asked: wire.ClaimDeliveries) -> Form:
    if desk.token.team is not None:  # an outbox is of all teams: whoever may act for all of them empties it
        return wire.Deliveries(deliveries=[])
    channels = [wire.channel_of(each) for each in asked.channels]
    lease = duty_of(asked.lease)
    return _given(desk.store.claim_deliveries(channels, desk.now(asked.now), lease=lease, most=asked.most))


def _finish(desk: Desk, asked: wire.OneDelivery) -> Form:
    if desk.token.team is not None:
        raise another(desk.token.team)
    desk.store.finish_delivery(wire.delivery_of(asked.delivery))
    return Nothing()


def _deliveries(desk: Desk, asked: wire.Most) -> Form:
    found, team = desk.store.deliveries(most=asked.most), desk.token.team
    return _given(each for each in found if team is None or not _is_of_another(each.alert, team))


def _pending(desk: Desk, _asked: None) -> Form:
    return Count(count=0 if desk.token.team is not None else desk.store.pending_deliveries())


def _next(desk: Desk, asked: wire.ChannelNames) -> Form:
    return wire.Next(at=None if desk.token.team is not None else desk.store.next_delivery_at(asked.channels))


def _resend(desk: Desk, asked: wire.Resend) -> Form:
    return wire.Done(is_done=desk.store.resend(asked.delivery_id, desk.now(asked.now)))


def _listed(desk: Desk, found: Iterable[Fired]) -> Form:
    team = desk.token.team
    own = (each for each in found if team is None or not _is_of_another(each.alert, team))
    return wire.FiredList(alerts=[wire.fired_form(each) for each in own])


def _given(found: Iterable[Delivery]) -> Form:
    return wire.Deliveries(deliveries=[wire.delivery_form(each) for each in found])


def _is_of_another(alert: Alert, team: str) -> bool:
    # Of a kind that is not a budget's, the name says what it is about.
    return names_another(alert.key.subject, team) or names_another(alert.key.budget, team)


ROUTES: Mapping[tuple[str, str], Route] = {
    ("POST", "/v1/alerts"): Route(rights=READERS, form=wire.Most, answers=wire.FiredList, run=_alerts, is_long=True),
    ("POST", "/v1/alerts/open"): Route(rights=BOTH, form=Now, answers=wire.FiredList, run=_open_alerts),
    ("POST", "/v1/alerts/fire"): Route(rights=AGENTS, form=wire.OneAlert, answers=wire.Done, run=_fire, changes=True),
    ("POST", "/v1/alerts/recover"): Route(
        rights=AGENTS, form=wire.Recover, answers=wire.Done, run=_recover, changes=True
    ),
    ("POST", "/v1/alerts/acknowledge"): Route(
        rights=OPERATORS, form=wire.Acknowledge, answers=wire.Done, run=_acknowledge, changes=True
    ),
    ("POST", "/v1/outbox/claim"): Route(
        rights=AGENTS, form=wire.ClaimDeliveries, answers=wire.Deliveries, run=_claim, changes=True
    ),
    ("POST", "/v1/outbox/finish"): Route(rights=AGENTS, form=wire.OneDelivery, answers=Nothing, run=_finish),
    ("POST", "/v1/outbox/list"): Route(
        rights=READERS, form=wire.Most, answers=wire.Deliveries, run=_deliveries, is_long=True
    ),
    ("GET", "/v1/outbox/pending"): Route(rights=BOTH, form=None, answers=Count, run=_pending),
    ("POST", "/v1/outbox/next"): Route(rights=AGENTS, form=wire.ChannelNames, answers=wire.Next, run=_next),
    ("POST", "/v1/outbox/resend"): Route(
        rights=OPERATORS, form=wire.Resend, answers=wire.Done, run=_resend, changes=True
    ),
}
