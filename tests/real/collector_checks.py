"""How what the collector's board shows is compared with what the collector did."""

from __future__ import annotations

from collections.abc import Callable

from otel_llmcost_collector.self_metrics import FORWARD_LIMIT_BYTES, FORWARD_QUEUE_BYTES, Labels, SelfMetric
from tests.real.checks import Check, area_of, same
from tests.real.grafana import Answer
from tests.real.truth import Counted, Truth

Only = Callable[[Labels], bool]


def _any(_: Labels) -> bool:
    return True


def _part(metric: SelfMetric, labels: Labels, by: tuple[str, ...]) -> Labels:
    return tuple(dict(zip(metric.labels, labels, strict=True))[name] for name in by)


def _sums(counted: list[Counted], metric: SelfMetric, by: tuple[str, ...], only: Only) -> dict[Labels, float]:
    sums: dict[Labels, float] = {}
    for each in counted:
        if each.metric is metric and only(each.labels):
            key = _part(metric, each.labels, by)
            sums[key] = sums.get(key, 0.0) + each.amount
    return sums


def _in_range(answer: Answer, truth: Truth) -> list[Counted]:
    return [each for each in truth.counted if answer.view.start < each.at <= answer.view.end]


def did(metric: SelfMetric, *by: str, only: Only = _any) -> Check:
    """What was counted in the time range."""

    def check(answer: Answer, truth: Truth) -> None:
        sums = _sums(_in_range(answer, truth), metric, by, only)
        same(answer.values, sums if by else {(): sums.get((), 0.0)}, f"{answer.panel} {answer.ref_id}")

    return check


def part_of(part: SelfMetric, whole: SelfMetric) -> Check:
    """Of what was counted in the time range."""

    def check(answer: Answer, truth: Truth) -> None:
        counted = _in_range(answer, truth)
        parts, wholes = (_sums(counted, metric, (), _any).get((), 0.0) for metric in (part, whole))
        same(answer.values, {(): parts / wholes if wholes else 0.0}, answer.panel)

    return check


def did_over_time(metric: SelfMetric, by: str) -> Check:
    """The area of a speed is what was counted."""

    def check(answer: Answer, truth: Truth) -> None:
        counted, areas = area_of(answer, truth.counted, 60)
        same(areas, _sums(counted, metric, (by,), _any), answer.panel)

    return check


def _stood(truth: Truth, metric: SelfMetric, by: tuple[str, ...], only: Only = _any) -> dict[Labels, float]:
    sums: dict[Labels, float] = {}
    for (each, labels), value in truth.standing.items():
        if each is metric and only(labels):
            key = _part(metric, labels, by)
            sums[key] = sums.get(key, 0.0) + value
    return sums


def stands(metric: SelfMetric, *by: str, only: Only = _any) -> Check:
    """How it stands at the end, in a table, or where a chart ends."""

    def check(answer: Answer, truth: Truth) -> None:
        same(answer.values, _stood(truth, metric, by, only), f"{answer.panel} {answer.ref_id}")

    return check


def lacks(wanted: SelfMetric, there: SelfMetric) -> Check:
    """How many are wanted and not there."""

    def check(answer: Answer, truth: Truth) -> None:
        missing = _stood(truth, wanted, ()).get((), 0.0) - _stood(truth, there, ()).get((), 0.0)
        same(answer.values, {(): missing}, answer.panel)

    return check


def on_disk(labels: Labels) -> bool:
    return labels[1] == "disk"


def disk_used(answer: Answer, truth: Truth) -> None:
    """Of each back end."""
    used, room = (_stood(truth, metric, ("to",), on_disk) for metric in (FORWARD_QUEUE_BYTES, FORWARD_LIMIT_BYTES))
    same(answer.values, {to: used[to] / room[to] for to in used}, answer.panel)


def shows_times(answer: Answer, truth: Truth) -> None:
    """Where there is a collector; Prometheus estimates quantiles by interpolation."""
    assert bool(answer.series) == bool(_in_range(answer, truth)), answer.panel
