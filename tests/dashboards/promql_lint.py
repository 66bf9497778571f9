"""Finds what a PromQL expression must not do with our metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import promql_parser

from dashboards.builder.metrics import TARGET_LABELS, Metric, of_series

_STRETCHING = {"increase", "rate", "irate", "delta", "idelta"}
_FOR_COUNTERS = {"last_over_time", *_STRETCHING}


def faults(expr: str, recorded: Mapping[str, frozenset[str]] | None = None) -> list[str]:
    """Return what is wrong with an expression, in words.

    Args:
        recorded: names of recording rules it may use, and the labels they keep.
    """
    try:
        tree = promql_parser.parse(expr)
    except ValueError as error:
        return [f"no PromQL: {error}"]
    found: list[str] = []
    _walk(tree, None, recorded or {}, found)
    return found


def _walk(node: Any, function: str | None, recorded: Mapping[str, frozenset[str]], found: list[str]) -> set[str]:
    """Look at a node and below; return the labels that its series may carry."""
    labels = set[str]()
    match type(node).__name__:
        case "VectorSelector":
            labels = _selector(node, function, recorded, found)
        case "MatrixSelector":
            labels = _walk(node.vector_selector, function, recorded, found)
        case "Call":
            labels = labels.union(*(_walk(each, node.func.name, recorded, found) for each in node.args))
        case "AggregateExpr":
            labels = _aggregation(node, recorded, found)
        case "BinaryExpr":
            labels = _walk(node.lhs, None, recorded, found) | _walk(node.rhs, None, recorded, found)
            named = {*_of(node.modifier, "matching"), *(getattr(node.modifier, "group_labels", None) or ())}
            found.extend(f"no series has the label {label!r}: on, ignoring, group" for label in named - labels)
        case "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
            labels = _walk(node.expr, function, recorded, found)
    return labels


def _selector(node: Any, function: str | None, recorded: Mapping[str, frozenset[str]], found: list[str]) -> set[str]:
    metric = of_series(node.name)
    if metric is None and node.name not in recorded:
        found.append(f"there is no metric {node.name!r}")
        return set()
    labels = recorded[node.name] if metric is None else metric.labels | TARGET_LABELS
    asked = {matcher.name for matcher in node.matchers.matchers}
    found.extend(f"{node.name} has no label {label!r}" for label in asked - labels)
    if metric is not None:
        found.extend(_misuse(node.name, metric, function))
    return set(labels)


def _misuse(name: str, metric: Metric, function: str | None) -> Iterator[str]:
    if metric.kind == "counter" and function not in _FOR_COUNTERS:
        yield f"the counter {name} is read as it stands, though it starts anew with every process"
    if metric.kind == "gauge" and function in _STRETCHING:
        yield f"{function}() of the gauge {name}"
    if metric.is_money and function in _STRETCHING:
        yield f"{function}() invents fractions of money: {name}"


def _aggregation(node: Any, recorded: Mapping[str, frozenset[str]], found: list[str]) -> set[str]:
    below = _walk(node.expr, None, recorded, found)
    modifier = node.modifier
    named = set(modifier.labels) if modifier else set[str]()
    found.extend(f"no series has the label {label!r}: by, without" for label in named - below)
    if str(node.op) in {"topk", "bottomk"}:
        return below
    return named


def _of(modifier: Any, part: str) -> set[str]:
    labels = getattr(modifier, part, None)
    return set(labels.labels) if labels else set()
