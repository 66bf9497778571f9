"""How much may be under way at a time, over all protocols of a process: what is beyond it is told to come again.

Refusing at once keeps those short that are taken: a request that waits its turn helps nobody, since its sender has a
queue of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Final, Self

from otel_llmcost_collector.receivers.outcome import BUSY, TurnedAwayError

REQUESTS: Final = 32
"""So many batches that those who are taken are answered within a tenth of a second by one core."""
CONTENT_BYTES: Final = 64 * 1024 * 1024
SLOW_SECONDS: Final = 5.0


class Admission:
    """The bounds. Used by one event loop only."""

    def __init__(
        self,
        *,
        requests: int = REQUESTS,
        content_bytes: int = CONTENT_BYTES,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Let in so much at a time.

        Args:
            requests: from their head to their answer. One that still comes in after `SLOW_SECONDS` counts by its bytes
                only, so that slow senders keep no others out.
            content_bytes: of all, as they came and unpacked.
            clock: tells seconds.
        """
        self.content_bytes = 0
        self._most_requests = requests
        self._most_bytes = content_bytes
        self._clock = clock
        self._coming = dict[Slot, float]()
        """Requests of which something is missing yet → when they began to come in, in this order."""
        self._begun = 0

    @property
    def requests(self) -> int:
        """How many are under way."""
        since = self._clock() - SLOW_SECONDS
        while self._coming:
            slot = next(iter(self._coming))
            if self._coming[slot] > since:
                break
            del self._coming[slot]
        return len(self._coming) + self._begun

    def slot(self) -> Slot:
        """Return a place for one request, to be used in a `with`.

        Raises:
            TurnedAwayError: there is none.
        """
        slot = Slot(self)
        self.check()
        self._coming[slot] = self._clock()
        return slot

    def check(self) -> None:
        """Look for room for one more request.

        Raises:
            TurnedAwayError: there is none.
        """
        if self.requests >= self._most_requests:
            raise TurnedAwayError(BUSY, "too many requests are under way, come again")

    def hold(self, count: int) -> None:
        """Make room for bytes.

        Raises:
            TurnedAwayError: there is none.
        """
        if self.content_bytes + count > self._most_bytes:
            raise TurnedAwayError(BUSY, "too many bytes are under way, come again")
        self.content_bytes += count

    def begin(self, slot: Slot) -> None:
        """Note that a request has come in whole.

        Raises:
            TurnedAwayError: it took long, and others are in its place.
        """
        if self._coming.pop(slot, None) is None:
            self.check()
        self._begun += 1

    def end(self, slot: Slot, *, has_begun: bool, content_bytes: int) -> None:
        """Give back what a request took up."""
        self._coming.pop(slot, None)
        self._begun -= has_begun
        self.content_bytes -= content_bytes


class Slot:
    """What one request takes up."""

    __slots__ = ("_admission", "_bytes", "_has_begun")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._bytes = 0
        self._has_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._admission.end(self, has_begun=self._has_begun, content_bytes=self._bytes)

    def hold(self, count: int) -> None:
        """Take up more bytes.

        Raises:
            TurnedAwayError: there is no room for them.
        """
        self._admission.hold(count)
        self._bytes += count

    def begin(self) -> None:
        """Note that the request has come in whole.

        Raises:
            TurnedAwayError: it took long, and there is no room for it any more.
        """
        self._admission.begin(self)
        self._has_begun = True
