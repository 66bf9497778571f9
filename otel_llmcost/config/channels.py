"""`[[alert]]` of `llmcost.toml`: the channels that alerts go to. Agents without any start without this module."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import time, timedelta
from importlib.util import find_spec

from otel_llmcost.config import kinds
from otel_llmcost.config.kinds import Kind, WrongValueError, listed, unknown
from otel_llmcost.config.reader import Notes, Table, rows
from otel_llmcost.core.alert import KINDS, Channel, Quiet

_LOSS = "no alerts go there"
_WEBHOOKS = ("http", "https")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\s*-\s*([01][0-9]|2[0-3]):([0-5][0-9])")


def channels(
    document: Mapping[str, object], notes: Notes, environ: Mapping[str, str], marks: frozenset[str]
) -> tuple[Channel, ...]:
    """Read `[[alert]]`; a channel that cannot be used safely is noted and left out.

    Args:
        document: the file.
        notes: takes what is wrong.
        environ: holds the secrets that the file only names.
        marks: levels that some budget has.
    """
    found: dict[str, tuple[Table, Channel]] = {}
    for row in rows(notes, document, "alert", loss=_LOSS):
        channel = _channel(row, environ, marks)
        if channel is not None and channel.name in found:
            row.fault(("name",), f'"{channel.name}" is taken', "a name of its own for each channel")
        elif channel is not None:
            found[channel.name] = row, channel
    return tuple(_linked(row, channel, tuple(found)) for row, channel in found.values())


def _channel(row: Table, environ: Mapping[str, str], marks: frozenset[str]) -> Channel | None:
    name = row.require("name", kinds.TEXT)
    url = _resolved(row, "url", row.require("url", kinds.ALERT_URL), environ)
    secret = _resolved(row, "secret", row.choose("secret", kinds.SECRET, None), environ)
    known = (*sorted(marks), *KINDS)
    levels = _known(row, "levels", row.take("levels", _LEVELS, known), known)
    remind_every = row.take("remind_every", _PAUSE, None)
    escalate_to = row.take("escalate_to", kinds.TEXT, None)
    escalate_after = row.take("escalate_after", kinds.DURATION, timedelta(minutes=15))
    quiet = _quiet(row, known)
    group = row.take("group", _GROUP, None)
    recoveries = row.take("recoveries", kinds.SWITCH, default=True)
    if url is not None:
        _check_scheme(row, url)
    if not row.finish() or name is None or url is None:
        return None
    return Channel(
        name=name,
        url=url,
        secret=secret,
        levels=levels,
        remind_every=remind_every,
        escalate_to=escalate_to,
        escalate_after=escalate_after,
        quiet=quiet,
        group=group,
        recoveries=recoveries,
    )


def _quiet(row: Table, known: tuple[str, ...]) -> Quiet | None:
    hours = row.take("quiet", _QUIET, None)
    timezone = row.take("timezone", kinds.TIMEZONE, "UTC")
    usual = tuple(level for level in ("exceeded", "stop") if level in known)
    except_for = _known(row, "quiet_except", row.take("quiet_except", _LEVELS, usual), known)
    if hours is None:
        for key in ("timezone", "quiet_except"):
            if key in row:
                row.mention((key,), "there are no quiet hours", 'quiet = "22:00-07:00" beside it', "it has no effect")
        return None
    return Quiet(starts=hours[0], ends=hours[1], timezone=timezone, except_for=except_for)


def _linked(row: Table, channel: Channel, names: tuple[str, ...]) -> Channel:
    """Check whom a channel hands on to, now that all are known."""
    target, key = channel.escalate_to, ("escalate_to",)
    if target is None:
        if "escalate_after" in row and "escalate_to" not in row:
            row.mention(("escalate_after",), "nobody is named", 'escalate_to = "…" beside it', "it has no effect")
        return channel
    if target != channel.name and target in names:
        return channel
    problem = "this is the channel itself" if target == channel.name else unknown("channel", target, names)
    others = tuple(name for name in names if name != channel.name)
    row.mention(key, problem, listed(others) if others else "another [[alert]]", "nobody is told in its place")
    return replace(channel, escalate_to=None)


def _known(row: Table, key: str, levels: Sequence[str], known: tuple[str, ...]) -> frozenset[str]:
    for position, level in enumerate(levels):
        if level not in known:
            row.mention((key, position), unknown("level", level, known), listed(known), "it is left out")
    return frozenset(levels) & frozenset(known)


def _check_scheme(row: Table, url: str) -> None:
    scheme = url.partition(":")[0].lower()
    if scheme not in _WEBHOOKS and find_spec("apprise") is None:
        expected = 'http or https, or: pip install "otel-llmcost[apprise]"'
        row.fault(("url",), f"{scheme}: is delivered by the package apprise, which is not installed", expected)
    elif scheme not in _WEBHOOKS and "secret" in row:
        row.notice(("secret",), "only webhooks are signed")


def _resolved(row: Table, key: str, text: str | None, environ: Mapping[str, str]) -> str | None:
    """Look a secret up in the environment where the file only names it."""
    if text is None or not text.startswith(kinds.FROM_ENVIRONMENT):
        return text
    variable = text.removeprefix(kinds.FROM_ENVIRONMENT)
    value = environ.get(variable, "")
    if not value:
        row.fault((key,), f"the environment has no {variable}", f"a value in the variable {variable}")
    elif key == "url" and "://" not in value:
        row.fault((key,), f"what {variable} holds is no URL", kinds.ALERT_URL.expected)
    return value


def _levels(value: object) -> tuple[str, ...]:
    return () if value == [] else kinds.LEVELS.read(value)


def _at_least(shortest: timedelta) -> Kind[timedelta]:
    def read(value: object) -> timedelta:
        duration = kinds.DURATION.read(value)
        if duration < shortest:
            raise WrongValueError(value)
        return duration

    seconds = int(shortest.total_seconds())
    return Kind(f'a time of at least {seconds} s, such as "15m"', read)


def _hours(value: object) -> tuple[time, time]:
    found = _HOURS.fullmatch(kinds.TEXT.read(value))
    if not found:
        raise WrongValueError(value)
    starts, ends = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    if starts == ends:
        raise WrongValueError(value, problem="quiet hours that end when they begin")
    return starts, ends


_LEVELS = Kind('a list of levels such as ["warning", "exceeded"]', _levels)
_PAUSE = _at_least(timedelta(minutes=1))
_GROUP = _at_least(timedelta(seconds=1))
_QUIET = Kind('hours such as "22:00-07:00"', _hours)
