"""Where calls wait for room in a limit: first come, first served, and nobody polls who is not first.

Room comes as time goes on, and as calls end that used less than they held. The first who waits is woken by both; of
other processes nothing is heard, so it asks again now and then.
"""

from __future__ import annotations

import asyncio
import random
from bisect import insort
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from queue import Empty, SimpleQueue
from threading import Lock

from otel_llmcost.core.budget import Claim, Refusal
from otel_llmcost.core.refusing import room_at
from otel_llmcost.storage.base import Posting

_MOST_SECONDS_UNASKED = 1.0
"""Another process's calls may end at any time, and a person may raise the limit."""
_LEAST_SECONDS = 0.001
"""The clock on the wall may lag behind the one that woke us."""
_JITTER_SECONDS = 0.02
"""Processes that wait for the same bucket need not all ask at once."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Room = tuple[str, str]
"""What is waited for: a budget's name and the subject of its balance."""


class Rooms:
    """All the calls of a process that wait."""

    def __init__(self) -> None:
        self.queues: dict[Room, list[Wait]] = {}
        """Each in the order of arrival; a room that nobody waits for is not here."""
        self.numbers = count()
        self.lock = Lock()
        self.pause: Callable[[SimpleQueue[None], float], None] = _pause
        self.apause: Callable[[asyncio.Event, float], Awaitable[None]] = _apause
        self.jitter_seconds: Callable[[], float] = lambda: random.uniform(0, _JITTER_SECONDS)  # noqa: S311 -- no secret

    def freed(self, posting: Posting) -> None:
        """Wake who is first where a call that ended may have left room.

        Takes no lock: called from destructors, which may run amid our own work.
        """
        for claim in posting.claims:
            if claim.measure != "requests" or not posting.is_sent:
                self.wake(_room(claim))

    def wake(self, room: Room) -> None:
        """Wake who is first in a room, if anybody is."""
        with suppress(IndexError):
            self.queues.get(room, [])[0].ring()

    def forked(self) -> None:
        """Leave those who wait in the parent to the parent."""
        self.lock = Lock()
        self.queues.clear()


