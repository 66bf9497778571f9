"""The few kinds of panel that the boards are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from string import ascii_uppercase
from typing import Any

from dashboards.builder import looks
from dashboards.builder.panels import Json, Panel, Query, Style

BY_SERIES = "palette-classic"
_POINTS = 100
"""In a chart of bars: enough to see the hours of a day or of a week, few enough to see the bars."""

_LAST: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def stat(  # noqa: PLR0913 -- the sides of a figure, mostly by name
    title: str,
    description: str,
    query: Query,
    style: Style,
    *,
    width: int,
    calc: str = "lastNotNull",
    text: str = "value",
    **more: Any,
) -> Panel:
    """One figure; without a colour of its own it is as calm as text."""
    options: Json = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": {**_LAST, "calcs": [calc]},
        "showPercentChange": False,
        "text": {"titleSize": 18, "valueSize": 30},
        "textMode": text,
        "wideLayout": True,
    }
    is_calm = style.color is None and style.color_mode is None
    return Panel(
        title=title,
        description=description,
        kind="stat",
        width=width,
        height=4,
        queries=[query],
        style=replace(style, color=looks.TEXT) if is_calm else style,
        options=options,
        overrides=_small(style),
        **more,
    )


def chart(  # noqa: PLR0913 -- as above
    title: str,
    description: str,
    queries: Sequence[Query],
    style: Style,
    *,
    width: int,
    height: int,
    named: Mapping[str, Style] | None = None,
    total: bool = False,
    **more: Any,
) -> Panel:
    """Values over time; `total` makes the legend a table of the series' sums, the largest first."""
    legend: Json = {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}
    if total:
        legend |= {"displayMode": "table", "placement": "right", "calcs": ["sum"], "sortBy": "Total", "sortDesc": True}
    return Panel(
        title=title,
        description=description,
        kind="timeseries",
        width=width,
        height=height,
        queries=queries,
        style=style,
        options={"legend": legend, "tooltip": {"mode": "multi", "sort": "desc", "hideZeros": True}},
        overrides=_by_name(named or {}),
        **more,
    )


def over_time(expr: str, label: str) -> Query:
    """A series for each value of a label; a minute is the least that is told apart."""
    return Query(expr=expr, legend=f"{{{{{label}}}}}", shape="range", step="1m")


def speed(title: str, description: str, query: Query, style: Style, *, width: int, height: int, **more: Any) -> Panel:
    """Stacked bars that stand before their instant: a point tells what happened since the one before."""
    bars = replace(style, color_mode=BY_SERIES, custom=_stacked_bars(alignment=-1))
    return chart(title, description, [query], bars, width=width, height=height, points=_POINTS, **more)


def bars_by_day(style: Style) -> Style:
    """Stacked bars that stand after their instant, the midnight at which their day begins."""
    return replace(style, color_mode=BY_SERIES, custom=_stacked_bars(alignment=1))


def colored(colors: Mapping[str, str]) -> Mapping[str, Style]:
    """Give series their colours by name."""
    return {name: Style(color=color) for name, color in colors.items()}


LINE: Mapping[str, Any] = {
    "drawStyle": "line",
    "lineInterpolation": "linear",
    "lineWidth": 2,
    "fillOpacity": 8,
    "showPoints": "auto",
    "pointSize": 4,
    "spanNulls": True,
    "stacking": {"mode": "none", "group": "A"},
    "axisSoftMin": 0,
}
MARK: Mapping[str, Any] = {
    **LINE,
    "lineStyle": {"fill": "dash", "dash": [8, 6]},
    "lineWidth": 1,
    "fillOpacity": 0,
    "showPoints": "never",
}
"""A line that is not to be crossed."""


