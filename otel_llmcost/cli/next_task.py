"""`forecast --next-task`: what the next task of a kind will cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import click

from otel_llmcost.cli.output import print_json, usd
from otel_llmcost.cli.tools import Tools
from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.money import from_nano
from otel_llmcost.core.next_task import (
    UNKNOWN_INPUT_TOKENS,
    UNKNOWN_NANO,
    UNKNOWN_OUTPUT_TOKENS,
    DoneTask,
    NextTask,
    next_task,
)
from otel_llmcost.core.rates import cost_nano
from otel_llmcost.core.usage import Usage
from otel_llmcost.errors import UnknownPriceError
from otel_llmcost.storage.base import Total

TYPES: tuple[Dimension, ...] = ("workflow", "feature", "agent")
"""What tells tasks of one kind from others; the first that has any of that name is taken."""
_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a task of a kind is expected to cost, and by what it is judged."""

    kind: str
    dimension: Dimension | None
    """None: no task of that name was done."""
    model: str | None
    is_priced: bool
    """Whether a price is known for the model."""
    task: NextTask


def print_next_task(tools: Tools, kind: str, model: str | None, *, as_json: bool) -> None:
    """Look up the tasks of a kind, and print what the next one will cost."""
    found = expected(tools, kind, model)
    if as_json:
        print_json(record(found))
    else:
        click.echo("\n".join(sentences(found)))


def expected(tools: Tools, kind: str, model: str | None) -> Expected:
    """Expect what the next task of a kind costs.

    Args:
        tools: ledger, prices and clock.
        kind: a workflow, a feature or an agent.
        model: only what its tasks spent on that model counts; None: on any.
    """
    unknown = _unknown(tools, model)
    dimension, done = _like_it(tools, kind, model)
    task = next_task(done, UNKNOWN_NANO if unknown is None else unknown)
    return Expected(kind=kind, dimension=dimension, model=model, is_priced=unknown is not None, task=task)


def sentences(found: Expected) -> list[str]:
    """Say it to people."""
    task, on_model = found.task, f" on {found.model}" if found.model else ""
    lines = _judged(found, on_model) if task.tasks else _assumed(found, on_model)
    if task.unpriced_tasks:
        lines.append(f"{task.unpriced_tasks:,} more are left out, since calls of theirs have no price.")
    return lines


def _judged(found: Expected, on_model: str) -> list[str]:
    task = found.task
    cost, mean, median = usd(task.expected_nano), usd(task.mean_nano or 0), usd(task.median_nano or 0)
    high, most = usd(task.high_nano or 0), usd(task.most_nano or 0)
    return [
        f"The next task of {found.dimension} {found.kind!r}{on_model}: {cost}, {task.expected_tokens:,} tokens.",
        f"That is the mean of {task.tasks:,} tasks of the last {_DAYS} days, {mean}, and a fifth more.",
        f"Half of them stayed within {median}, 95 of 100 within {high}; the dearest cost {most}.",
    ]


def _assumed(found: Expected, on_model: str) -> list[str]:
    size = f"{UNKNOWN_INPUT_TOKENS:,} input and {UNKNOWN_OUTPUT_TOKENS:,} output tokens"
    why = f"as {size}{on_model} cost" if found.is_priced else "to be safe"
    return [
        f"No task of {found.kind!r}{on_model} in the last {_DAYS} days whose cost is known.",
        f"Assume {usd(found.task.expected_nano)}, {why}.",
    ]


def record(found: Expected) -> dict[str, object]:
    """Make it as programs read it."""
    task = found.task
    amounts = {"mean": task.mean_nano, "median": task.median_nano, "p95": task.high_nano, "most": task.most_nano}
    return {
        "type": found.kind,
        "dimension": found.dimension,
        "model": found.model,
        "expected_usd": from_nano(task.expected_nano),
        "expected_tokens": task.expected_tokens,
        "is_assumed": not task.tasks,
        "tasks": task.tasks,
        "unpriced_tasks": task.unpriced_tasks,
        **{f"{name}_usd": None if nano is None else from_nano(nano) for name, nano in amounts.items()},
    }


def _like_it(tools: Tools, kind: str, model: str | None) -> tuple[Dimension | None, list[DoneTask]]:
    for dimension in TYPES:
        if done := _done(tools, dimension, kind, model):
            return dimension, done
    return None, []


def _done(tools: Tools, dimension: Dimension, kind: str, model: str | None) -> list[DoneTask]:
    """Read the tasks of a kind: what calls that name both the task and the kind came to."""
    now, tasks = tools.now(), dict[str, list[Total]]()
    for total in tools.store().totals(("task", dimension, "model"), now - timedelta(days=_DAYS), now):
        task, name, of_model = total.group
        if task is not None and name == kind and model in {None, of_model}:
            tasks.setdefault(task, []).append(total)
    return [_task(totals) for totals in tasks.values()]


def _task(totals: Sequence[Total]) -> DoneTask:
    return DoneTask(
        tokens=sum(total.input_tokens + total.output_tokens for total in totals),
        cost_nano=sum(total.cost_nano for total in totals),
        is_priced=not any(total.unpriced_calls > 0 for total in totals),
    )


def _unknown(tools: Tools, model: str | None) -> int | None:
    """Price a task that nothing like was ever done; None: no price is known."""
    usage = Usage({"input_tokens": UNKNOWN_INPUT_TOKENS, "output_tokens": UNKNOWN_OUTPUT_TOKENS})
    try:
        rate = tools.book().rate_at("", model or "", tools.now(), input_tokens=UNKNOWN_INPUT_TOKENS)
        return cost_nano(usage, rate)[0]
    except UnknownPriceError:
        return None
