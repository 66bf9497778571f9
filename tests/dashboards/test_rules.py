"""Prometheus' rules: they name metrics that exist, and tell people what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dashboards.promql_lint import faults
from tests.dashboards.test_boards import COMMITTED

COLLECTOR = Path(__file__).parents[2] / "collector"
GROUPS = yaml.safe_load((COLLECTOR / "prometheus" / "rules.yml").read_text("utf-8"))["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [pytest.param(rule, id=rule["alert"]) for rule in RULES if "alert" in rule]


def kept_labels(expr: str, recorded: dict[str, frozenset[str]]) -> frozenset[str]:
    """Return the labels that a recording rule's outermost grouping keeps; without one, those of what it is made of."""
    grouping = re.search(r"by \(([^)]*)\)", expr)
    if grouping is None:
        return recorded[re.search(r"\w+:\w+:\w+", expr)[0]]
    return frozenset(label.strip() for label in grouping[1].split(","))


def recorded_labels() -> dict[str, frozenset[str]]:
    """Return what each recording rule keeps; a rule is made of those above it."""
    known: dict[str, frozenset[str]] = {}
    for rule in RULES:
        if "record" in rule:
            known[rule["record"]] = kept_labels(rule["expr"], known)
    return known


RECORDED = recorded_labels()


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.get("alert") or rule["record"]) for rule in RULES])
def test_every_rule_names_metrics_and_labels_that_exist(rule: dict[str, Any]) -> None:
    """A rule on a misspelt metric never fires, and nobody notices."""
    assert faults(rule["expr"], RECORDED) == []


@pytest.mark.parametrize("rule", ALERTS)
def test_every_alert_says_what_to_do_and_where_to_look(rule: dict[str, Any]) -> None:
    """Who is woken up needs a sentence, a severity and a board that exists."""
    annotations = rule["annotations"]

    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert annotations["summary"]
    assert annotations["description"].endswith(".")
    assert re.match(r"/d/([\w-]+)", annotations["dashboard"])[1] in {board["uid"] for board in COMMITTED.values()}


def test_every_alert_of_the_inhibitions_exists() -> None:
    """A muting rule for an alert that was renamed mutes nothing."""
    text = (COLLECTOR / "alertmanager" / "alertmanager.yml").read_text("utf-8")
    names = {rule["alert"] for rule in RULES if "alert" in rule}

    muted = {
        "LLMBudget" + part
        for found in re.findall(r"LLMBudget(\(?[\w|]+\)?)", text)
        for part in found.strip("()").split("|")
    }

    assert muted <= names
    assert {name for name in names if name.startswith("LLMBudget")} == muted
