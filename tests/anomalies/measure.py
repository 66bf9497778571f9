"""How many planted incidents are found, and how many days are told for nothing: `python -m tests.anomalies.measure`.

Writes the tables of docs/anomalies.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import get_args

from otel_llmcost.core.anomaly import Anomalies, Days, anomalies, first_seen
from otel_llmcost.core.usual import Method
from tests.anomalies.years import FIRST, LAST, SHAPES, TROUBLES, Incident, Shape, Year, rows, year

PAGE = Path(__file__).parents[2] / "docs" / "anomalies.md"
YEARS = 6
"""Of each shape."""
METHODS: tuple[Method, ...] = get_args(Method)
FLEETS = (1, 3, 9, 36)
THRESHOLDS = (2, 2.5, 3, 4)
TRIPLE = TROUBLES[1].name

_MONTH_DAYS = 365 / 12
_ALL = Days(since=FIRST, until=LAST + timedelta(days=1))


@dataclass
class Score:
    """What one method made of some years."""

    found: Counter[str] = field(default_factory=Counter)
    """By the name of the trouble."""
    planted: Counter[str] = field(default_factory=Counter)
    false_alarms: int = 0
    days: int = 0

    def recall(self, trouble: str) -> str:
        """Show how much of a trouble was found."""
        return f"{self.found[trouble] / self.planted[trouble]:.0%}" if self.planted[trouble] else ""

    @property
    def per_month(self) -> float:
        """False alarms in a month of one series."""
        return self.false_alarms / self.days * _MONTH_DAYS


Told = Mapping[tuple[Shape, int], frozenset[int]]


def measured() -> dict[str, str]:
    """Make all tables, by their names."""
    years = [year(shape, number) for number in range(YEARS) for shape in SHAPES]
    told = {method: [news(each.costs_nano, method) for each in years] for method in METHODS}
    return {
        "methods": methods_table(years, told),
        "shapes": shapes_table(years, told["robust"]),
        "thresholds": thresholds_table(years),
        "fleets": fleets_table(years, told),
        "new": new_table(),
    }


def news(costs_nano: tuple[int, ...], method: Method, threshold: float | None = None) -> frozenset[int]:
    """Number the days of a year of which an alert tells."""
    found = anomalies("agent", rows(costs_nano, "a"), _ALL, Anomalies(method=method, threshold=threshold))
    return frozenset((each.day - FIRST).days for each in found if not each.is_continued)


def score(years: Iterable[Year], told: Iterable[frozenset[int]]) -> Score:
    """Hold what was told against what was planted."""
    result = Score()
    for each, days in zip(years, told, strict=True):
        tally(result, each.incidents, days)
        result.days += each.days
    return result


def tally(result: Score, incidents: Sequence[Incident], told: frozenset[int]) -> None:
    """Count what was found of some incidents, and what was told beside them."""
    excused: set[int] = set()
    for each in incidents:
        start, found_until, over = ((at - FIRST).days for at in (each.start, each.found_until, each.over))
        result.planted[each.trouble.name] += 1
        result.found[each.trouble.name] += bool(told & set(range(start, found_until)))
        excused |= set(range(start, over))
    result.false_alarms += len(told - excused)


def methods_table(years: Sequence[Year], told: Mapping[Method, Sequence[frozenset[int]]]) -> str:
    """Compare the methods."""
    return judged("method", {f"`{method}`": score(years, days) for method, days in told.items()})


def shapes_table(years: Sequence[Year], told: Sequence[frozenset[int]]) -> str:
    """Show the robust method by the shapes of years."""
    scores: dict[str, Score] = {}
    for shapes in (*((shape,) for shape in SHAPES), SHAPES[:-2]):
        some = [(each, days) for each, days in zip(years, told, strict=True) if each.shape in shapes]
        if some:
            name = shapes[0].name if len(shapes) == 1 else "all but the last two"
            scores[name] = score([each for each, _ in some], [days for _, days in some])
    return judged("costs", scores)


def judged(head: str, scores: Mapping[str, Score]) -> str:
    """Show scores by their names."""
    names = [each.name for each in TROUBLES]
    lines = [
        f"| {name} | {' | '.join(each.recall(trouble) for trouble in names)} | {each.per_month:.2f} |"
        for name, each in scores.items()
    ]
    return table([head, *names, "false alarms a month"], lines)


def thresholds_table(years: Sequence[Year]) -> str:
    """Show what another threshold makes of the robust method."""
    told = {each: [news(one.costs_nano, "robust", each) for one in years] for each in THRESHOLDS}
    return judged("`threshold`", {f"{each}": score(years, days) for each, days in told.items()})


def fleets_table(years: Sequence[Year], told: Mapping[Method, Sequence[frozenset[int]]]) -> str:
    """Show what is seen of one agent's trouble in the sum of all, and what looking at each agent costs."""
    methods = METHODS[::-1]
    lines: list[str] = []
    for size in FLEETS:
        starts = range(0, len(years) - size + 1, size)
        whole = whole_fleets(years, size, starts)
        parts = [Score() for _ in methods]
        for method, part in zip(methods, parts, strict=True):
            for each, days in list(zip(years, told[method], strict=True))[: size * len(starts)]:
                tally(part, each.incidents, days)
        cells = [f"{each.recall(TRIPLE)}, {each.false_alarms / len(starts) / 12:.1f}" for each in (whole, *parts)]
        lines.append(f"| {size} | {' | '.join(cells)} |")
    return table(["agents", "the total, `robust`", *(f"each agent, `{method}`" for method in methods)], lines)


def whole_fleets(years: Sequence[Year], size: int, starts: Iterable[int]) -> Score:
    """Look for the trouble of each agent in the sum of all agents of a fleet."""
    result = Score()
    for start in starts:
        some = years[start : start + size]
        total = tuple(map(sum, zip(*(each.costs_nano for each in some), strict=True)))
        tally(result, [incident for each in some for incident in each.incidents], news(total, "robust"))
    return result


def new_table() -> str:
    """Show what becomes of a model that is new, among some that are used seldom."""
    lines: list[str] = []
    for name, works in (("every day", 1.0), ("every fourth day", 0.25), ("every tenth day", 0.1)):
        shape = Shape(name=f"used {name}", usd=20, noise=0.3, works=works)
        found = new = old = 0
        for number in range(12):
            known, late = (rows(year(shape, number + seed).costs_nano, value) for seed, value in ((0, "a"), (99, "b")))
            start = FIRST + timedelta(days=100 + number)
            late = [each for each in late if each.day >= start]
            each = first_seen("model", [*known, *late], _ALL, Anomalies())
            news = {(one.value, one.day) for one in each}
            found += ("b", late[0].day) in news
            new += 1
            old += len(news) - 1
        lines.append(f"| {name} | {found} of {new} | {old / new / 12:.2f} |")
    return table(["models are used", "new ones found on their first day", "false alarms a month"], lines)


def table(heads: Sequence[str], lines: Sequence[str]) -> str:
    """Write a table in Markdown."""
    return "\n".join([f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *lines]) + "\n"


def page(text: str, tables: Mapping[str, str]) -> str:
    """Put tables in their places."""
    for name, each in tables.items():
        before, mark, behind = text.partition(f"<!-- measured: {name} -->\n")
        assert mark, name
        text = before + mark + each + re.sub(r"\A(\|.*\n)*", "", behind)
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), measured()), encoding="utf-8")
