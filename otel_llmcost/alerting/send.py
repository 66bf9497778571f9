"""Post a webhook once, with the standard library. Imported when there is something to send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from time import monotonic
from urllib.parse import SplitResult, urlsplit

from otel_llmcost import web
from otel_llmcost.alerting.schedule import DELIVERED, Outcome
from otel_llmcost.alerting.webhook import sign
from otel_llmcost.core.alert import Channel

_READ_AT_MOST_BYTES = 16 * 1024
_SECONDS = re.compile("[0-9]{1,9}")
_BUSY = frozenset({429, 502, 503, 504})


def send(channel: Channel, message_id: str, body: bytes, *, now: datetime, timeout_seconds: float) -> Outcome:
    """Sign a message and post it to a channel, once, following no redirect.

    Args:
        message_id: stays the same over all attempts of one message.
        timeout_seconds: for the connection, and then for request and answer together.
    """
    url = urlsplit(channel.url)
    headers = {
        "content-type": "application/json",
        "user-agent": "otel-llmcost",
        "connection": "close",
        **web.basic("authorization", url),
        **sign(channel.secret, message_id, now, body),
    }
    try:
        status, retry_after = _post(url, headers, body, timeout_seconds)
    except (OSError, HTTPException) as error:
        return Outcome(
            state="pending", problem=f"no answer from {web.origin(url)}: {web.reason(error)}", is_shared=True
        )
    return judge(status, retry_after, now)


def judge(status: int, retry_after: str | None, now: datetime) -> Outcome:
    """Say what a receiver's answer means."""
    with suppress(ValueError):
        status = HTTPStatus(status)
    if 200 <= status < 300:  # noqa: PLR2004 -- RFC 9110's classes
        return DELIVERED
    name = f" {status.phrase}" if isinstance(status, HTTPStatus) else ""
    problem = f"answered {int(status)}{name}"
    if status == HTTPStatus.GONE:
        return Outcome(state="dead", problem=f"{problem}: it wants no more")
    if 300 <= status < 400:  # noqa: PLR2004
        problem += ": redirects are not followed, the URL must be the final one"
    return Outcome(state="pending", problem=problem, is_shared=status in _BUSY, retry_after=_wait(retry_after, now))


def _post(url: SplitResult, headers: Mapping[str, str], body: bytes, timeout_seconds: float) -> tuple[int, str | None]:
    connection, target = web.connection(url, timeout_seconds)
    with closing(connection):
        connection.connect()
        deadline = monotonic() + timeout_seconds
        connection.request("POST", target, body, dict(headers))
        with closing(web.answer(connection, deadline)) as response:
            # Read a polite piece, else the receiver sees its connection reset. What it says does not matter.
            with suppress(OSError, HTTPException):
                response.read(_READ_AT_MOST_BYTES)
            return response.status, response.getheader("retry-after")


def _wait(retry_after: str | None, now: datetime) -> timedelta | None:
    """Read Retry-After: seconds or an HTTP date; anything else is not heard."""
    if retry_after is None:
        return None
    if _SECONDS.fullmatch(retry_after):
        return timedelta(seconds=int(retry_after))
    try:
        until = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    return max((until if until.tzinfo else until.replace(tzinfo=UTC)) - now, timedelta(0))
