"""Take what is due out of the outbox, bring it to its channel, and write back how it went: one pass at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from otel_llmcost.alerting.bring import Bring, bringing
from otel_llmcost.alerting.channels import is_log
from otel_llmcost.alerting.log import log
from otel_llmcost.alerting.message import Top, message_of, message_of_notice
from otel_llmcost.alerting.schedule import DELIVERED, Letter, Notice, Outcome, after
from otel_llmcost.alerting.top import AgentCost
from otel_llmcost.alerting.webhook import problem_of
from otel_llmcost.core.alert import Alert, Channel, Delivery, messages
from otel_llmcost.errors import StoreError

TIMEOUT_SECONDS = 5.0
AT_ONCE = 20
LEASE = timedelta(seconds=TIMEOUT_SECONDS * AT_ONCE * 2)
"""Longer than a whole batch can take, so no other process takes one of it meanwhile."""
NOTICE_LEVEL = "critical"

_logger = logging.getLogger("otel_llmcost")


class Outbox(Protocol):
    """Where alerts wait until they are delivered."""

    def claim_deliveries(
        self, channels: Sequence[Channel], now: datetime, *, lease: timedelta, most: int
    ) -> list[Delivery]:
        """Decide what channels are to be told, and take what is due for this process for as long as `lease`."""
        ...

    def finish_delivery(self, delivery: Delivery) -> None:
        """Write back how an attempt ended."""
        ...

    def next_delivery_at(self, channels: Sequence[str]) -> datetime | None:
        """Say when there is something to do for these channels."""
        ...


class Courier:
    """Brings letters to channels: alerts out of the outbox, notices out of its own hands."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Sequence[Channel],
        *,
        clock: Callable[[], datetime],
        top: Top | None,
        send: Bring | None,
        jitter: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._channels = {each.name: each for each in channels if _is_deliverable(each)}
        self._logs = [each for each in self._channels.values() if is_log(each)]
        self._receivers = [each for each in self._channels.values() if not is_log(each)]
        self._clock = clock
        self._top = top or _no_top
        self._send = send or bringing()
        self._jitter = jitter
        self._notices: list[Notice] = []

    def take(self, kind: str, text: str) -> bool:
        """Take a notice for every channel that wants to know of critical things; return whether there is one."""
        now = self._clock()
        wanting = [each for each in self._receivers if NOTICE_LEVEL in each.levels]
        self._notices += [
            Notice(delivery_id=str(uuid4()), channel=each.name, kind=kind, text=text, at=now, next_attempt_at=now)
            for each in wanting
        ]
        return bool(wanting)

    def drop_notices(self) -> None:
        """Forget the notices: somebody else brings them."""
        self._notices = []

    def run(self, time_left: Callable[[], float]) -> datetime | None:
        """Deliver what is due.

        Args:
            time_left: seconds that this pass may still take; asked before each step.

        Returns:
            When there is something to do again: a failed attempt, a reminder, an escalation; None: there is not.

        Raises:
            StoreError: the outbox cannot be read or written. What was sent meanwhile will be sent again.
        """
        down: dict[str, Outcome] = {}
        self._run_notices(down, time_left)
        retries = [each.next_attempt_at for each in self._notices]
        for channels in (self._logs, self._receivers):  # a log never hangs
            while batch := self._claim(channels, down, time_left()):
                for parcel in messages(batch):
                    for done in self._attempt(parcel, down, time_left):
                        self._outbox.finish_delivery(done)
                        retries += [done.next_attempt_at] if done.state == "pending" else []
        next_at = self._next_at(down)
        return min(retries, default=None) if next_at is None else min((next_at, *retries))

    def _next_at(self, down: Mapping[str, Outcome]) -> datetime | None:
        # What waits for a channel that is down is tried again with what was tried now, not before.
        reachable = [name for name in self._channels if name not in down]
        return self._outbox.next_delivery_at(reachable) if reachable else None

    def _run_notices(self, down: dict[str, Outcome], time_left: Callable[[], float]) -> None:
        now = self._clock()
        due = [each for each in self._notices if each.next_attempt_at <= now]
        for each in due:
            if time_left() <= 0:
                return
            self._notices.remove(each)
            self._notices += [done for done in self._attempt([each], down, time_left) if done.state == "pending"]

    def _claim(self, channels: Sequence[Channel], down: Mapping[str, Outcome], left_seconds: float) -> list[Delivery]:
        wanted = [each for each in channels if each.name not in down]
        if not wanted or left_seconds <= 0:
            return []
        # With little time, one by one: what is taken and not tried would be nobody's until its lease ends.
        most = AT_ONCE if left_seconds > TIMEOUT_SECONDS * AT_ONCE else 1
        return self._outbox.claim_deliveries(wanted, self._clock(), lease=LEASE, most=most)

    def _attempt(
        self, parcel: Sequence[Letter], down: dict[str, Outcome], time_left: Callable[[], float]
    ) -> list[Letter]:
        """Try to bring what goes out as one message; return each letter of it as it stands then."""
        name = parcel[0].channel
        outcome = down.get(name)
        if outcome is None:
            # Half of what is left, so that a receiver that hangs leaves something to the next.
            outcome = self._try(parcel, min(TIMEOUT_SECONDS, time_left() / 2))
        if outcome.is_shared:
            down[name] = outcome
        jitter = self._jitter()
        done = [after(letter, outcome, self._clock(), jitter) for letter in parcel]
        _report(done[0])
        return done

    def _try(self, parcel: Sequence[Delivery | Notice], timeout_seconds: float) -> Outcome:
        channel = self._channels[parcel[0].channel]
        deliveries = [each for each in parcel if isinstance(each, Delivery)]
        if is_log(channel):
            for each in deliveries:
                log(each)
            return DELIVERED
        notices = [each for each in parcel if isinstance(each, Notice)]
        message = message_of(deliveries, self._top_of) if deliveries else message_of_notice(notices[0])
        return self._send(channel, message, self._clock(), max(timeout_seconds, 0.001))

    def _top_of(self, alert: Alert) -> Sequence[AgentCost]:
        try:
            return self._top(alert)
        except StoreError:
            return ()  # better told without it than not told


def _no_top(_alert: Alert) -> Sequence[AgentCost]:
    return ()


def _is_deliverable(channel: Channel) -> bool:
    problem = None if is_log(channel) else problem_of(channel)
    if problem is not None:
        _logger.error("alert channel %r gets no alerts: %s", channel.name, problem)
    return problem is None


def _report(letter: Delivery | Notice) -> None:
    """Log what people must know: the first failure of a letter, and its last."""
    if letter.state == "dead":
        _logger.error(
            "alert %s to channel %r is given up after %d attempts: %s",
            letter.delivery_id, letter.channel, letter.attempts, letter.problem,
        )  # fmt: skip
    elif letter.state == "pending" and letter.attempts == 1:
        _logger.warning(
            "alert %s to channel %r is not delivered yet and will be tried again: %s",
            letter.delivery_id, letter.channel, letter.problem,
        )  # fmt: skip
