"""Changing a request before it is sent, as a budget's mark wants it: whatever goes wrong, it is sent as it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from otel_llmcost.adapters.changes import Applied, Asked, apply
from otel_llmcost.core.change import NO_CHANGE, Change
from otel_llmcost.instrumentation.contain import contained, logger
from otel_llmcost.instrumentation.turn import Turn

REJECTED = frozenset({400, 403, 404, 422})
"""What servers say to a model that is not there or not for this caller, or a cap they do not know."""
_SIGNED = frozenset({"content-md5", "digest", "content-digest", "signature", "x-amz-content-sha256"})
_MOST_REFUSED = 1000
_REST = timedelta(minutes=5)
"""What rejects a change may lie in the one request, such as more output than the other model has."""

_refused: dict[tuple[str, str, str, Change], datetime] = {}
"""Host, endpoint, model and change of requests that were rejected only because of the change → when it is tried again.
"""


class Shaped:
    """A change that was made, until its request is answered."""

    __slots__ = ("_asked", "_change", "_turn", "applied")

    def __init__(self, turn: Turn, change: Change, asked: Asked, applied: Applied) -> None:
        self._turn = turn
        self.applied: Applied | None = applied
        """None: it was taken back."""
        self._change = change
        self._asked = asked

    def takes_back(self, status: int | None) -> bool:
        """Tell whether the server may have rejected the change: then the request is to be sent as it was made."""
        if self.applied is None or status not in REJECTED:
            return False
        self.applied = None
        self._turn.applied, self._turn.unapplied = NO_CHANGE, self._change
        self._turn.endpoint = self._asked.endpoint
        return True

    def answered(self) -> None:
        """Hear that the request was accepted: if only without the change, such a change is left for a while."""
        if self.applied is not None:
            return
        key = _key(self._asked, self._change)
        if key not in _refused:
            logger.warning(
                "%s does not take %s in place of what is asked of %s: sent as it was made, tried again in 5 minutes",
                *(self._asked.host, _said(self._change), self._asked.model),
            )
        if len(_refused) >= _MOST_REFUSED:
            _refused.clear()
        _refused[key] = self._turn.call.at + _REST


def shape(turn: Turn, asked: Callable[[], Asked | None], write: Callable[[Applied], None]) -> Shaped | None:
    """Change a request.

    Args:
        turn: of its call; is told what was changed and what was not.
        asked: reads the request; None: it must not be touched.
        write: puts the changed request in its place.

    Returns:
        None: it is sent as it was made.
    """
    change = turn.change
    if change is None:
        return None
    turn.applied, turn.unapplied = NO_CHANGE, change
    with contained("change a request"):
        request = asked()
        if request is None or turn.call.at < _refused.get(_key(request, change), turn.call.at):
            return None
        applied = apply(change, request)
        if applied.done != NO_CHANGE:
            write(applied)
        turn.applied, turn.unapplied, turn.endpoint = applied.done, applied.left, applied.endpoint
        if applied.done != NO_CHANGE:
            return Shaped(turn, change, request, applied)
    return None


def is_signed(headers: Mapping[str, Any], url: str) -> bool:
    """Tell whether whoever made a request signed what is in it."""
    says_so = any(name.lower() in _SIGNED for name in headers)
    return says_so or "AWS4-" in str(headers.get("authorization")) or "X-Amz-Signature=" in url


def with_path(url: str, path: str | None) -> str:
    """Return a URL with another path; None: as it is."""
    return url if path is None else urlsplit(url)._replace(path=path).geturl()


def _said(change: Change) -> str:
    cap = change.max_output_tokens
    parts = (change.model, None if cap is None else f"a cap of {cap} output tokens")
    return " with ".join(part for part in parts if part is not None)


def _key(asked: Asked, change: Change) -> tuple[str, str, str, Change]:
    return asked.host, asked.endpoint.path, asked.model, change