def ranking(title: str, description: str, query: Query, style: Style, *, width: int, height: int, **more: Any) -> Panel:
    """Horizontal bars, as they come: sort them in the query."""
    options: Json = {
        "displayMode": "basic",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "maxVizHeight": 30,
        "minVizHeight": 16,
        "minVizWidth": 8,
        "namePlacement": "left",
        "orientation": "horizontal",
        "reduceOptions": _LAST,
        "showUnfilled": True,
        "sizing": "auto",
        "text": {"valueSize": 14},
        "valueMode": "text",
    }
    return Panel(
        title=title,
        description=description,
        kind="bargauge",
        width=width,
        height=height,
        queries=[query],
        style=replace(style, color=looks.BLUE, minimum=0),
        options=options,
        overrides=_small(style),
        **more,
    )


def donut(  # noqa: PLR0913 -- as above
    title: str, description: str, label: str, expr: str, style: Style, *, width: int, height: int, **more: Any
) -> Panel:
    """Shares of a whole. Its slices take their colours in the order of their names, as the series of a chart do."""
    options: Json = {
        "displayLabels": ["percent"],
        "legend": {
            "calcs": [],
            "displayMode": "table",
            "placement": "right",
            "showLegend": True,
            "values": ["value", "percent"],
        },
        "orientation": "auto",
        "pieType": "donut",
        "reduceOptions": {**_LAST, "values": True},
        "sort": "desc",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return Panel(
        title=title,
        description=description,
        kind="piechart",
        width=width,
        height=height,
        queries=[Query(expr=expr, shape="table")],
        style=replace(style, color_mode=BY_SERIES),
        options=options,
        overrides=_small(style),
        transformations=[
            {"id": "organize", "options": {"excludeByName": {"Time": True}}},
            {"id": "sortBy", "options": {"sort": [{"field": label, "desc": False}]}},
        ],
        **more,
    )


def table(  # noqa: PLR0913 -- as above
    title: str,
    description: str,
    columns: Mapping[str, Query | str],
    named: Mapping[str, Style],
    *,
    sort: str,
    width: int,
    height: int,
    **more: Any,
) -> Panel:
    """A row for each group of labels; a column is a query of its own, or names the label it shows.

    A column is money unless `named` says what it is.
    """
    values = {name: query for name, query in columns.items() if isinstance(query, Query)}
    fields = _field_names(columns)
    organize: Json = {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True},
            "indexByName": {name: index for index, name in enumerate(fields)},
            "renameByName": dict(zip(fields, columns, strict=True)),
        },
    }
    return Panel(
        title=title,
        description=description,
        kind="table",
        width=width,
        height=height,
        queries=list(values.values()),
        style=replace(
            looks.MONEY, color=looks.TEXT, custom={"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
        ),
        options={
            "cellHeight": "sm",
            "frameIndex": 0,
            "showHeader": True,
            "sortBy": [{"displayName": sort, "desc": True}],
        },
        overrides=[*looks.SMALL_AMOUNTS, *_by_name(dict.fromkeys(values, Style(no_value="-"))), *_by_name(named)],
        transformations=[{"id": "merge", "options": {}}, organize],
        **more,
    )


def _small(style: Style) -> Sequence[tuple[Json, Style]]:
    return looks.SMALL_AMOUNTS if style.unit == looks.MONEY.unit else ()


def _by_name(styles: Mapping[str, Style]) -> list[tuple[Json, Style]]:
    return [({"id": "byName", "options": name}, style) for name, style in styles.items()]


def _stacked_bars(*, alignment: int) -> Mapping[str, Any]:
    return {
        "drawStyle": "bars",
        "barAlignment": alignment,
        "barWidthFactor": 0.9,
        "fillOpacity": 80,
        "lineWidth": 0,
        "stacking": {"mode": "normal", "group": "A"},
        "axisSoftMin": 0,
    }


def _field_names(columns: Mapping[str, Query | str]) -> list[str]:
    """Name the fields as Grafana does: labels by themselves, values by the letter of their query if there are more."""
    is_alone = sum(isinstance(column, Query) for column in columns.values()) == 1
    values = iter(["Value"]) if is_alone else (f"Value #{letter}" for letter in ascii_uppercase)
    return [column if isinstance(column, str) else next(values) for column in columns.values()]
