"""`actions` of a `[[budget]]` as values of the core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, cast

from otel_llmcost.config import kinds
from otel_llmcost.config.kinds import Kind, WrongValueError, listed, part, unknown
from otel_llmcost.config.reader import Table
from otel_llmcost.core.actions import Action
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.budget import Mark

_KEY = "actions"
_WHAT = ("cap", "route", "pause", "refuse")
_EXPECTED = (
    'a list such as [{ at = "critical", cap = 500 }], each with `at` (a mark or a share) and one of ' + ", ".join(_WHAT)
)


class _Raw(NamedTuple):
    at: str | Decimal
    cap: int | None
    route: Mapping[str, str] | None
    pause: Scope | None


def actions(row: Table, marks: Sequence[Mark]) -> tuple[Action, ...]:
    """Read what a budget does to calls at its marks, in rising order of share.

    Args:
        row: the budget's table; it becomes unusable where an action cannot be read.
        marks: the budget's, since an action may name one.
    """
    found: list[Action] = []
    for position, raw in enumerate(row.choose(_KEY, _ACTIONS, ())):
        share = _share(raw.at, marks)
        if share is None:
            names = tuple(mark.level for mark in marks)
            row.fault((_KEY, position, "at"), unknown("mark", str(raw.at), names), f"{listed(names)}, or a share")
            continue
        level = next((mark.level for mark in marks if mark.share == share), f"{share:%}")
        found.append(Action(share=share, level=level, cap=raw.cap, route=raw.route, pause=raw.pause))
    return tuple(sorted(found, key=lambda action: action.share))


def _share(at: str | Decimal, marks: Sequence[Mark]) -> Decimal | None:
    return next((mark.share for mark in marks if mark.level == at), None) if isinstance(at, str) else at


def _read(value: object) -> tuple[_Raw, ...]:
    if not isinstance(value, list):
        raise WrongValueError(value)
    return tuple(part(at, _action, each) for at, each in enumerate(cast("list[object]", value)))


def _action(value: object) -> _Raw:
    if not isinstance(value, dict):
        raise WrongValueError(value)
    table = cast("Mapping[str, object]", value)
    for key in table:
        if key not in {"at", *_WHAT}:
            raise WrongValueError(table, at=(key,), problem=unknown("key", key, ("at", *_WHAT)), expected=_EXPECTED)
    said = [key for key in _WHAT if key in table]
    if "at" not in table or len(said) != 1:
        problem = "`at` is missing" if "at" not in table else f"says {' and '.join(said) or 'nothing to do'}"
        raise WrongValueError(table, problem=problem, expected=_EXPECTED)
    (what,) = said
    at = part("at", _at, table["at"])
    return _Raw(
        at,
        part(what, kinds.COUNT.read, table[what]) if what == "cap" else None,
        part(what, _route, table[what]) if what == "route" else None,
        part(what, _pause, table[what])
        if what == "pause"
        else part(what, _everything, table[what])
        if what == "refuse"
        else None,
    )


def _at(value: object) -> str | Decimal:
    return value if isinstance(value, str) else kinds.SHARE.read(value)


def _route(value: object) -> Mapping[str, str]:
    expected = 'models by pattern, such as { "claude-opus-*" = "claude-haiku-4-5" }'
    try:
        table = kinds.table(value)
    except WrongValueError:
        raise WrongValueError(value, expected=expected) from None
    if not table:
        raise WrongValueError(table, expected=expected)
    return {pattern: part(pattern, kinds.TEXT.read, model) for pattern, model in table.items()}


def _pause(value: object) -> Scope:
    scope = kinds.SCOPE.read(value)
    if not scope.patterns:
        raise WrongValueError(value, expected='whom to pause, such as { agent = "batch-*" }; all calls: refuse = true')
    return scope


def _everything(value: object) -> Scope:
    if value is not True:
        raise WrongValueError(value, expected="true")
    return Scope()


_ACTIONS: Kind[tuple[_Raw, ...]] = Kind(_EXPECTED, _read)
