"""A store behind the budget API: balances, ledger and outbox are a server's, asked over HTTP."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from http.client import HTTPException
from ipaddress import ip_address
from typing import NoReturn, TypeVar
from urllib.parse import SplitResult, urlsplit

from otel_llmcost import web
from otel_llmcost.core.acts import Act
from otel_llmcost.core.alert import Alert, Delivery
from otel_llmcost.core.budget import Balance, Budget, Grant, Refusal
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.core.window import Span
from otel_llmcost.errors import ConfigError, StoreBusyError, StoreError, UnstorableError, WireError
from otel_llmcost.storage import wire
from otel_llmcost.storage import wire_forms as forms
from otel_llmcost.storage.base import GroupBy, Hold, Posting, Total
from otel_llmcost.storage.remote_connections import Answer, Connections, Request

T = TypeVar("T")

RESERVE_SECONDS = 0.25
"""A call waits for it before it is sent."""
_TIMEOUT = re.compile(r"timeout=(\d{1,3}(?:\.\d{1,6})?)")
_EXPECTED = "https://host:port, or http://localhost:port of this machine, and nothing behind but ?timeout=0.25"
_REFUSED = {401: "does not know the token", 403: "does not let the token do this"}
_UNSTORABLE = frozenset({400, 413, 422})
_OK = 200
_KEY_BYTES = 12
_LONGEST_SECONDS = 60.0


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
        self.name = web.origin(url)
        self._connections = Connections(url, is_direct=url.scheme == "http")
        self._path = url.path.rstrip("/")
        self._deadline_seconds = deadline_seconds
        self._reserve_seconds = reserve_seconds
        self._headers = {"content-type": "application/json", "user-agent": "otel-llmcost"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"

    def reserve(self, hold: Hold, *, wait: bool = True, tell: bool = True) -> Refusal | Grant | None:
        """See `Store.reserve`."""
        if not hold.claims:
            return None
        if not wait:
            msg = f"{self.name} can only be waited for"
            raise StoreBusyError(msg)
        asked = forms.Reserve(hold=hold, tell=tell)
        return wire.reservation_of(self._post("reserve", asked, forms.Reserved, self._reserve_seconds))

    def settle(self, postings: Sequence[Posting]) -> list[Alert]:
        """See `Store.settle`."""
        if not postings:
            return []
        asked = forms.Settle(postings=[wire.sendable(posting) for posting in postings])
        return [wire.alert_of(each) for each in self._post("settle", asked, forms.Alerts).alerts]

    def renew(self, reservation_ids: Sequence[str], expires_at: datetime) -> None:
        """See `Store.renew`."""
        if reservation_ids:
            asked = forms.Renew(reservation_ids=list(reservation_ids), expires_at=expires_at)
            self._post("renew", asked, forms.Nothing)

    def expire(self, now: datetime) -> int:
        """See `Store.expire`."""
        return self._post("expire", forms.Now(now=now), forms.Count).count

    def balances(self, budgets: Sequence[tuple[Budget, Span]], *, most: int = 1000) -> list[Balance]:
        """See `Store.balances`."""
        windows = [forms.Windowed(budget=wire.budget_form(budget), window=span) for budget, span in budgets]
        return self._post("balances", forms.Windows(budgets=windows, most=most), forms.Balances).balances

    def reset(self, budget: str, subject: str | None = None) -> int:
        """See `Store.reset`."""
        return self._post("reset", forms.Reset(budget=budget, subject=subject), forms.Count).count

    def adopt(self, budgets: Sequence[Budget], now: datetime, *, again: bool = False) -> list[str]:
        """See `Store.adopt`."""
        asked = forms.Adopt(budgets=[wire.budget_form(budget) for budget in budgets], now=now, again=again)
        return self._post("adopt", asked, forms.Adopted).adopted

    def act(self, act: Act) -> None:
        """See `Store.act`."""
        self._post("act", forms.OneAct(act=wire.act_form(act)), forms.Nothing)

    def acts(self, since: datetime, until: datetime) -> list[Act]:
        """See `Store.acts`."""
        found = self._post("acts", forms.Between(since=since, until=until), forms.Acts)
        return [wire.act_of(each) for each in found.acts]

    def acts_in_force(self, now: datetime) -> list[Act]:
        """See `Store.acts_in_force`."""
        return [wire.act_of(each) for each in self._post("acts/in-force", forms.Now(now=now), forms.Acts).acts]

    def lead(self, duty: str, holder: str, now: datetime, until: datetime) -> bool:
        """See `Store.lead`."""
        return self._post("lead", forms.Lead(duty=duty, holder=holder, now=now, until=until), forms.Leads).leads

    def totals(self, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
        """See `Store.totals`."""
        return self._post("totals", forms.Totals(by=list(by), since=since, until=until), forms.TotalList).totals

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """See `Store.charges`."""
        after: forms.Place | None = None
        while True:
            page = self._post("charges", forms.Charges(since=since, until=until, after=after), forms.ChargePage)
            yield from page.charges
            after = page.after
            if after is None:
                return

    def uncertain(self, response_id: str) -> Charge | None:
        """See `Store.uncertain`."""
        return self._post("uncertain", forms.ResponseId(response_id=response_id), forms.OneCharge).charge

    def unconfirmed(self, since: datetime, until: datetime) -> list[Unconfirmed]:
        """See `Store.unconfirmed`."""
        asked = forms.Between(since=since, until=until)
        return self._post("unconfirmed", asked, forms.UnconfirmedList).unconfirmed

    def open_reservations(self) -> int:
        """See `Store.open_reservations`."""
        return self._get("open-reservations", forms.Count).count

    def fire(self, alert: Alert) -> bool:
        """See `Store.fire`."""
        return self._post("fire", forms.Fire(alert=wire.alert_form(alert)), forms.Fired).is_new

    def claim_deliveries(
        self, channels: Mapping[str, frozenset[str]], now: datetime, *, lease: timedelta, most: int = 20
    ) -> list[Delivery]:
        """See `Store.claim_deliveries`."""
        asked = forms.ClaimDeliveries(
            channels={name: sorted(levels) for name, levels in channels.items()},
            now=now,
            lease_seconds=lease.total_seconds(),
            most=most,
        )
        return self._deliveries("outbox/claim", asked)

    def finish_delivery(self, delivery: Delivery) -> None:
        """See `Store.finish_delivery`."""
        self._post("outbox/finish", forms.OneDelivery(delivery=wire.delivery_form(delivery)), forms.Nothing)

    def deliveries(self, *, most: int = 100) -> list[Delivery]:
        """See `Store.deliveries`."""
        return self._deliveries("outbox/list", forms.Most(most=most))

    def pending_deliveries(self) -> int:
        """See `Store.pending_deliveries`."""
        return self._get("outbox/pending", forms.Count).count

    def learned(self) -> dict[str, tuple[float, ...]]:
        """See `Store.learned`."""
        return self._get("learned", forms.Learned).learned

    def learn(self, values: Mapping[str, tuple[float, ...]]) -> None:
        """See `Store.learn`."""
        self._post("learned", forms.Learned(learned=dict(values)), forms.Nothing)

    def close(self) -> None:
        """See `Store.close`."""
        self._connections.close()

    def _deliveries(self, name: str, asked: forms.Form) -> list[Delivery]:
        return [wire.delivery_of(each) for each in self._post(name, asked, forms.Deliveries).deliveries]

    def _get(self, name: str, form: type[T]) -> T:
        return self._asked(Request("GET", f"{self._path}/v1/{name}", self._headers, None), form, self._deadline_seconds)

    def _post(self, name: str, asked: forms.Form, form: type[T], timeout_seconds: float | None = None) -> T:
        # Under one key the server does an act once, and answers a second time what it answered the first time.
        headers = {**self._headers, "idempotency-key": secrets.token_hex(_KEY_BYTES)}
        request = Request("POST", f"{self._path}/v1/{name}", headers, wire.encode(asked))
        return self._asked(request, form, timeout_seconds or self._deadline_seconds)

    def _asked(self, request: Request, form: type[T], timeout_seconds: float) -> T:
        try:
            answer = self._connections.ask(request, timeout_seconds=timeout_seconds)
        except (OSError, HTTPException) as error:
            msg = f"no answer from {self.name} within {timeout_seconds:g} s: {web.reason(error)}"
            raise StoreError(msg) from error
        if answer.status != _OK:
            self._fail(answer)
        try:
            return wire.decode(answer.content, form)
        except WireError as error:
            msg = f"{self.name} answers {request.target} in a form that is not known: {error}"
            raise StoreError(msg) from error

    def _fail(self, answer: Answer) -> NoReturn:
        try:
            problem = wire.decode(answer.content, forms.Problem)
            said = problem.detail or problem.title
        except WireError:
            said = "that it is no budget API, as it seems"
        what = _REFUSED.get(answer.status, f"answered {answer.status}")
        msg = f"{self.name} {what}: {said}"
        if answer.status in _UNSTORABLE:
            raise UnstorableError(msg)
        raise StoreError(msg)


def _opened(url: SplitResult, deadline_seconds: float, token: str) -> RemoteStore:
    if not url.hostname or url.username is not None or url.fragment or not _has_port(url):
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
