"""Channels that need no network: the log of the program."""

from __future__ import annotations

from collections.abc import Iterable

from otel_llmcost.core.alert import KINDS, Channel

_LOG = "log:"


def log_channel(levels: Iterable[str]) -> Channel:
    """Make the channel that logs alerts of these levels, and those of every other kind.

    It takes its alerts from the outbox like any other, so in a whole fleet each is logged once, also those that
    a refusal fired inside the store.
    """
    return Channel(name="(log)", url=_LOG, secret=None, levels=frozenset((*levels, *KINDS)))


def is_log(channel: Channel) -> bool:
    """Tell whether alerts for a channel are logged rather than sent."""
    return channel.url == _LOG
