"""The JSON objects that a store is asked with over a network, and answers with.

A field that is new has a default, and one that is unknown is passed over, so that agents and servers need not be of
one version.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from otel_llmcost.core.acts import ActKind
from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.budget import Balance, BalanceKey, Claim, Measure
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.core.window import Span
from otel_llmcost.storage.base import GroupBy, Hold, Posting, Total

Patterns = dict[Dimension, tuple[str, ...]]


class Form(msgspec.Struct, kw_only=True):
    """One JSON object."""


class Nothing(Form):
    """`{}`."""


class Reserve(Form):
    """Asks for `Store.reserve`."""

    hold: Hold
    tell: bool = True


class Reserved(Form):
    """Answers `Reserve`."""

    is_taken: bool
    watched: list[tuple[BalanceKey, int]] = []
    """Balance → what was spent on it, of the claims that are watched."""
    claim: Claim | None = None
    """Of a refusal: the claim that did not fit."""
    held_nano: int = 0
    spent_nano: int = 0
    told: tuple[str, ...] = ()
    room_us: int | None = None


class Settle(Form):
    """Asks for `Store.settle`."""

    postings: list[Posting]


class Renew(Form):
    """Asks for `Store.renew`."""

    reservation_ids: list[str]
    expires_at: datetime


class Now(Form):
    """Asks for what only needs the time."""

    now: datetime


class Between(Form):
    """Asks for what happened in a time."""

    since: datetime
    until: datetime


class Count(Form):
    """Answers with how many."""

    count: int


class BudgetForm(Form):
    """A budget as far as its balances hang on it."""

    name: str
    limit: Decimal
    window: str
    timezone: str = "UTC"
    scope: Patterns = {}
    per: tuple[Dimension, ...] = ()
    measure: Measure = "cost"


class Windowed(Form):
    """A budget and which of its windows."""

    budget: BudgetForm
    window: Span


class Windows(Form):
    """Asks for `Store.balances`."""

    budgets: list[Windowed]
    most: int = 1000


class Balances(Form):
    """Answers `Windows`."""

    balances: list[Balance]


class Reset(Form):
    """Asks for `Store.reset`."""

    budget: str
    subject: str | None = None


class Adopt(Form):
    """Asks for `Store.adopt`."""

    budgets: list[BudgetForm]
    now: datetime
    again: bool = False


class Adopted(Form):
    """Answers `Adopt`."""

    adopted: list[str]


class ActForm(Form):
    """What a person decided."""

    act_id: str
    at: datetime
    kind: ActKind
    by: str
    reason: str = ""
    scope: Patterns = {}
    budget: str | None = None
    subject: str | None = None
    amount_nano: int | None = None
    until: datetime | None = None
    ends: str | None = None


class OneAct(Form):
    """Asks for `Store.act`."""

    act: ActForm


class Acts(Form):
    """Answers what was decided."""

    acts: list[ActForm]


class Lead(Form):
    """Asks for `Store.lead`."""

    duty: str
    holder: str
    now: datetime
    until: datetime


class Leads(Form):
    """Answers `Lead`."""

    leads: bool


class Totals(Form):
    """Asks for `Store.totals`."""

    by: list[GroupBy]
    since: datetime
    until: datetime


class TotalList(Form):
    """Answers `Totals`."""

    totals: list[Total]


class Place(Form):
    """A place in the ledger: behind this charge."""

    at: datetime
    charge_id: str


class Charges(Form):
    """Asks for a page of `Store.charges`."""

    since: datetime
    until: datetime
    after: Place | None = None
    most: int = 500


class ChargePage(Form):
    """Answers `Charges`."""

    charges: list[Charge]
    after: Place | None
    """Where the next page begins; None: this was the last."""


class ResponseId(Form):
    """Asks for `Store.uncertain`."""

    response_id: str


class OneCharge(Form):
    """Answers `ResponseId`."""

    charge: Charge | None


class UnconfirmedList(Form):
    """Answers which calls are not confirmed."""

    unconfirmed: list[Unconfirmed]


class Learned(Form):
    """Asks for `Store.learn`, and answers for `Store.learned`."""

    learned: dict[str, tuple[float, ...]]


class Problem(Form):
    """Answers what cannot be done, after RFC 9457."""

    title: str
    status: int
    detail: str = ""
