"""How much may be under way at a time, over all protocols of a process: what is beyond it is told to come again.

Refusing at once keeps those short that are taken: a request that waits its turn helps nobody, since its sender has a
queue of its own.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from otel_llmcost_collector.receivers.outcome import BUSY, TurnedAwayError

REQUESTS = 64
"""So many that those who are taken are answered in well under a tenth of a second."""
CONTENT_BYTES = 64 * 1024 * 1024


class Admission:
    """The bounds. Used by one event loop only."""

    def __init__(self, *, requests: int = REQUESTS, content_bytes: int = CONTENT_BYTES) -> None:
        """Let in so much at a time.

        Args:
            requests: that came in whole and are not answered yet. One that is still coming in counts by its bytes
                only, so that slow senders do not keep others out.
            content_bytes: of all, as they came and unpacked.
        """
        self.requests = 0
        self.content_bytes = 0
        self._most_requests = requests
        self._most_bytes = content_bytes

    @property
    def is_full(self) -> bool:
        """Tell whether one more request has no chance."""
        return self.requests >= self._most_requests

    def slot(self) -> Slot:
        """Return a place for one request, to be used in a `with`."""
        return Slot(self)

    def hold(self, count: int) -> None:
        """Make room for bytes.

        Raises:
            TurnedAwayError: there is none.
        """
        if self.content_bytes + count > self._most_bytes:
            raise TurnedAwayError(BUSY, "too many bytes are under way, come again")
        self.content_bytes += count

    def begin(self) -> None:
        """Make room for a request.

        Raises:
            TurnedAwayError: there is none.
        """
        if self.is_full:
            raise TurnedAwayError(BUSY, "too many requests are under way, come again")
        self.requests += 1


class Slot:
    """What one request takes up, given back at its end."""

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
        self._admission.content_bytes -= self._bytes
        self._admission.requests -= self._has_begun

    def hold(self, count: int) -> None:
        """Take up more bytes.

        Raises:
            TurnedAwayError: there is no room for them.
        """
        self._admission.hold(count)
        self._bytes += count

    def begin(self) -> None:
        """Count from now on, having come in whole.

        Raises:
            TurnedAwayError: there are too many.
        """
        self._admission.begin()
        self._has_begun = True
