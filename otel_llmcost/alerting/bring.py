"""One attempt to bring a message to a channel, whatever kind of channel it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from otel_llmcost.alerting.apprise import Notifier
from otel_llmcost.alerting.message import Message
from otel_llmcost.alerting.schedule import Outcome
from otel_llmcost.alerting.send import send
from otel_llmcost.alerting.webhook import SCHEMES
from otel_llmcost.core.alert import Channel

Bring = Callable[[Channel, Message, datetime, float], Outcome]
"""Tries once, for so many seconds at most; a failure is an outcome, not an error."""


def bringing() -> Bring:
    """Make what brings messages: signed webhooks by ourselves, all else by apprise."""
    notifier = Notifier()

    def bring(channel: Channel, message: Message, now: datetime, timeout_seconds: float) -> Outcome:
        if urlsplit(channel.url).scheme in SCHEMES:
            return send(channel, message.message_id, message.body, now=now, timeout_seconds=timeout_seconds)
        return notifier.send(channel, message, now=now, timeout_seconds=timeout_seconds)

    return bring