class Wait:
    """One call's way through the rooms, from its first refusal until it is sent or given up."""

    __slots__ = (
        "_looked_at",
        "_loop",
        "_room",
        "_rooms",
        "_rung",
        "_rung_on_loop",
        "is_over",
        "limits",
        "number",
        "since",
    )

    def __init__(self, rooms: Rooms, limits: Mapping[str, timedelta], loop: asyncio.AbstractEventLoop | None) -> None:
        """Come in; nothing is waited for yet.

        Args:
            rooms: of the process.
            limits: name of each limit that may be waited for → for how long at most.
            loop: what the call waits on; None: its thread.
        """
        self.limits = limits
        self.is_over = False
        """It does not wait (any more): the next answer is the last."""
        self.since: datetime | None = None
        """When it was first held up."""
        self.number = -1
        """Its place in the order of arrival; -1: it never had to wait."""
        self._looked_at = _LONG_AGO
        self._rooms = rooms
        self._room: Room | None = None
        self._loop = loop
        self._rung: SimpleQueue[None] = SimpleQueue()  # may be put to from a destructor, unlike an Event
        self._rung_on_loop = asyncio.Event()

    @property
    def budget(self) -> str | None:
        """Name the limit that it waits for; None: it does not wait."""
        return None if self._room is None else self._room[0]

    def before(self, claims: Sequence[Claim], now: datetime) -> float | None:
        """Say for how many seconds to wait before asking, since others came first; None: it may ask."""
        queues = self._rooms.queues
        if not queues or self.is_over:
            return None
        for claim in claims:
            queue = queues.get(_room(claim))
            if queue and claim.key.budget in self.limits and self._is_behind(queue):
                left = self._left(claim, now)
                if left <= 0:
                    self.is_over = True
                    return None
                # The last of them may have left before we stood here, with nobody to wake: look once more.
                return 0.0 if self._enter(_room(claim)) else left
        return None

    def after(self, answer: object, now: datetime) -> float | None:
        """Say for how many seconds to wait before asking again; None: this is the answer."""
        if not isinstance(answer, Refusal) or self.is_over:
            return None
        left = self._left(answer.claim, now)
        if _is_hopeless(answer, now, left):
            self.is_over = True
            return 0.0
        # What came free before we stood here, nobody told us: ask once more.
        if self._enter(_room(answer.claim)):
            return 0.0
        room = room_at(answer)
        until = _MOST_SECONDS_UNASKED
        if room is not None:
            until = min(until, (room - now).total_seconds() + self._rooms.jitter_seconds())
        return min(max(until, _LEAST_SECONDS), left)

    def pause(self, seconds: float) -> None:
        """Wait, in this thread, until it is rung or the time is over."""
        if seconds > 0:
            self._rooms.pause(self._rung, seconds)
            with suppress(Empty):
                while True:
                    self._rung.get_nowait()

    async def apause(self, seconds: float) -> None:
        """Wait, on the event loop, until it is rung or the time is over."""
        if seconds > 0:
            await self._rooms.apause(self._rung_on_loop, seconds)
            self._rung_on_loop.clear()

    def ring(self) -> None:
        """Let it ask again; from any thread, even from a destructor."""
        if self._loop is None:
            self._rung.put(None)
        else:
            with suppress(RuntimeError):  # its loop is closed, and nobody waits there any more
                self._loop.call_soon_threadsafe(self._rung_on_loop.set)

    def leave(self) -> None:
        """Make place for the next one, whatever became of the call."""
        room, rooms = self._room, self._rooms
        if room is None:
            return
        with rooms.lock:
            queue = rooms.queues.get(room, [])
            if self in queue:  # it is not, if it was forked meanwhile
                queue.remove(self)
            if not queue:
                rooms.queues.pop(room, None)
            self._room = None
        rooms.wake(room)

    def _enter(self, room: Room) -> bool:
        """Stand in a room, where one's number puts one; False: it stands there already."""
        if room == self._room:
            return False
        self.leave()
        rooms = self._rooms
        with rooms.lock:
            if self.number < 0:
                self.number = next(rooms.numbers)
            self._room = room
            insort(rooms.queues.setdefault(room, []), self, key=_number)
        return True

    def _is_behind(self, queue: list[Wait]) -> bool:
        """Tell whether somebody in a room came before."""
        first = next(iter(queue), self)  # the last one may be leaving
        return first is not self and (self.number < 0 or first.number < self.number)

    def _left(self, claim: Claim, now: datetime) -> float:
        """Say how many seconds it may still wait for a claim."""
        most = self.limits.get(claim.key.budget)
        if most is None:
            return 0.0
        since = now if self.since is None else self.since
        if now < self._looked_at:  # the clock was set back: that makes nobody wait any longer
            since -= self._looked_at - now
        self.since, self._looked_at = since, now
        return (since + most - now).total_seconds()


def _number(wait: Wait) -> int:
    return wait.number


def _room(claim: Claim) -> Room:
    return claim.key.budget, claim.key.subject


def _is_hopeless(refusal: Refusal, now: datetime, left: float) -> bool:
    """Tell whether there will be no room in time, whatever becomes of the calls under way."""
    claim = refusal.claim
    if left <= 0 or claim.amount_nano > claim.limit_nano:
        return True
    at = room_at(refusal)
    is_in_time = at is not None and (at - now).total_seconds() <= left
    is_fixed = claim.measure == "requests" or refusal.held_nano == refusal.spent_nano
    return is_fixed and not is_in_time


def _pause(rung: SimpleQueue[None], seconds: float) -> None:
    with suppress(Empty):
        rung.get(timeout=seconds)


async def _apause(rung: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await rung.wait()
