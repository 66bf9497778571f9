"""The endpoints of the budget API, a row for each: what is asked in which form, who may, and what the store does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import islice
from typing import Any

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.unconfirmed import unconfirmed
from otel_llmcost.storage import wire
from otel_llmcost.storage import wire_forms as forms
from otel_llmcost.storage.base import Store
from otel_llmcost_collector import store_teams as teams
from otel_llmcost_collector.asgi import ProblemError
from otel_llmcost_collector.tokens import Right, Token

_AGENTS: frozenset[Right] = frozenset({"agent", "operator"})
_READERS: frozenset[Right] = frozenset({"reader", "operator"})
_BOTH: frozenset[Right] = _AGENTS | _READERS
_OPERATORS: frozenset[Right] = frozenset({"operator"})
_MOST_CHARGES = 1000
_LONGEST_DUTY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where an act is done, and for whom."""

    store: Store
    token: Token
    clock: Callable[[], datetime] | None
    """None: whoever asks is believed what time it is."""

    def now(self, said: datetime) -> datetime:
        """Return the time by the server's clock, so that one agent whose clock is wrong harms no other."""
        return said if self.clock is None else self.clock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint."""

    rights: frozenset[Right]
    """One of them is needed."""
    form: type[forms.Form] | None
    """Of the body; None: there is none, and it is asked with GET."""
    run: Callable[[Desk, Any], forms.Form]
    changes: bool = False
    """It is done once only, however often it is asked under one key."""


def _reserve(desk: Desk, asked: forms.Reserve) -> forms.Form:
    team = desk.token.team
    if team is not None and len(teams.claims_of(asked.hold.claims, team)) != len(asked.hold.claims):
        raise _another(team)
    return wire.reserved(desk.store.reserve(asked.hold, tell=asked.tell))


def _settle(desk: Desk, asked: forms.Settle) -> forms.Form:
    postings, team = asked.postings, desk.token.team
    if team is not None:
        postings = [teams.posting_of(posting, team) for posting in postings]
    return forms.Alerts(alerts=[wire.alert_form(alert) for alert in desk.store.settle(postings)])


def _renew(desk: Desk, asked: forms.Renew) -> forms.Form:
    desk.store.renew(asked.reservation_ids, asked.expires_at)
    return forms.Nothing()


def _expire(desk: Desk, asked: forms.Now) -> forms.Form:
    return forms.Count(count=desk.store.expire(desk.now(asked.now)))


def _balances(desk: Desk, asked: forms.Windows) -> forms.Form:
    windows = [(wire.budget_of(each.budget), each.window) for each in asked.budgets]
    found = desk.store.balances(windows, most=asked.most)
    return forms.Balances(balances=found if desk.token.team is None else teams.balances_of(found, desk.token.team))


def _reset(desk: Desk, asked: forms.Reset) -> forms.Form:
    return forms.Count(count=desk.store.reset(asked.budget, asked.subject))


def _adopt(desk: Desk, asked: forms.Adopt) -> forms.Form:
    budgets, team = [wire.budget_of(each) for each in asked.budgets], desk.token.team
    if team is not None:  # what others count is not this team's to count anew
        budgets = [budget for budget in budgets if teams.is_scoped_to(budget, team)]
    return forms.Adopted(adopted=desk.store.adopt(budgets, desk.now(asked.now), again=asked.again))


def _act(desk: Desk, asked: forms.OneAct) -> forms.Form:
    desk.store.act(wire.act_of(asked.act))
    return forms.Nothing()


def _acts(desk: Desk, asked: forms.Between) -> forms.Form:
    return forms.Acts(acts=[wire.act_form(act) for act in desk.store.acts(asked.since, asked.until)])


def _acts_in_force(desk: Desk, asked: forms.Now) -> forms.Form:
    return forms.Acts(acts=[wire.act_form(act) for act in desk.store.acts_in_force(desk.now(asked.now))])


def _lead(desk: Desk, asked: forms.Lead) -> forms.Form:
    now, length = desk.now(asked.now), min(asked.until - asked.now, _LONGEST_DUTY)
    return forms.Leads(leads=desk.store.lead(asked.duty, asked.holder, now, now + length))


def _totals(desk: Desk, asked: forms.Totals) -> forms.Form:
    team = desk.token.team
    if team is None:
        return forms.TotalList(totals=desk.store.totals(asked.by, asked.since, asked.until))
    found = desk.store.totals(teams.with_team(asked.by), asked.since, asked.until)
    return forms.TotalList(totals=teams.totals_of(found, team))


def _charges(desk: Desk, asked: forms.Charges) -> forms.Form:
    most = min(max(asked.most, 1), _MOST_CHARGES)
    found = list(islice(_behind(_own_charges(desk, asked), asked.after), most + 1))
    page = [replace(charge, rate=None) for charge in found[:most]]
    after = forms.Place(at=page[-1].at, charge_id=page[-1].charge_id) if len(found) > most else None
    return forms.ChargePage(charges=page, after=after)


def _own_charges(desk: Desk, asked: forms.Charges) -> Iterator[Charge]:
    since = asked.since if asked.after is None else max(asked.since, asked.after.at)
    for charge in desk.store.charges(since, asked.until):
        if desk.token.team is None or teams.is_of(charge, desk.token.team):
            yield charge


def _behind(charges: Iterable[Charge], after: forms.Place | None) -> Iterator[Charge]:
    for charge in charges:
        if after is None or (charge.at, charge.charge_id) > (after.at, after.charge_id):
            yield charge


def _uncertain(desk: Desk, asked: forms.ResponseId) -> forms.Form:
    found, team = desk.store.uncertain(asked.response_id), desk.token.team
    return forms.OneCharge(charge=found if team is None or teams.is_of(found, team) else None)


def _unconfirmed(desk: Desk, asked: forms.Between) -> forms.Form:
    team = desk.token.team
    if team is None:
        return forms.UnconfirmedList(unconfirmed=desk.store.unconfirmed(asked.since, asked.until))
    own = (charge for charge in desk.store.charges(asked.since, asked.until) if teams.is_of(charge, team))
    return forms.UnconfirmedList(unconfirmed=unconfirmed(own))


def _open_reservations(desk: Desk, _asked: None) -> forms.Form:
    return forms.Count(count=desk.store.open_reservations())


def _fire(desk: Desk, asked: forms.Fire) -> forms.Form:
    alert, team = wire.alert_of(asked.alert), desk.token.team
    if team is not None and teams.names_another(alert.key.subject, team):
        raise _another(team)
    return forms.Fired(is_new=desk.store.fire(alert))


def _claim_deliveries(desk: Desk, asked: forms.ClaimDeliveries) -> forms.Form:
    if desk.token.team is not None:  # an alert tells of all teams: whoever may act for all of them tells it
        return forms.Deliveries(deliveries=[])
    channels = {name: frozenset(levels) for name, levels in asked.channels.items()}
    lease = timedelta(seconds=min(asked.lease_seconds, _LONGEST_DUTY.total_seconds()))
    found = desk.store.claim_deliveries(channels, desk.now(asked.now), lease=lease, most=asked.most)
    return forms.Deliveries(deliveries=[wire.delivery_form(each) for each in found])


def _finish_delivery(desk: Desk, asked: forms.OneDelivery) -> forms.Form:
    if desk.token.team is not None:
        raise _another(desk.token.team)
    desk.store.finish_delivery(wire.delivery_of(asked.delivery))
    return forms.Nothing()


def _deliveries(desk: Desk, asked: forms.Most) -> forms.Form:
    return forms.Deliveries(deliveries=[wire.delivery_form(each) for each in desk.store.deliveries(most=asked.most)])


def _pending_deliveries(desk: Desk, _asked: None) -> forms.Form:
    return forms.Count(count=desk.store.pending_deliveries())


def _another(team: str) -> ProblemError:
    return ProblemError(HTTPStatus.FORBIDDEN, f"this token is for team {team}, and this is another's")


def _learned(desk: Desk, _asked: None) -> forms.Form:
    return forms.Learned(learned=desk.store.learned())


def _learn(desk: Desk, asked: forms.Learned) -> forms.Form:
    desk.store.learn(asked.learned)
    return forms.Nothing()


ROUTES: Mapping[tuple[str, str], Route] = {
    ("POST", "/v1/reserve"): Route(rights=_AGENTS, form=forms.Reserve, run=_reserve, changes=True),
    ("POST", "/v1/settle"): Route(rights=_AGENTS, form=forms.Settle, run=_settle, changes=True),
    ("POST", "/v1/renew"): Route(rights=_AGENTS, form=forms.Renew, run=_renew),
    ("POST", "/v1/expire"): Route(rights=_AGENTS, form=forms.Now, run=_expire, changes=True),
    ("POST", "/v1/balances"): Route(rights=_BOTH, form=forms.Windows, run=_balances),
    ("POST", "/v1/reset"): Route(rights=_OPERATORS, form=forms.Reset, run=_reset, changes=True),
    ("POST", "/v1/adopt"): Route(rights=_AGENTS, form=forms.Adopt, run=_adopt, changes=True),
    ("POST", "/v1/act"): Route(rights=_OPERATORS, form=forms.OneAct, run=_act),
    ("POST", "/v1/acts"): Route(rights=_READERS, form=forms.Between, run=_acts),
    ("POST", "/v1/acts/in-force"): Route(rights=_BOTH, form=forms.Now, run=_acts_in_force),
    ("POST", "/v1/lead"): Route(rights=_AGENTS, form=forms.Lead, run=_lead),
    ("POST", "/v1/totals"): Route(rights=_READERS, form=forms.Totals, run=_totals),
    ("POST", "/v1/charges"): Route(rights=_READERS, form=forms.Charges, run=_charges),
    ("POST", "/v1/uncertain"): Route(rights=_BOTH, form=forms.ResponseId, run=_uncertain),
    ("POST", "/v1/unconfirmed"): Route(rights=_READERS, form=forms.Between, run=_unconfirmed),
    ("GET", "/v1/open-reservations"): Route(rights=_BOTH, form=None, run=_open_reservations),
    ("POST", "/v1/fire"): Route(rights=_AGENTS, form=forms.Fire, run=_fire, changes=True),
    ("POST", "/v1/outbox/claim"): Route(
        rights=_AGENTS, form=forms.ClaimDeliveries, run=_claim_deliveries, changes=True
    ),
    ("POST", "/v1/outbox/finish"): Route(rights=_AGENTS, form=forms.OneDelivery, run=_finish_delivery),
    ("POST", "/v1/outbox/list"): Route(rights=_READERS, form=forms.Most, run=_deliveries),
    ("GET", "/v1/outbox/pending"): Route(rights=_BOTH, form=None, run=_pending_deliveries),
    ("GET", "/v1/learned"): Route(rights=_BOTH, form=None, run=_learned),
    ("POST", "/v1/learned"): Route(rights=_AGENTS, form=forms.Learned, run=_learn),
}
METHODS: Mapping[str, str] = {path: ", ".join(sorted(m for m, p in ROUTES if p == path)) for _, path in ROUTES}
"""Path → the methods it knows, as the header `Allow` lists them."""
