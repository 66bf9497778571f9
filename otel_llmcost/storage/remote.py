"""A store behind the budget API: balances, ledger and outbox are a server's, asked over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit

from otel_llmcost.core.acts import Act
from otel_llmcost.core.alert import Alert, Channel, Delivery, Fired
from otel_llmcost.core.budget import Balance, Budget, Grant, Refusal
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.core.window import Span
from otel_llmcost.errors import ConfigError, StoreBusyError, StoreError
from otel_llmcost.storage import wire, wire_alerts
from otel_llmcost.storage import wire_forms as forms
from otel_llmcost.storage.base import Booking, GroupBy, Hold, Posting, Total, Totals
from otel_llmcost.storage.remote_server import Server

RESERVE_SECONDS = 0.25
"""A call waits for it before it is sent."""
_TIMEOUT = re.compile(r"timeout=(\d{1,3}(?:\.\d{1,6})?)")
_EXPECTED = "https://host:port, or http://localhost:port of this machine, and nothing behind but ?timeout=0.25"
_LONGEST_SECONDS = 60.0
_ACTS_SECONDS = 1.0
"""A stop holds within a second; and a start that asks for it waits no longer."""


def open_https(rest: str, deadline_seconds: float, token: str = "") -> RemoteStore:
    """Make a store of what stands behind `https://`.

    Raises:
        ConfigError: that is no server.
    """
    return _opened(urlsplit(f"https://{rest}"), deadline_seconds, token)


def open_http(rest: str, deadline_seconds: float, token: str = "") -> RemoteStore:
    """Make a store of what stands behind `http://`.

    Raises:
        ConfigError: that is no server of this machine: a token must not go over a network as it is.
    """
    return _opened(urlsplit(f"http://{rest}"), deadline_seconds, token)


class RemoteStore:
    """A store that a server keeps; nothing is opened before it is first used."""

    is_local = False

    def __init__(
        self,
        url: SplitResult,
        *,
        token: str = "",
        deadline_seconds: float = 5.0,
        reserve_seconds: float = RESERVE_SECONDS,
    ) -> None:
        """Name the server.

        Args:
            url: of the server.
            token: tells it who asks; empty: it asks nobody.
            deadline_seconds: how long an act may take.
            reserve_seconds: how long a reservation may take.
        """
        self._server = Server(url, token=token, deadline_seconds=deadline_seconds)
        self._reserve_seconds = reserve_seconds

    @property
    def name(self) -> str:
        """The server's address."""
        return self._server.name

    def told(self, known: str, timeout_seconds: float) -> tuple[str, Mapping[str, object]] | None:
        """Ask which budgets all agents are to hold.

        Args:
            known: tag of what was told last; empty: nothing was.
            timeout_seconds: how long the answer may take.

        Returns:
            A tag, and sections of `llmcost.toml`; None: they are those that are known.

        Raises:
            StoreError: it does not say.
        """
        return self._server.get_if_new("config", known, dict[str, object], timeout_seconds)

    def reserve(self, hold: Hold, *, wait: bool = True, tell: bool = True) -> Refusal | Grant | None:
        """See `Store.reserve`."""
        if not hold.claims:
            return None
        if not wait:
            msg = f"{self._server.name} can only be waited for"
            raise StoreBusyError(msg)
        asked = forms.Reserve(hold=hold, tell=tell)
        return wire.reservation_of(self._server.post("reserve", asked, forms.Reserved, self._reserve_seconds))

    def settle(self, postings: Sequence[Posting]) -> list[Alert]:
        """See `Store.settle`."""
        if not postings:
            return []
        asked = forms.Settle(postings=[wire.sendable(posting) for posting in postings])
        return [wire_alerts.alert_of(each) for each in self._server.post("settle", asked, wire_alerts.Alerts).alerts]

    def book(self, commit_id: str, bookings: Sequence[Booking]) -> list[Alert]:  # noqa: ARG002 -- as the others
        """Do not: behind a server, the server books what it observes.

        Raises:
            StoreError: always.
        """
        msg = f"the server of {self.name} books what it observes itself"
        raise StoreError(msg)

    def renew(self, reservation_ids: Sequence[str], expires_at: datetime) -> None:
        """See `Store.renew`."""
        if reservation_ids:
            asked = forms.Renew(reservation_ids=list(reservation_ids), expires_at=expires_at)
            self._server.post("renew", asked, forms.Nothing)

    def expire(self, now: datetime) -> int:
        """See `Store.expire`."""
        return self._server.post("expire", forms.Now(now=now), forms.Count).count

    def balances(self, budgets: Sequence[tuple[Budget, Span]], *, most: int = 1000) -> list[Balance]:
        """See `Store.balances`."""
        windows = [forms.Windowed(budget=wire.budget_form(budget), window=span) for budget, span in budgets]
        return self._server.post("balances", forms.Windows(budgets=windows, most=most), forms.Balances).balances

    def reset(self, budget: str, subject: str | None = None) -> int:
        """See `Store.reset`."""
        return self._server.post("reset", forms.Reset(budget=budget, subject=subject), forms.Count).count

    def adopt(
        self, budgets: Sequence[Budget], now: datetime, *, again: bool = False, totals: Totals | None = None
    ) -> list[str]:
        """See `Store.adopt`.

        Raises:
            StoreError: totals were handed in: the server counts from its ledger.
        """
        if totals is not None:
            msg = f"the server of {self.name} has a ledger of its own"
            raise StoreError(msg)
        asked = forms.Adopt(budgets=[wire.budget_form(budget) for budget in budgets], now=now, again=again)
        return self._server.post("adopt", asked, forms.Adopted).adopted

    def act(self, act: Act) -> None:
        """See `Store.act`."""
        self._server.post("act", forms.OneAct(act=wire.act_form(act)), forms.Nothing)

    def acts(self, since: datetime, until: datetime) -> list[Act]:
        """See `Store.acts`."""
        found = self._server.post("acts", forms.Between(since=since, until=until), forms.Acts)
        return [wire.act_of(each) for each in found.acts]

    def acts_in_force(self, now: datetime) -> list[Act]:
        """See `Store.acts_in_force`."""
        found = self._server.post("acts/in-force", forms.Now(now=now), forms.Acts, _ACTS_SECONDS)
        return [wire.act_of(each) for each in found.acts]

    def lead(self, duty: str, holder: str, now: datetime, until: datetime) -> bool:
        """See `Store.lead`."""
        return self._server.post("lead", forms.Lead(duty=duty, holder=holder, now=now, until=until), forms.Leads).leads

    def totals(self, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
        """See `Store.totals`."""
        return self._server.post("totals", forms.Totals(by=list(by), since=since, until=until), forms.TotalList).totals

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """See `Store.charges`."""
        after: forms.Place | None = None
        while True:
            page = self._server.post("charges", forms.Charges(since=since, until=until, after=after), forms.ChargePage)
            yield from page.charges
            after = page.after
            if after is None:
                return

    def uncertain(self, response_id: str) -> Charge | None:
        """See `Store.uncertain`."""
        return self._server.post("uncertain", forms.ResponseId(response_id=response_id), forms.OneCharge).charge

    def unconfirmed(self, since: datetime, until: datetime) -> list[Unconfirmed]:
        """See `Store.unconfirmed`."""
        asked = forms.Between(since=since, until=until)
        return self._server.post("unconfirmed", asked, forms.UnconfirmedList).unconfirmed

    def open_reservations(self) -> int:
        """See `Store.open_reservations`."""
        return self._server.get("open-reservations", forms.Count).count

    def fire(self, alert: Alert) -> bool:
        """See `Store.fire`."""
        return self._is_done("alerts/fire", wire_alerts.OneAlert(alert=wire_alerts.alert_form(alert)))

    def claim_deliveries(
        self, channels: Sequence[Channel], now: datetime, *, lease: timedelta, most: int = 20
    ) -> list[Delivery]:
        """See `Store.claim_deliveries`."""
        rules = [wire_alerts.channel_form(channel) for channel in channels]
        asked = wire_alerts.ClaimDeliveries(channels=rules, now=now, lease=lease, most=most)
        return self._deliveries("outbox/claim", asked)

    def finish_delivery(self, delivery: Delivery) -> None:
        """See `Store.finish_delivery`."""
        asked = wire_alerts.OneDelivery(delivery=wire_alerts.delivery_form(delivery))
        self._server.post("outbox/finish", asked, forms.Nothing)

    def deliveries(self, *, most: int = 100) -> list[Delivery]:
        """See `Store.deliveries`."""
        return self._deliveries("outbox/list", wire_alerts.Most(most=most))

    def pending_deliveries(self) -> int:
        """See `Store.pending_deliveries`."""
        return self._server.get("outbox/pending", forms.Count).count

    def next_delivery_at(self, channels: Sequence[str]) -> datetime | None:
        """See `Store.next_delivery_at`."""
        return self._server.post("outbox/next", wire_alerts.ChannelNames(channels=list(channels)), wire_alerts.Next).at

    def alerts(self, *, most: int = 100) -> list[Fired]:
        """See `Store.alerts`."""
        return self._alerts("alerts", wire_alerts.Most(most=most))

    def open_alerts(self, now: datetime) -> list[Fired]:
        """See `Store.open_alerts`."""
        return self._alerts("alerts/open", forms.Now(now=now))

    def acknowledge(self, alert_id: str, by: str, at: datetime) -> bool:
        """See `Store.acknowledge`."""
        return self._is_done("alerts/acknowledge", wire_alerts.Acknowledge(alert_id=alert_id, by=by, at=at))

    def recover(self, alert_id: str, at: datetime) -> bool:
        """See `Store.recover`."""
        return self._is_done("alerts/recover", wire_alerts.Recover(alert_id=alert_id, at=at))

    def resend(self, delivery_id: str, now: datetime) -> bool:
        """See `Store.resend`."""
        return self._is_done("outbox/resend", wire_alerts.Resend(delivery_id=delivery_id, now=now))

    def learned(self) -> dict[str, tuple[float, ...]]:
        """See `Store.learned`."""
        # A start waits for it, and can do without.
        return self._server.get("learned", forms.Learned, self._reserve_seconds).learned

    def learn(self, values: Mapping[str, tuple[float, ...]]) -> None:
        """See `Store.learn`."""
        self._server.post("learned", forms.Learned(learned=dict(values)), forms.Nothing)

    def close(self) -> None:
        """See `Store.close`."""
        self._server.close()

    def _deliveries(self, name: str, asked: forms.Form) -> list[Delivery]:
        found = self._server.post(name, asked, wire_alerts.Deliveries)
        return [wire_alerts.delivery_of(each) for each in found.deliveries]

    def _alerts(self, name: str, asked: forms.Form) -> list[Fired]:
        found = self._server.post(name, asked, wire_alerts.FiredList)
        return [wire_alerts.fired_of(each) for each in found.alerts]

    def _is_done(self, name: str, asked: forms.Form) -> bool:
        return self._server.post(name, asked, wire_alerts.Done).is_done


def _opened(url: SplitResult, deadline_seconds: float, token: str) -> RemoteStore:
    is_plain = url.path.isascii() and url.path.isprintable() and " " not in url.path
    if not url.hostname or url.username is not None or url.fragment or not is_plain or not _has_port(url):
        _reject("there is no host, or more than it")
    if url.scheme == "http" and not _is_loopback(url.hostname):
        _reject("http:// is for this machine only")
    if not token.isascii() or not token.isprintable():
        _reject("the token cannot be sent", key="store_token", expected="letters, digits and signs of ASCII")
    return RemoteStore(
        url, token=token, deadline_seconds=deadline_seconds, reserve_seconds=_timeout(url.query) or RESERVE_SECONDS
    )


def _timeout(query: str) -> float | None:
    """Read the one option there is; None: it is not said."""
    if not query:
        return None
    found = _TIMEOUT.fullmatch(query)
    if found is None or not 0 < float(found[1]) <= _LONGEST_SECONDS:
        _reject(f"{query.partition('=')[0]!r} is no option of this store, or cannot have that value")
    return float(found[1])


def _has_port(url: SplitResult) -> bool:
    try:
        return url.port is None or url.port > 0
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reject(problem: str, *, key: str = "store", expected: str = _EXPECTED) -> NoReturn:
    raise ConfigError(problem, key=key, expected=expected)
