"""What an explanation says to people: a few sentences, the largest causes first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from otel_llmcost.cli.output import usd
from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.explain import Cause, Explanation, Part

LABELS: Mapping[Cause, str] = {
    "new": "new {by}s",
    "gone": "{by}s that are gone",
    "calls": "number of calls",
    "mix": "mix of models",
    "input": "input tokens per call",
    "output": "output tokens per call",
    "cache": "cache hits",
    "price": "prices",
    "retries": "retries",
    "unpriced": "calls without a price",
    "rest": "everything else",
}
"""For each cause, its name in a table."""


def signed(nano: int) -> str:
    """Show a change of cost."""
    return f"+{usd(nano)}" if nano > 0 else usd(nano)


def sentences(found: Explanation, by: Dimension) -> list[str]:
    """Say what happened and why, in a handful of sentences."""
    if not found.change_nano and not found.parts:
        return [f"Cost did not change: {usd(found.before_nano)} in both times."]
    named = found.that_matter()
    left = found.change_nano - sum(part.change_nano for part in named)
    lines = [_headline(found), *(reason(part, by) for part in named)]
    if 100 * abs(left) > abs(found.change_nano):  # what is less is noise beside what was named
        lines.append(f"{signed(left)}: {len(found.parts) - len(named):,} smaller causes together.")
    return lines


def reason(part: Part, by: Dimension) -> str:
    """Say what one part is about."""
    return f"{signed(part.change_nano)}: {_REASONS[part.cause](part, place(part, by))}."


def place(part: Part, by: Dimension) -> str:
    """Name where a part is from."""
    if part.cause == "price":
        return str(part.model)
    group = f"{by} {part.group}" if part.group is not None else f"calls without {by}"
    is_whole = part.model is None or part.cause == "mix" or by == "model"
    return group if is_whole else f"{group} on {part.model}"


def _headline(found: Explanation) -> str:
    change, was, now = found.change_nano, usd(found.before_nano), usd(found.after_nano)
    if not change:
        return f"Cost stayed at {now}, but not for the same reasons."
    share = f" ({change / found.before_nano:+.0%})" if found.before_nano > 0 else ""
    return f"Cost {'rose' if change > 0 else 'fell'} by {usd(abs(change))}{share}, from {was} to {now}."


def _new(part: Part, where: str) -> str:
    return f"{where} is new (calls: {_number(part.after)})"


def _gone(part: Part, where: str) -> str:
    return f"{where} made no calls any more (before: {_number(part.before)})"


def _calls(part: Part, where: str) -> str:
    return f"{where} made {_more(part, 'more', 'fewer')} calls, {_from_to(part)}"


def _mix(part: Part, where: str) -> str:
    shares = f"{_share(part.after)} of its calls after {_share(part.before)}"
    return f"{where} moved to other models, {part.model} answered {shares}"


def _input(part: Part, where: str) -> str:
    return f"{where} sent {_more(part, 'more', 'less')} with each call, {_from_to(part)} input tokens"


def _output(part: Part, where: str) -> str:
    return f"{where} was answered at {_more(part, 'greater', 'less')} length, {_from_to(part)} output tokens per call"


def _cache(part: Part, where: str) -> str:
    return f"{where} read {_share(part.after)} of its input from the cache after {_share(part.before)}"


def _price(part: Part, where: str) -> str:
    change = "" if part.after is None else f" by {abs(part.after - 1):.0%}"
    return f"tokens of {where} became {'dearer' if part.change_nano > 0 else 'cheaper'}{change}"


def _retries(_part: Part, where: str) -> str:
    return f"{where} made attempts whose end nobody saw, and which may have been billed"


def _unpriced(_part: Part, where: str) -> str:
    return f"{where} had no price in one of the times"


def _rest(_part: Part, where: str) -> str:
    return f"{where} paid otherwise (cache writes, tools, estimates, corrections)"


_REASONS: Mapping[Cause, Callable[[Part, str], str]] = {
    "new": _new,
    "gone": _gone,
    "calls": _calls,
    "mix": _mix,
    "input": _input,
    "output": _output,
    "cache": _cache,
    "price": _price,
    "retries": _retries,
    "unpriced": _unpriced,
    "rest": _rest,
}


def _more(part: Part, more: str, less: str) -> str:
    return more if (part.after or 0) > (part.before or 0) else less


def _from_to(part: Part) -> str:
    return f"{_number(part.after)} after {_number(part.before)}"


def _number(count: float | None) -> str:
    return f"{count or 0:,.0f}"


def _share(share: float | None) -> str:
    return f"{share or 0:.0%}"
