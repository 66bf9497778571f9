"""Instants as people name them on a command line."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from otel_llmcost.cli.output import moment
from otel_llmcost.core.window import Calendar, Rolling, parse_window

EXPECTED = (
    "a length such as 7d or 24h, today, hour, day, week, month, quarter, year (since they began, in UTC), "
    "or a date such as 2026-11-01"
)
_EXPECTED_END = (
    "a length such as 30m or 8h, day, week, month, quarter, year (the end of the present one, in UTC), "
    "or a date such as 2026-12-01"
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


def span(since: str, until: str | None, now: datetime, *options: str) -> tuple[datetime, datetime]:
    """Read where a time begins and ends, now if that is left out.

    Raises:
        BadParameter: one of them cannot be read, or it ends before it begins.
    """
    start = instant(since, now, options[0])
    stop = instant(until, now, options[-1]) if until else now
    if start >= stop:
        raise click.BadParameter(f"{moment(start)} is not before {moment(stop)}.", param_hint=options[0])
    return start, stop


def end(text: str, now: datetime, option: str) -> datetime:
    """Read an instant to come: a length from now, the end of the present day or month, or a date.

    Raises:
        BadParameter: it cannot be read, or is over.
    """
    try:
        window = parse_window("day" if text == "today" else text)
    except ValueError:
        until: datetime | None = _date(text, option, _EXPECTED_END)
    else:
        until = now + window.length if isinstance(window, Rolling) else window.at(now).end
    if until is None:
        raise _wrong(text, option, _EXPECTED_END)
    if until <= now:
        raise click.BadParameter(f"{text!r} is over already.", param_hint=option)
    return until


def _date(text: str, option: str, expected: str = EXPECTED) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(text, option, expected) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _wrong(text: str, option: str, expected: str = EXPECTED) -> click.BadParameter:
    return click.BadParameter(f"{text!r} is not {expected}.", param_hint=option)
