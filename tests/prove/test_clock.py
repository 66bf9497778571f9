"""Windows and clocks: every charge counts in one window, whatever clocks and calendars do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from otel_llmcost.core.budget import Budget, Refusal
from otel_llmcost.core.window import CALENDAR, Calendar, Rolling, parse_window
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Store
from tests.prove.conftest import UrlOf
from tests.prove.report import Report
from tests.prove.sizes import Size
from tests.storage.books import USD, Books, budget

ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kathmandu"),
    "Australia/Lord_Howe",  # half an hour of summer
    *("America/Havana", "Asia/Beirut", "Africa/Cairo"),  # clocks are set at midnight
    "Pacific/Apia",  # had no 30 December 2011
    *("America/Santiago", "Africa/Casablanca"),  # winter in July; an hour back for Ramadan
)
ROLLING = ("90s", "1h", "5h", "24h", "30d")
_YEARS = (2011, 2024, 2026, 2028)
_HOUR = timedelta(hours=1)
_MICROSECOND = timedelta(microseconds=1)
_LIMIT = 12
_SPECIAL = (
    *(datetime(year, 2, 29, tzinfo=UTC) for year in (2024, 2028)),
    *(datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 4, 5, 7, 10, 12)),
    *(datetime(year, 1, 1, tzinfo=UTC) for year in (2024, 2025, 2027)),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
)


def changes(zone: str) -> list[datetime]:
    """Find the hours in which a zone's clocks are set."""
    where, found = ZoneInfo(zone), []
    for year in _YEARS:
        start = datetime(year, 1, 1, tzinfo=UTC)
        hours = [start + number * _HOUR for number in range(366 * 24)]
        offsets = [hour.astimezone(where).utcoffset() for hour in hours]
        found += [hour for number, hour in enumerate(hours[1:]) if offsets[number] != offsets[number + 1]]
    return found


_CHANGES = {zone: changes(zone) for zone in ZONES}


@pytest.mark.parametrize("zone", ZONES)
def test_windows_follow_one_another_without_gap_or_overlap(zone: str, report: Report) -> None:
    """Through whole years: each begins where the one before ended, and each instant knows which is its own."""
    counts: Counter[str] = Counter()
    for year in _YEARS:
        for unit in CALENDAR:
            window = Calendar(unit, ZoneInfo(zone))
            at, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
            while at < end:
                span = window.at(at)
                assert span.start <= at < span.end
                assert window.at(span.start) == window.at(span.end - _MICROSECOND) == span
                assert window.at(span.end).start == span.end
                counts[unit] += 1
                at = span.end
    report.say("d  windows of years", zone, ", ".join(f"{count:,} {unit}s" for unit, count in counts.items()))


@dataclass(frozen=True)
class Tick:
    """A move of the clock, and a call that is made then."""

    move: timedelta
    usd: int
    is_late: bool
    """It ends after the next call has begun."""
    keeps_up: bool


TICKS = st.lists(
    st.builds(
        Tick,
        move=st.one_of(
            st.sampled_from([_HOUR, -_HOUR, timedelta()]),
            st.integers(0, 45 * 60).map(lambda seconds: timedelta(seconds=seconds)),
        ),
        usd=st.integers(1, 4),
        is_late=st.booleans(),
        keeps_up=st.booleans(),
    ),
    min_size=3,
    max_size=25,
)
MOMENTS = st.sampled_from(ZONES).flatmap(
    lambda zone: st.tuples(
        st.just(zone),
        st.sampled_from([*_CHANGES[zone], *_SPECIAL]),
        st.integers(-3 * 3600, 3 * 3600).map(lambda seconds: timedelta(seconds=seconds)),
    )
)


def budgets_of(zone: str, mark: str) -> list[Budget]:
    """Make one budget of each kind of window, each with a limit that is reached now and then."""
    calendar = [budget(f"{unit}{mark}", str(_LIMIT), window=parse_window(unit, zone)) for unit in CALENDAR]
    rolling = [budget(f"{text}{mark}", str(_LIMIT), window=parse_window(text)) for text in ROLLING]
    return [*calendar, *rolling]


