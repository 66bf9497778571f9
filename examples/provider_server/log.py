"""What arrived at the server, for its owner to look at."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields

from examples.provider_server.addresses import provider_of
from examples.provider_server.wire import Json, Provider

_LONGEST_HOLD_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Exchange:
    """A request that arrived, and what became of it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    """Names in lower case."""
    body: Json
    at: float
    """Unix seconds of its arrival."""
    status: int | None = None
    """None until it is answered, and for ever if the connection was dropped on purpose."""
    usage: Json | None = None
    """What the answer cost, reported to the client or not."""
    is_complete: bool = False
    """The whole answer was written and the client was still there."""

    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    """What was sent with a form, by the form's names."""

    @property
    def provider(self) -> Provider:
        """Whose client sent it."""
        return provider_of(self.path, self.headers)

    def to_json(self) -> Json:
        """Return all but the files."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "files"}


class Log:
    """The exchanges so far, oldest first; holds requests back when told to."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._exchanges: list[Exchange] = []
        self._open = threading.Event()
        self._open.set()

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange; return when it may be answered."""
        with self._changed:
            self._exchanges.append(exchange)
            self._changed.notify_all()
        self._open.wait(_LONGEST_HOLD_SECONDS)

    def all(self) -> list[Exchange]:
        """Return what has arrived."""
        with self._changed:
            return list(self._exchanges)

    def clear(self) -> None:
        """Forget what has arrived."""
        with self._changed:
            self._exchanges.clear()

    def hold(self) -> None:
        """Let requests arrive, but answer none until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Answer what was held, and what comes."""
        self._open.set()

    def wait_for(self, count: int, timeout_seconds: float) -> None:
        """Wait until so many requests have arrived.

        Raises:
            TimeoutError: Fewer arrived in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._exchanges) >= count, timeout_seconds):
                raise TimeoutError(f"{len(self._exchanges)} of {count} requests arrived in {timeout_seconds} s")
