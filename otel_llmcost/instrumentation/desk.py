"""Where claims are taken before a call and booked after it: in the store, or by what stands in while it is away."""

from __future__ import annotations

import asyncio
from functools import partial

from otel_llmcost.core.budget import Claim, Grant, Refusal
from otel_llmcost.core.policy import Policy
from otel_llmcost.errors import StoreBusyError, StoreError
from otel_llmcost.instrumentation.outage import Outage
from otel_llmcost.instrumentation.rooms import Rooms
from otel_llmcost.storage.base import Hold, Posting
from otel_llmcost.storage.writer import Writer

_MOST_UNSURE = 10_000
"""So many settlements may wait for the store to come back before nothing is given back any more on suspicion."""


class Desk:
    """Takes and books for one process."""

    __slots__ = ("outage", "rooms", "unsure", "writer")

    def __init__(self, writer: Writer, outage: Outage, rooms: Rooms) -> None:
        """Take what it works with.

        Args:
            writer: keeps the books.
            outage: decides while the store is away.
            rooms: where calls wait, which are to hear of what is given back.
        """
        self.writer = writer
        self.outage = outage
        self.rooms = rooms
        self.unsure: dict[str, tuple[Claim, ...]] = {}
        """What the store may hold although its answer did not come, for calls that were not let through without it."""

    def reserve(self, hold: Hold, policy: Policy, *, tell: bool) -> Refusal | Grant | None:
        """Take a call's claims.

        Raises:
            BudgetExceededError: the store is away, and a budget is closed then.
        """
        try:
            answer = self.writer.reserve(hold, tell=tell)
        except StoreError as error:
            return self._without_store(hold, policy, error)
        self._answered(hold)
        return answer

    async def areserve(self, hold: Hold, policy: Policy, *, tell: bool) -> Refusal | Grant | None:
        """Take a call's claims without ever waiting on the event loop.

        Raises:
            BudgetExceededError: the store is away, and a budget is closed then.
        """
        try:
            answer = await self._areserve(hold, tell=tell)
        except StoreError as error:
            return self._without_store(hold, policy, error)
        self._answered(hold)
        return answer

    def book(self, posting: Posting) -> None:
        """Book the end of a call; never waits, never raises."""
        self.writer.settle(posting)
        if self.outage.is_on:
            self.outage.settle(posting)
        if self.rooms.queues:
            self.rooms.freed(posting)

    def give_back(self, reservation_id: str, claims: tuple[Claim, ...]) -> None:
        """Release what a call took that is not sent."""
        self.book(_nothing_of(reservation_id, claims))

    def let_go(self, reservation_id: str) -> None:
        """Release what the store may hold for a call that is not sent after all."""
        claims = self.unsure.pop(reservation_id, None)
        if claims is not None and self.writer.waiting < _MOST_UNSURE:
            self.writer.release(_nothing_of(reservation_id, claims))

    def _answered(self, hold: Hold) -> None:
        if self.outage.is_on:
            self.outage.is_over()
        if self.unsure:
            self.unsure.pop(hold.reservation_id, None)

    def _without_store(self, hold: Hold, policy: Policy, error: StoreError) -> Refusal | Grant | None:
        self.unsure[hold.reservation_id] = hold.claims
        answer = self.outage.reserve(hold, policy, error)
        if not isinstance(answer, Refusal):
            del self.unsure[hold.reservation_id]  # the end of the call will release it
        return answer

    async def _areserve(self, hold: Hold, *, tell: bool) -> Refusal | Grant | None:
        if self.writer.is_async:
            waiting: asyncio.Future[Refusal | Grant | None] = asyncio.ensure_future(
                self.writer.areserve(hold, tell=tell)
            )
        else:
            try:
                return self.writer.reserve(hold, wait=False, tell=tell)
            except StoreBusyError:
                reserve = partial(self.writer.reserve, hold, tell=tell)
                waiting = asyncio.get_running_loop().run_in_executor(None, reserve)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            waiting.add_done_callback(lambda done: self._give_back_late(hold, done))
            raise

    def _give_back_late(self, hold: Hold, done: asyncio.Future[Refusal | Grant | None]) -> None:
        """Release what was taken, or may have been, for a task that was cancelled meanwhile."""
        if done.cancelled():
            return
        if done.exception() is not None:
            self.unsure[hold.reservation_id] = hold.claims
            self.let_go(hold.reservation_id)
        elif not isinstance(done.result(), Refusal):
            self.give_back(hold.reservation_id, hold.claims)


def _nothing_of(reservation_id: str, claims: tuple[Claim, ...]) -> Posting:
    return Posting(reservation_id=reservation_id, claims=claims, charge=None, assumed={}, is_sent=False)
