"""Who may ask a service that is reached over a network, on whatever protocol."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from otel_llmcost_collector.tokens import ANYBODY, Right, Token, holder

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class DeniedError(Exception):
    """Somebody who may not."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        self.status = status
        super().__init__(detail)


def admitted(tokens: Sequence[Token], authorization: str, rights: frozenset[Right]) -> Token:
    """Find who asks.

    Args:
        tokens: of those who may; none at all: anybody may.
        authorization: the header of that name.
        rights: of which one is needed.

    Raises:
        DeniedError: nobody who may.
    """
    if not tokens:
        return ANYBODY
    found = holder(tokens, authorization)
    if found is None:
        raise DeniedError(HTTPStatus.UNAUTHORIZED, "a known bearer token is needed")
    if not found.rights & rights:
        needed = " or ".join(sorted(rights))
        raise DeniedError(HTTPStatus.FORBIDDEN, f"the token {found.name!r} lacks the right {needed}")
    return found


def check_host(host: str) -> None:
    """Where no tokens are asked for, serve only names of this machine: a page in a browser may be led here by another.

    Raises:
        DeniedError: it is another name.
    """
    host = host.lower()
    if host not in _LOOPBACK and host.rpartition(":")[0] not in _LOOPBACK:
        raise DeniedError(HTTPStatus.FORBIDDEN, "without tokens, only localhost is served")
