"""A board: its variables, its links, and its panels set out in rows of 24 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from dashboards.builder.panels import DATASOURCE, Json, Panel

SCHEMA_VERSION = 42
"""The model of Grafana 12.1 to 13; newer versions migrate it by themselves."""
TAG = "llmcost"
COLUMNS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard."""

    uid: str
    title: str
    description: str
    variables: Sequence[Json]
    rows: Sequence[Sequence[Panel | Sequence[Panel]] | str]
    """Panels, or columns of panels, side by side; or the title of a section."""
    time_from: str
    refresh: str = "1m"

    def render(self) -> Json:
        """Render as the JSON that Grafana imports."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "timezone": "browser",
            "time": {"from": self.time_from, "to": "now"},
            "refresh": self.refresh,
            "templating": {"list": [_datasource(), *self.variables]},
            "annotations": {"list": []},
            "links": [_boards_link()],
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterable[Json]:
        ids, y = count(1), 0
        for row in self.rows:
            if isinstance(row, str):
                yield _section(row, next(ids), y)
                y += 1
                continue
            columns = [[item] if isinstance(item, Panel) else item for item in row]
            yield from _side_by_side(columns, ids, y)
            y += max(sum(panel.height for panel in column) for column in columns)


def choice(name: str, label: str, values: str, *, many: bool = True) -> Json:
    """Make a variable whose values are asked of Prometheus; `many` adds All, which is also what has no label."""
    variable: Json = {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": {"qryType": 1, "query": values, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2,
        "sort": 5,
        "multi": many,
        "includeAll": many,
    }
    if not many:
        return variable
    return {**variable, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}


def number(name: str, label: str, value: str, description: str) -> Json:
    """Make a variable that the reader types in."""
    return {
        "type": "textbox",
        "name": name,
        "label": label,
        "description": description,
        "query": value,
        "current": {"text": value, "value": value},
        "options": [{"text": value, "value": value, "selected": True}],
    }


def _datasource() -> Json:
    return {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "refresh": 1}


def _boards_link() -> Json:
    return {
        "title": "Cost boards",
        "type": "dashboards",
        "tags": [TAG],
        "icon": "external link",
        "tooltip": "The other boards, with the same time range and filters",
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
    }


def _side_by_side(columns: Sequence[Sequence[Panel]], ids: Iterator[int], top: int) -> Iterable[Json]:
    x = 0
    for column in columns:
        y = top
        for panel in column:
            yield panel.at(next(ids), x, y)
            y += panel.height
        x += column[0].width


def _section(title: str, panel_id: int, y: int) -> Json:
    place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
    return {"id": panel_id, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}
