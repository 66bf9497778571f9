"""Budgets, ledger and outbox in Redis, which a fleet shares."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.util import find_spec
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from otel_llmcost.core.acts import Act, in_force
from otel_llmcost.core.alert import Alert, Channel, Delivery, Fired
from otel_llmcost.core.budget import Balance, Budget, Grant, Refusal
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.core.window import Span
from otel_llmcost.errors import ConfigError, StoreBusyError, StoreError
from otel_llmcost.storage import fork
from otel_llmcost.storage import redis_acts as acts
from otel_llmcost.storage import redis_balances as balances
from otel_llmcost.storage import redis_booking as booking
from otel_llmcost.storage import redis_ledger as ledger
from otel_llmcost.storage import redis_outbox as outbox
from otel_llmcost.storage import redis_settling as settling
from otel_llmcost.storage import redis_upkeep as upkeep
from otel_llmcost.storage.base import Booking, GroupBy, Hold, Posting, Total, Totals
from otel_llmcost.storage.redis_address import Address, Kind, parse
from otel_llmcost.storage.redis_calls import Asking, Layout

if TYPE_CHECKING:
    from otel_llmcost.storage.redis_clients import Clients

T = TypeVar("T")
LOGGER = logging.getLogger("otel_llmcost")


def _opener(kind: Kind, *, is_tls: bool) -> Callable[[str, float], RedisStore]:
    def open_it(rest: str, deadline_seconds: float) -> RedisStore:
        if find_spec("redis") is None:
            problem = "the package redis is missing"
            raise ConfigError(problem, key="store", expected="pip install 'otel-llmcost[redis]'")
        return RedisStore(parse(kind, rest, is_tls=is_tls), deadline_seconds=deadline_seconds)

    return open_it


open_redis = _opener("single", is_tls=False)
open_rediss = _opener("single", is_tls=True)
open_sentinel = _opener("sentinel", is_tls=False)
open_rediss_sentinel = _opener("sentinel", is_tls=True)
open_cluster = _opener("cluster", is_tls=False)
open_rediss_cluster = _opener("cluster", is_tls=True)


class RedisStore:
    """A store in Redis; connections are made when it is first used."""

    is_local = False

    def __init__(self, address: Address, *, deadline_seconds: float = 5.0) -> None:
        """Name the servers; nothing is connected yet.

        Args:
            address: of the servers.
            deadline_seconds: how long all but a reservation may wait, which has its own time in the address.
        """
        self._address = address
        self._deadline_seconds = deadline_seconds
        self._layout = Layout(prefix=address.prefix, is_split=address.kind == "cluster")
        self._known = balances.Known()
        self._state: acts.State | None = None
        self._decisions: list[Act] = []
        """All acts, as of that state."""
        self._opening = threading.Lock()
        self._clients: tuple[Clients, Clients] | None = None
        """For reservations, and for all else."""
        self._is_closed = False
        fork.watch(self)

    def reserve(self, hold: Hold, *, wait: bool = True, tell: bool = True) -> Refusal | Grant | None:
        """See `Store.reserve`."""
        if not wait:
            msg = "Redis is asked over a network; on an event loop, wait for `areserve`"
            raise StoreBusyError(msg)
        if not hold.claims:
            return None
        return _done(self._open()[0], balances.reserve(self._layout, self._known, hold, tell=tell))

    async def areserve(self, hold: Hold, *, tell: bool = True) -> Refusal | Grant | None:
        """See `AsyncStore.areserve`."""
        if not hold.claims:
            return None
        return await _adone(self._open()[0], balances.reserve(self._layout, self._known, hold, tell=tell))

    def settle(self, postings: Sequence[Posting]) -> list[Alert]:
        """See `Store.settle`."""
        return self._do(settling.settle(self._layout, self._known, postings))

    def book(self, commit_id: str, bookings: Sequence[Booking]) -> list[Alert]:
        """See `Store.book`."""
        return self._do(booking.book(self._layout, self._known, commit_id, bookings)) if bookings else []

    def renew(self, reservation_ids: Sequence[str], expires_at: datetime) -> None:
        """See `Store.renew`."""
        if reservation_ids:
            self._do(upkeep.renew(self._layout, reservation_ids, expires_at))

    def expire(self, now: datetime) -> int:
        """See `Store.expire`."""
        count = self._do(upkeep.expire(self._layout, self._known, now))
        self._do(ledger.forget(self._layout, now, self._address.keep))
        self._do(outbox.forget(self._layout, now))
        return count

    def balances(self, budgets: Sequence[tuple[Budget, Span]], *, most: int = 1000) -> list[Balance]:
        """See `Store.balances`."""
        return self._do(balances.read(self._layout, budgets, most))

    def reset(self, budget: str, subject: str | None = None) -> int:
        """See `Store.reset`."""
        return self._do(upkeep.reset(self._layout, budget, subject))

    @property
    def generation(self) -> str | None:
        """Names what Redis keeps, as of the last look at stops; where it is another, all of before is lost."""
        return None if self._state is None else self._state.generation

    def adopt(
        self, budgets: Sequence[Budget], now: datetime, *, again: bool = False, totals: Totals | None = None
    ) -> list[str]:
        """See `Store.adopt`."""
        return self._do(acts.adopt(self._layout, self._known, budgets, now, again=again, others=totals))

    def act(self, act: Act) -> None:
        """See `Store.act`."""
        self._do(acts.add(self._layout, act))

    def acts(self, since: datetime, until: datetime) -> list[Act]:
        """See `Store.acts`."""
        return [act for act in self._all_acts() if since <= act.at < until]

    def acts_in_force(self, now: datetime) -> list[Act]:
        """See `Store.acts_in_force`; asked often, so acts are only read when there is a new one."""
        found = in_force(self._all_acts(), now)
        return sorted((*found.stops, *found.raises), key=attrgetter("at"))

    def lead(self, duty: str, holder: str, now: datetime, until: datetime) -> bool:
        """See `Store.lead`."""
        return self._do(acts.lead(self._layout, duty, holder, now, until))

    def totals(self, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
        """See `Store.totals`; of charges that are no longer kept whole, to the hour, without task, session, trace."""
        return self._do(ledger.totals(self._layout, by, since, until))

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """See `Store.charges`; those that are still kept whole."""
        return ledger.charges(self._layout, self._do, since, until)

    def uncertain(self, response_id: str) -> Charge | None:
        """See `Store.uncertain`."""
        return self._do(ledger.uncertain(self._layout, response_id))

    def unconfirmed(self, since: datetime, until: datetime) -> list[Unconfirmed]:
        """See `Store.unconfirmed`."""
        return self._do(ledger.unconfirmed(self._layout, since, until))

    def open_reservations(self) -> int:
        """See `Store.open_reservations`."""
        return self._do(upkeep.open_reservations(self._layout))

    def fire(self, alert: Alert) -> bool:
        """See `Store.fire`."""
        return self._do(outbox.fire(self._layout, alert))

    def claim_deliveries(
        self, channels: Sequence[Channel], now: datetime, *, lease: timedelta, most: int = 20
    ) -> list[Delivery]:
        """See `Store.claim_deliveries`."""
        return self._do(outbox.claim(self._layout, channels, now, now + lease, most))

    def finish_delivery(self, delivery: Delivery) -> None:
        """See `Store.finish_delivery`."""
        self._do(outbox.finish(self._layout, delivery))

    def deliveries(self, *, most: int = 100) -> list[Delivery]:
        """See `Store.deliveries`."""
        return self._do(outbox.look(self._layout, lambda desk: desk.newest(most), is_all=True))

    def pending_deliveries(self) -> int:
        """See `Store.pending_deliveries`."""
        return self._do(outbox.look(self._layout, lambda desk: desk.pending()))

    def next_delivery_at(self, channels: Sequence[str]) -> datetime | None:
        """See `Store.next_delivery_at`."""
        return self._do(outbox.look(self._layout, lambda desk: desk.next_at(channels)))

    def alerts(self, *, most: int = 100) -> list[Fired]:
        """See `Store.alerts`."""
        return self._do(outbox.look(self._layout, lambda desk: desk.newest_alerts(most), is_all=True))

    def open_alerts(self, now: datetime) -> list[Fired]:
        """See `Store.open_alerts`."""
        return self._do(outbox.look(self._layout, lambda desk: desk.open_alerts(now)))

    def acknowledge(self, alert_id: str, by: str, at: datetime) -> bool:
        """See `Store.acknowledge`."""
        return self._do(outbox.acknowledge(self._layout, alert_id, by, at))

    def recover(self, alert_id: str, at: datetime) -> bool:
        """See `Store.recover`."""
        return self._do(outbox.recover(self._layout, alert_id, at))

    def resend(self, delivery_id: str, now: datetime) -> bool:
        """See `Store.resend`."""
        return self._do(outbox.resend(self._layout, delivery_id, now))

    def learned(self) -> dict[str, tuple[float, ...]]:
        """See `Store.learned`."""
        return self._do(acts.learned(self._layout))

    def learn(self, values: Mapping[str, tuple[float, ...]]) -> None:
        """See `Store.learn`."""
        if values:
            self._do(acts.learn(self._layout, values))

    def close(self) -> None:
        """See `Store.close`."""
        with self._opening:
            self._is_closed = True
            clients, self._clients = self._clients, None
        for each in clients or ():
            each.close()

    def before_fork(self) -> None:
        """Nothing has to rest: what Redis does for the parent is done whole."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Connect anew."""
        self._opening = threading.Lock()
        for each in self._clients or ():
            each.forget()

    def _do(self, act: Asking[T]) -> T:
        return _done(self._open()[1], act)

    def _open(self) -> tuple[Clients, Clients]:
        clients = self._clients
        if clients is not None:
            return clients
        with self._opening:
            if self._is_closed:
                msg = "the store is closed"
                raise StoreError(msg)
            self._clients = self._clients or self._connected()
            return self._clients

    def _connected(self) -> tuple[Clients, Clients]:
        # Agents start without the package: it takes longer to load than all of ours.
        from otel_llmcost.storage.redis_clients import Clients  # noqa: PLC0415

        address = self._address
        return Clients(address, address.timeout_seconds), Clients(address, self._deadline_seconds)

    def _all_acts(self) -> list[Act]:
        before, state = self._state, self._do(acts.state(self._layout, uuid4().hex))
        if before is not None and before.generation != state.generation:
            LOGGER.error("Redis has lost what it kept: balances, ledger and stops begin at nothing (docs/stores.md)")
            self._known.forget()
        if before != state:
            self._decisions = [] if state.last_act is None else self._do(acts.everything(self._layout))
            self._state = state
        return self._decisions


def _done(clients: Clients, act: Asking[T]) -> T:
    """Perform an act in this thread."""
    answers: list[Any] | None = None
    problem: StoreError | None = None
    while True:
        try:
            calls = act.throw(problem) if problem is not None else act.send(answers)  # type: ignore[arg-type]  # begins with None
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what the act returns
        try:
            answers, problem = clients.run(calls), None
        except StoreError as error:
            problem = error


async def _adone(clients: Clients, act: Asking[T]) -> T:
    """Perform an act on the event loop."""
    answers: list[Any] | None = None
    problem: StoreError | None = None
    while True:
        try:
            calls = act.throw(problem) if problem is not None else act.send(answers)  # type: ignore[arg-type]  # begins with None
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what the act returns
        try:
            answers, problem = await clients.arun(calls), None
        except StoreError as error:
            problem = error
