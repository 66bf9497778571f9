"""Asks a real Prometheus every query of a board, as Grafana would."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import Any

from tests.real.servers import get_json

DAY = 86400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY}
_LABEL_VALUES = re.compile(r"label_values\((?P<series>.+), (?P<label>\w+)\)")
_POINTS = 400

Json = dict[str, Any]
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """The time range that is looked at; days begin at midnight UTC."""

    start: float
    end: float
    scrape_seconds: int
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one target of a panel got."""

    panel: str
    ref_id: str
    expr: str
    view: View
    variables: Mapping[str, str]
    step: int
    """0: asked for one instant."""
    series: Mapping[Labels, Sequence[tuple[float, float]]]
    """Points (instant, value) by the values of the labels that the query keeps, in their order."""

    @property
    def values(self) -> dict[Labels, float]:
        """The last value of each series."""
        return {labels: points[-1][1] for labels, points in self.series.items()}


def instant(text: str, now: float, *, round_up: bool = False) -> float:
    """Read Grafana's `now-7d/d`; rounding up leads to the last millisecond."""
    parts = re.fullmatch(r"now(?:-(\d+)([smhd]))?(/d)?", text)
    assert parts, f"not a time that the boards use: {text}"
    at = now - int(parts[1] or 0) * _UNITS[parts[2] or "s"]
    if not parts[3]:
        return at
    midnight = floor(at / DAY) * DAY
    return midnight + DAY - 0.001 if round_up else midnight


def view_of(board: Json, now: float, scrape_seconds: int, seconds: float | None = None) -> View:
    """Look at a board as it opens, or at the last `seconds`."""
    if seconds is not None:
        return View(now - seconds, now, scrape_seconds, now)
    start, end = board["time"]["from"], board["time"]["to"]
    return View(instant(start, now), instant(end, now, round_up=True), scrape_seconds, now)


def chosen(board: Json, prometheus_url: str, view: View, choice: Mapping[str, str] | None = None) -> dict[str, str]:
    """Choose All of each variable, or the first value; a variable that finds nothing is empty.

    Args:
        choice: what to choose instead, by the name of the variable.
    """
    values: dict[str, str] = {}
    for variable in board["templating"]["list"]:
        name = variable["name"]
        if variable["type"] == "textbox":
            values[name] = variable["query"]
        elif variable["type"] == "query":
            found = _label_values(variable["query"]["query"], values, prometheus_url, view)
            values[name] = variable["allValue"] if variable["includeAll"] else next(iter(found), "")
        values |= {name: choice[name]} if choice and name in choice else {}
    return values


def ask(board: Json, prometheus_url: str, view: View, choice: Mapping[str, str] | None = None) -> Iterator[Answer]:
    """Run every target of every panel."""
    variables = chosen(board, prometheus_url, view, choice)
    for panel in board["panels"]:
        own = view
        if "timeFrom" in panel:
            own = replace(view, start=instant(panel["timeFrom"], view.now), end=view.now)
        for target in panel.get("targets", ()):
            yield _answer(panel, target, variables, own, prometheus_url)


def expand(expr: str, variables: Mapping[str, str], view: View, step: int) -> str:
    """Replace Grafana's macros and variables."""
    macros = {
        "__range": f"{round(view.end - view.start)}s",
        "__interval": f"{step}s",
        "__interval_ms": str(step * 1000),
        "__rate_interval": f"{max(step + view.scrape_seconds, 4 * view.scrape_seconds)}s",
        "__to:date:seconds": str(floor(view.end)),
    }
    known = {**variables, **macros}
    return re.sub(r"\$\{([\w:]+)\}|\$(\w+)", lambda found: known[found[1] or found[2]], expr)


def _answer(panel: Json, target: Json, variables: Mapping[str, str], view: View, url: str) -> Answer:
    least = _UNITS[target["interval"][-1]] * int(target["interval"][:-1]) if "interval" in target else 0
    fitting = -(-round(view.end - view.start) // panel.get("maxDataPoints", _POINTS) // 60) * 60
    step = max(least, fitting, view.scrape_seconds)
    expr = expand(target["expr"], variables, view, step)
    if target["instant"]:
        found = get_json(f"{url}/api/v1/query", query=expr, time=str(view.end))
    else:
        start, end = (floor(edge / step) * step for edge in (view.start, view.end))
        found = get_json(f"{url}/api/v1/query_range", query=expr, start=str(start), end=str(end), step=str(step))
    series = {_labels(row["metric"], expr): _points(row) for row in found["data"]["result"]}
    assert len(series) == len(found["data"]["result"]), f"{panel['title']}: series that cannot be told apart"
    return Answer(
        panel=panel["title"],
        ref_id=target["refId"],
        expr=expr,
        view=view,
        variables=variables,
        step=0 if target["instant"] else step,
        series=series,
    )


def _labels(metric: Mapping[str, str], expr: str) -> Labels:
    """Order the labels as the query's first grouping does."""
    order = re.search(r"(?:sum|max|min) by \(([^)]*)\)", expr)
    names = [name.strip() for name in order[1].split(",")] if order else sorted(metric)
    return tuple(metric.get(name, "") for name in names if name != "le") if metric else ()


def _points(row: Json) -> list[tuple[float, float]]:
    return [(at, float(value)) for at, value in row.get("values") or [row["value"]]]


def _label_values(query: str, variables: Mapping[str, str], url: str, view: View) -> list[str]:
    parts = _LABEL_VALUES.fullmatch(query)
    assert parts, query
    series = expand(parts["series"], variables, view, 0)
    return get_json(
        f"{url}/api/v1/label/{parts['label']}/values",
        **{"match[]": series, "start": str(view.start), "end": str(view.end)},
    )["data"]