@dataclass
class Spent:
    """What was let through, and when."""

    at: datetime
    usd: int


def live(books: Books, ticks: Sequence[Tick], one: Budget) -> list[Spent]:
    """Make calls while the clock moves; hold every answer of the store to what was spent so far."""
    spent: list[Spent] = []
    late = []
    for tick in ticks:
        books.now += tick.move
        hold = books.hold(tick.usd)
        answer = books.store.reserve(hold)
        check(one, spent, books.now, tick.usd, is_granted=not isinstance(answer, Refusal))
        for each in late:
            books.store.settle([each])
        late.clear()
        if not isinstance(answer, Refusal):
            spent.append(Spent(books.now, tick.usd))
            late.append(books.posting(hold, tick.usd))
            if not tick.is_late:
                books.store.settle([late.pop()])
        if tick.keeps_up:
            books.store.expire(books.now - timedelta(minutes=15))
    books.store.settle(late)
    return spent


def check(one: Budget, spent: Sequence[Spent], now: datetime, usd: int, *, is_granted: bool) -> None:
    """Let a window be entered if it has room, and not if it has none: also one that the clock has come back to."""
    if isinstance(one.window, Rolling):
        length = one.window.length
        bucket = length / 60
        least = sum(each.usd for each in spent if now - length <= each.at <= now)
        most = sum(each.usd for each in spent if now - length - bucket <= each.at)
        assert least + usd <= _LIMIT if is_granted else most + usd > _LIMIT
    else:
        inside = one.window.at(now)
        assert is_granted == (sum(each.usd for each in spent if one.window.at(each.at) == inside) + usd <= _LIMIT)


def windows_add_up(store: Store, one: Budget, spent: Sequence[Spent]) -> None:
    """Hold the sum over all windows to what was spent, and each window to its limit."""
    spans = {one.window.at(each.at) for each in spent}
    found = [store.balances([(one, span)])[0] for span in spans]
    assert sum(balance.settled_nano for balance in found) == sum(each.usd for each in spent) * USD
    assert sum(balance.calls for balance in found) == len(spent)
    assert all(balance.settled_nano <= balance.limit_nano for balance in found)


@contextmanager
def fresh(kind: str, url_of: UrlOf, folder: Path, number: int) -> Iterator[Store]:
    """Open a store in which nothing is."""
    url = url_of(kind)
    if kind == "sqlite":
        url = f"sqlite://{folder}/{number}.db"
    elif kind != "memory":
        url = f"{url}&prefix=clock{number}"
    with closing(open_store(url)) as store:
        yield store


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis", "redis+cluster"])
def test_every_charge_counts_in_one_window_though_the_clock_goes_back_and_forth(
    kind: str, url_of: UrlOf, tmp_path: Path, report: Report, size: Size
) -> None:
    """The sum over windows is the ledger; a window that the clock comes back to has no more room than it had left."""
    counts: Counter[str] = Counter()
    histories = size.histories * 10 if kind == "memory" else size.histories

    @seed(size.seed)
    @settings(
        max_examples=histories, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True
    )
    @given(moment=MOMENTS, ticks=TICKS, name=st.sampled_from([*CALENDAR, *ROLLING]))
    def hold(moment: tuple[str, datetime, timedelta], ticks: list[Tick], name: str) -> None:
        zone, instant, off = moment
        counts["histories"] += 1
        (one,) = [each for each in budgets_of(zone, "") if each.name == name]
        with fresh(kind, url_of, tmp_path, counts["histories"]) as store:
            books = Books(store, [one], instant + off)
            spent = live(books, ticks, one)
            counts["calls"] += len(spent)
            counts["refusals"] += len(ticks) - len(spent)
            ledger = store.totals([], instant - timedelta(days=3), instant + timedelta(days=3))
            assert sum(total.cost_nano for total in ledger) == sum(each.usd for each in spent) * USD
            if not isinstance(one.window, Rolling):
                windows_add_up(store, one, spent)

    hold()
    report.say("d  clocks", kind, ", ".join(f"{count:,} {what}" for what, count in counts.items()))
