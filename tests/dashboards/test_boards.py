"""The committed boards: made by the builder, understood by Grafana, naming only metrics that exist, and explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dashboards.builder.board import COLUMNS, TAG
from dashboards.builder.boards import BOARDS, as_json
from tests.dashboards.promql_lint import faults

Json = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "dashboards"
SCHEMAS: Json = json.loads((Path(__file__).parents[1] / "data" / "grafana-13.2.2.schema.json").read_text("utf-8"))
COMMITTED: dict[str, Json] = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
MACROS = {
    "$__range": "3600s",
    "$__interval_ms": "60000",
    "$__interval": "60s",
    "${__to:date:seconds}": "1776870000",
}

each_board = pytest.mark.parametrize("board", [pytest.param(board, id=name) for name, board in COMMITTED.items()])


def panels(board: Json) -> Iterator[Json]:
    return (panel for panel in board["panels"] if panel["type"] != "row")


def expressions(board: Json) -> Iterator[tuple[str, str]]:
    return ((panel["title"], target["expr"]) for panel in panels(board) for target in panel["targets"])


def variables(text: str) -> set[str]:
    """Return the names of the variables that a text uses, without Grafana's own."""
    return {name for name in re.findall(r"\$\{?(\w+)", text) if not name.startswith("__")}


def filled(board: Json, expr: str) -> str:
    """Put something into every variable, as Grafana would."""
    for macro, value in MACROS.items():
        expr = expr.replace(macro, value)
    numbers = {each["name"]: each["query"] for each in board["templating"]["list"] if each["type"] == "textbox"}
    return re.sub(r"\$(\w+)", lambda found: numbers.get(found[1], "chosen"), expr)


def validate(value: Json, schema: str, definition: str) -> None:
    whole = {**SCHEMAS[schema], "$ref": f"#/definitions/{definition}"}
    jsonschema.validate(value, whole, cls=jsonschema.Draft7Validator)


def test_the_files_are_what_the_builder_makes() -> None:
    """Who edits a board by hand loses it at the next `make dashboards`; this says so first."""
    made = {name: as_json(board) for name, board in BOARDS.items()}

    committed = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.json")}

    assert committed == made


@each_board
def test_grafana_knows_every_key(board: Json) -> None:
    """Grafana drops what it does not know without a word."""
    validate(board, "dashboard", "Dashboard")


@each_board
def test_each_kind_of_panel_knows_its_options(board: Json) -> None:
    """The schema of a board says nothing of what is inside a panel."""
    for panel in panels(board):
        validate(panel["options"], panel["type"], "Options")
        custom = panel["fieldConfig"]["defaults"].get("custom")
        if custom is not None:
            validate(custom, panel["type"], "FieldConfig")
        for override in panel["fieldConfig"]["overrides"]:
            own = {each["id"][7:]: each["value"] for each in override["properties"] if each["id"].startswith("custom.")}
            if own:
                validate({**(custom or {}), **own}, panel["type"], "FieldConfig")


@each_board
def test_every_query_names_metrics_and_labels_that_exist(board: Json) -> None:
    """A misspelt label is no error for Prometheus: it finds nothing, and the board shows 0."""
    found = [(title, fault) for title, expr in expressions(board) for fault in faults(filled(board, expr))]

    assert found == []


@each_board
def test_every_legend_names_a_label_that_its_query_keeps(board: Json) -> None:
    """Else all series have the same empty name."""
    for panel in panels(board):
        for target in panel["targets"]:
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]), (panel["title"], label)


@each_board
def test_every_variable_is_declared_and_used(board: Json) -> None:
    """Grafana leaves an unknown variable as it stands, which matches nothing."""
    declared = {variable["name"] for variable in board["templating"]["list"]} - {"datasource"}
    asked = [variable["query"]["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    titles = [panel["title"] for panel in board["panels"]]

    used = set[str]().union(*(variables(text) for text in [*asked, *titles, *(expr for _, expr in expressions(board))]))

    assert used == declared


@each_board
def test_every_choice_offers_values_of_a_label_that_exists(board: Json) -> None:
    """The lists on top of a board come from label_values(series, label)."""
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()
            assert faults(f"max by ({label}) (last_over_time({filled(board, series)}[1d]))") == []


@each_board
def test_all_includes_what_has_no_label(board: Json) -> None:
    """Grafana's own All lists the known values, and drops what names no team or agent from every sum."""
    many = [variable for variable in board["templating"]["list"] if variable.get("includeAll")]

    assert {variable["allValue"] for variable in many} <= {".*"}


@each_board
def test_panels_lie_beside_each_other(board: Json) -> None:
    """No panel covers another, none leaves the board, and no two have the same id or title."""
    places = [(panel["id"], panel["title"], panel["gridPos"]) for panel in board["panels"]]

    for (one_id, one_title, one), (other_id, other_title, other) in combinations(places, 2):
        assert one_id != other_id
        assert one_title != other_title
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_above, (one_title, other_title)
    assert all(place["x"] + place["w"] <= COLUMNS for _, _, place in places)


@each_board
def test_every_panel_is_explained_and_never_says_no_data(board: Json) -> None:
    """A panel says what it shows, in what unit, from which data source, and what its emptiness means."""
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
        assert defaults["noValue"], panel["title"]
        assert defaults.get("unit") or defaults.get("mappings"), panel["title"]


@each_board
def test_no_figure_turns_red_by_grafanas_own_rule(board: Json) -> None:
    """Where a board says nothing of colours, Grafana paints whatever reaches 80 red, and so every cost."""
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        mode = defaults.get("color", {}).get("mode", "thresholds")
        assert (
            mode != "thresholds" or "thresholds" in defaults or "mappings" in defaults or panel["type"] == "timeseries"
        )


def test_links_lead_to_boards_that_exist() -> None:
    """Links name a board by its uid, and find the others by the tag."""
    uids = {board["uid"] for board in COMMITTED.values()}

    links = [link["url"] for board in COMMITTED.values() for panel in panels(board) for link in panel.get("links", ())]

    assert {link.split("/d/")[1].split("?")[0] for link in links} <= uids
    assert all(board["tags"] == [TAG] == board["links"][0]["tags"] for board in COMMITTED.values())


def test_the_documents_four_templates_are_there() -> None:
    """The boards carry the titles and figures that the documents give their dashboards."""
    titles = {name: {panel["title"] for panel in board["panels"]} for name, board in COMMITTED.items()}

    assert {"Daily Cost Trend", "Average", "Min", "Max"} <= titles["daily-trend"]
    assert {"Cost by Agent", "Highest cost", "Total"} <= titles["by-agent"]
    assert {"Spend by Model", "Total", "Largest share"} <= titles["by-model"]
    assert {
        "Budget",
        "Spent so far",
        "Remaining",
        "Percentage used",
        "Days into window",
        "Daily average",
        "Projected end of window",
        "Status",
        "Alert level",
    } <= titles["budget-status"]
