"""What a Grafana panel is made of, as plain values that render themselves to Grafana's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any, Literal

Json = dict[str, Any]
Shape = Literal["instant", "range", "table"]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One PromQL expression, and what its series are called."""

    expr: str
    legend: str = ""
    shape: Shape = "instant"
    step: str = ""
    """The least time between two points; empty: what fits the width of the panel."""

    def target(self, ref_id: str) -> Json:
        """Render as a target of a panel."""
        target: Json = {
            "refId": ref_id,
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": self.expr,
            "legendFormat": self.legend or "__auto",
            "format": "table" if self.shape == "table" else "time_series",
            "instant": self.shape != "range",
            "range": self.shape == "range",
        }
        return {**target, "interval": self.step} if self.step else target


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How the values of a panel, or of one of its fields, look."""

    unit: str | None = None
    decimals: int | None = None
    color: str | None = None
    """A fixed colour."""
    color_mode: str | None = None
    """One of Grafana's ways to find a colour, such as `thresholds`; not together with `color`."""
    steps: Sequence[tuple[float | None, str]] = ()
    """(from this value on, colour), rising; the first value is None."""
    mappings: Sequence[Json] = ()
    minimum: float | None = None
    maximum: float | None = None
    no_value: str | None = None
    """Shown in the cells of a table that have no value."""
    custom: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What only this kind of panel knows."""

    def config(self) -> Json:
        """Render as a field configuration; what is not said is left to Grafana."""
        mode = "fixed" if self.color else self.color_mode
        steps = [{"value": value, "color": color} for value, color in self.steps]
        said = {
            "unit": self.unit,
            "decimals": self.decimals,
            "color": {"mode": mode, **({"fixedColor": self.color} if self.color else {})} if mode else None,
            "thresholds": {"mode": "absolute", "steps": steps} if steps else None,
            "mappings": list(self.mappings) or None,
            "min": self.minimum,
            "max": self.maximum,
            "noValue": self.no_value,
            "custom": dict(self.custom) or None,
        }
        return {key: value for key, value in said.items() if value is not None}

    def properties(self) -> list[Json]:
        """Render as the properties of an override."""
        config = self.config()
        custom = {f"custom.{key}": value for key, value in config.pop("custom", {}).items()}
        return [{"id": key, "value": value} for key, value in (config | custom).items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel, not yet in its place."""

    title: str
    description: str
    """What it shows, and what to do about it."""
    kind: str
    width: int
    height: int
    queries: Sequence[Query]
    style: Style
    options: Json
    overrides: Sequence[tuple[Json, Style]] = ()
    """(which fields, how they look); the later wins."""
    transformations: Sequence[Json] = ()
    empty: str = "none"
    """Shown where there is nothing to show."""
    time_from: str | None = None
    """A time range of its own, such as `now/d`."""
    points: int | None = None
    """At most so many in a chart; None: one for each pixel."""
    link: Json | None = None

    def at(self, panel_id: int, x: int, y: int) -> Json:
        """Render at a place on the board."""
        said = {
            "id": panel_id,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "datasource": DATASOURCE,
            "targets": [query.target(ref_id) for ref_id, query in zip(ascii_uppercase, self.queries, strict=False)],
            "fieldConfig": {
                "defaults": {**self.style.config(), "noValue": self.empty},
                "overrides": [
                    {"matcher": matcher, "properties": style.properties()} for matcher, style in self.overrides
                ],
            },
            "options": self.options,
            "transformations": list(self.transformations) or None,
            "timeFrom": self.time_from,
            "maxDataPoints": self.points,
            "links": [self.link] if self.link else None,
        }
        return {key: value for key, value in said.items() if value is not None}


def link_to(title: str, uid: str) -> Json:
    """Link a panel to the board that says more, with the same time range and variables."""
    return {
        "title": title,
        "type": "link",
        "url": f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}",
        "tooltip": "",
        "icon": "dashboard",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": False,
    }
