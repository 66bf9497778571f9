"""What a webhook says and how it is signed, after Standard Webhooks 1.0; `verify` is for receivers."""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import urlsplit

from otel_llmcost.alerting.top import AgentCost
from otel_llmcost.core.alert import Alert, Channel, News
from otel_llmcost.core.budget import from_units, projected
from otel_llmcost.core.exact_json import Json, to_json
from otel_llmcost.core.money import from_nano, to_nano
from otel_llmcost.errors import ConfigError, WebhookError

SCHEMES = frozenset({"http", "https"})
TOLERANCE = timedelta(minutes=5)

_PREFIX = "whsec_"
_ID, _TIMESTAMP, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_SECONDS = re.compile("[0-9]{1,12}")
_LABEL = 64
"""No part of a host's name is as long as this."""
_PLAIN = re.compile("[!-~]+")
_SHARE = Decimal("1e-6")


class Headers(Protocol):
    """Headers of a request, as a dict or as any web framework's own type."""

    def items(self) -> Iterable[tuple[str, str]]:
        """List names and values."""
        ...


def body(alert: Alert, top: Sequence[AgentCost] = (), *, news: News = "fired", by: str | None = None) -> bytes:
    """Write news of an alert as JSON. The same news and `top` give the same bytes, whenever it is sent.

    Args:
        alert: what it is about.
        top: agents that spent most of it.
        news: what is told of it.
        by: who has acknowledged it; None: nobody, or it is not the news.
    """
    data: dict[str, Json] = {
        "alert_id": alert.alert_id,
        "state": news,
        "budget": alert.key.budget,
        "scope": alert.key.subject,
        "window": {"start": _instant(alert.window_start), "end": _instant(alert.window_end)},
        "level": alert.level,
        **_amounts(alert),
        "top": [{"agent": each.agent, "cost_usd": from_nano(each.cost_nano)} for each in top],
        "trace_id": alert.trace_id,
    }
    if by is not None:
        data["acknowledged_by"] = by
    if alert.facts:
        data["facts"] = alert.facts
    return to_json({"type": alert.type, "timestamp": _instant(alert.at), "data": data}).encode()


def group_body(bodies: Sequence[bytes], at: datetime) -> bytes:
    """Write several messages as one, each as it would be by itself."""
    start = to_json({"type": "alerts", "timestamp": _instant(at)}).removesuffix("}").encode()
    return start + b',"data":{"alerts":[' + b",".join(bodies) + b"]}}"


def notice(kind: str, at: datetime, text: str) -> bytes:
    """Write a message that is about otel-llmcost itself, such as `store.failed`, as JSON."""
    return to_json({"type": kind, "timestamp": _instant(at), "data": {"message": text}}).encode()


def projection(alert: Alert) -> Decimal:
    """Carry the pace until the alert on to its window's end; where there is no end, what was spent."""
    spent = from_units(alert.spent_nano, alert.measure)
    if alert.window_start is None or alert.window_end is None:
        return spent
    exact = projected(spent, alert.window_start, alert.window_end, alert.at)
    return from_nano(to_nano(exact)) if alert.measure == "cost" else exact.quantize(Decimal(1))


def share(alert: Alert) -> Decimal:
    """Say what share of its limit was spent; 1 where the limit is 0."""
    return Decimal(alert.spent_nano) / alert.limit_nano if alert.limit_nano else Decimal(1)


def keys(secret: str) -> tuple[bytes, ...]:
    """Read the signing keys of a secret: several, separated by spaces, while one replaces the other.

    Raises:
        ConfigError: no key at all, or `whsec_` without base64 behind it. The message does not show the secret.
    """
    found = tuple(_key(part) for part in secret.split())
    if not found or not all(found):
        raise ConfigError("the secret is empty", key="secret", expected="`whsec_` and base64, or a text")
    return found


