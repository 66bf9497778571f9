"""The endpoints of the budget API for balances, ledger and acts, a row for each: who may ask what, and what is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.unconfirmed import unconfirmed
from otel_llmcost.storage import wire, wire_alerts
from otel_llmcost.storage import wire_forms as forms
from otel_llmcost_collector import store_teams as teams
from otel_llmcost_collector.store_desk import AGENTS, BOTH, OPERATORS, READERS, Desk, Route, another, duty_of

_MOST_CHARGES = 1000


def _reserve(desk: Desk, asked: forms.Reserve) -> forms.Form:
    team = desk.token.team
    if team is not None and len(teams.claims_of(asked.hold.claims, team)) != len(asked.hold.claims):
        raise another(team)
    return wire.reserved(desk.store.reserve(asked.hold, tell=asked.tell))


def _settle(desk: Desk, asked: forms.Settle) -> forms.Form:
    postings, team = asked.postings, desk.token.team
    if team is not None:
        postings = [teams.posting_of(posting, team) for posting in postings]
    return wire_alerts.Alerts(alerts=[wire_alerts.alert_form(alert) for alert in desk.store.settle(postings)])


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
    if desk.token.team is not None:  # a duty is done for all teams, by somebody who sees them all
        return forms.Leads(leads=False)
    now = desk.now(asked.now)
    until = now + duty_of(asked.until - asked.now)
    return forms.Leads(leads=desk.store.lead(asked.duty, asked.holder, now, until))


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


def _learned(desk: Desk, _asked: None) -> forms.Form:
    return forms.Learned(learned=desk.store.learned())


def _learn(desk: Desk, asked: forms.Learned) -> forms.Form:
    desk.store.learn(asked.learned)
    return forms.Nothing()


ROUTES: Mapping[tuple[str, str], Route] = {
    ("POST", "/v1/reserve"): Route(
        rights=AGENTS, form=forms.Reserve, answers=forms.Reserved, run=_reserve, changes=True
    ),
    ("POST", "/v1/settle"): Route(
        rights=AGENTS, form=forms.Settle, answers=wire_alerts.Alerts, run=_settle, changes=True
    ),
    ("POST", "/v1/renew"): Route(rights=AGENTS, form=forms.Renew, answers=forms.Nothing, run=_renew),
    ("POST", "/v1/expire"): Route(rights=AGENTS, form=forms.Now, answers=forms.Count, run=_expire, changes=True),
    ("GET", "/v1/open-reservations"): Route(rights=BOTH, form=None, answers=forms.Count, run=_open_reservations),
    ("POST", "/v1/balances"): Route(rights=BOTH, form=forms.Windows, answers=forms.Balances, run=_balances),
    ("POST", "/v1/reset"): Route(rights=OPERATORS, form=forms.Reset, answers=forms.Count, run=_reset, changes=True),
    ("POST", "/v1/adopt"): Route(rights=AGENTS, form=forms.Adopt, answers=forms.Adopted, run=_adopt, changes=True),
    ("POST", "/v1/act"): Route(rights=OPERATORS, form=forms.OneAct, answers=forms.Nothing, run=_act),
    ("POST", "/v1/acts"): Route(rights=READERS, form=forms.Between, answers=forms.Acts, run=_acts, is_long=True),
    ("POST", "/v1/acts/in-force"): Route(rights=BOTH, form=forms.Now, answers=forms.Acts, run=_acts_in_force),
    ("POST", "/v1/lead"): Route(rights=AGENTS, form=forms.Lead, answers=forms.Leads, run=_lead),
    ("POST", "/v1/totals"): Route(rights=BOTH, form=forms.Totals, answers=forms.TotalList, run=_totals, is_long=True),
    ("POST", "/v1/charges"): Route(
        rights=READERS, form=forms.Charges, answers=forms.ChargePage, run=_charges, is_long=True
    ),
    ("POST", "/v1/uncertain"): Route(rights=BOTH, form=forms.ResponseId, answers=forms.OneCharge, run=_uncertain),
    ("POST", "/v1/unconfirmed"): Route(
        rights=READERS, form=forms.Between, answers=forms.UnconfirmedList, run=_unconfirmed, is_long=True
    ),
    ("GET", "/v1/learned"): Route(rights=BOTH, form=None, answers=forms.Learned, run=_learned),
    ("POST", "/v1/learned"): Route(rights=AGENTS, form=forms.Learned, answers=forms.Nothing, run=_learn),
}
