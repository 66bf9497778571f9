"""Instants as people name them on a command line."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from otel_llmcost.core.window import Calendar, Rolling, parse_window

EXPECTED = (
    "a length such as 7d or 24h, today, hour, day, week, month, quarter, year (since they began, in UTC), "
    "or a date such as 2026-11-01"
)


def instant(text: str, now: datetime, option: str) -> datetime:
    """Read an instant that is not after `now` unless it is a date.

    Raises:
        BadParameter: it cannot be read.
    """
    try:
        window = parse_window("day" if text == "today" else text)
    except ValueError:
        return _date(text, option)
    if isinstance(window, Rolling):
        return now - window.length
    if isinstance(window, Calendar):
        return window.at(now).start
    raise _wrong(text, option)


def end(text: str, now: datetime, option: str) -> datetime:
    """Read an instant to come: a length from now, the end of the present day or month, or a date.

    Raises:
        BadParameter: it cannot be read, or is over.
    """
    try:
        window = parse_window("day" if text == "today" else text)
    except ValueError:
        until: datetime | None = _date(text, option)
    else:
        until = now + window.length if isinstance(window, Rolling) else window.at(now).end
    if until is None:
        raise _wrong(text, option)
    if until <= now:
        raise click.BadParameter(f"{text!r} is over already.", param_hint=option)
    return until


def _date(text: str, option: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(text, option) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _wrong(text: str, option: str) -> click.BadParameter:
    return click.BadParameter(f"{text!r} is not {EXPECTED}.", param_hint=option)