def sign(secret: str | None, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Make the headers of one attempt; without a secret, all but the signature."""
    timestamp = str(int(at.timestamp()))
    headers = {_ID: message_id, _TIMESTAMP: timestamp}
    if secret is not None:
        headers[_SIGNATURE] = " ".join(_signature(key, message_id, timestamp, body) for key in keys(secret))
    return headers


def verify(
    secret: str,
    headers: Headers,
    body: bytes,
    *,
    now: datetime | None = None,
    tolerance: timedelta = TOLERANCE,
) -> dict[str, Any]:
    """Check a received webhook and read it.

    Args:
        secret: the channel's; several, separated by spaces, while one replaces the other.
        headers: of the request; names in any case.
        body: as it came, byte for byte, not parsed and written again.
        now: None: the clock's.
        tolerance: how far the sender's clock and ours may differ; what is older may be a replay.

    Returns:
        The message; amounts are `Decimal` or `int`, never `float`.

    Raises:
        WebhookError: it must not be believed.
        ConfigError: the secret cannot be used.
    """
    got = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = (got.get(name, "") for name in (_ID, _TIMESTAMP, _SIGNATURE))
    if not (message_id and signatures and _SECONDS.fullmatch(timestamp)):
        raise WebhookError("headers webhook-id, webhook-timestamp and webhook-signature are not all there")
    age_seconds = (now or datetime.now(UTC)).timestamp() - int(timestamp)
    if abs(age_seconds) > tolerance.total_seconds():
        raise WebhookError(f"sent {age_seconds:.0f} seconds ago by its timestamp: too far from now")
    given = [each.encode(errors="replace") for each in signatures.split(" ")]
    right = [_signature(key, message_id, timestamp, body).encode() for key in keys(secret)]
    if not any(hmac.compare_digest(one, other) for one in right for other in given):
        raise WebhookError("no signature of it fits the secret")
    return _read(body)


def problem_of(channel: Channel) -> str | None:
    """Say why nothing can be delivered to a channel; None: nothing stands against it. Shows no secret."""
    try:
        url = urlsplit(channel.url)
        port, host = url.port, url.hostname or ""
    except ValueError:
        return "its URL cannot be read"
    if url.scheme not in SCHEMES:
        return None if url.scheme else "its URL has no scheme"  # what else is wrong with it, apprise knows
    if (
        port == 0
        or not _PLAIN.fullmatch(channel.url)
        or not all(0 < len(part) < _LABEL for part in host.removesuffix(".").split("."))
    ):
        return "its URL needs a host, and to be ASCII without spaces"
    try:
        sign(channel.secret, "", datetime.now(UTC), b"")
    except ConfigError as error:
        return str(error)
    return None


def _amounts(alert: Alert) -> dict[str, Json]:
    """Say how much of how much: USD under names that say so, else what is counted."""
    is_cost = alert.measure == "cost"
    unit = "_usd" if is_cost else ""
    spent, limit = (from_units(each, alert.measure) for each in (alert.spent_nano, alert.limit_nano))
    said: dict[str, Json] = {} if is_cost else {"measure": alert.measure}
    said |= {
        "share": share(alert).quantize(_SHARE),
        f"spent{unit}": spent,
        f"limit{unit}": limit,
        f"remaining{unit}": max(limit - spent, Decimal(0)),
        f"projected{unit}": projection(alert),
    }
    if alert.requested_nano is not None:
        said |= {"refused": True, f"requested{unit}": from_units(alert.requested_nano, alert.measure)}
    return said


def _key(part: str) -> bytes:
    if not part.startswith(_PREFIX):
        return part.encode()
    text = part.removeprefix(_PREFIX)
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise ConfigError("the secret is not base64 after whsec_", key="secret") from None


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode(errors="replace") + body
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body, parse_float=Decimal)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise WebhookError("rightly signed, but not a JSON object")
    return message  # pyright: ignore[reportUnknownVariableType] -- JSON has no type
