"""Values as JSON and back, as both sides of a store over a network need it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar, cast

import msgspec

from otel_llmcost.core.acts import Act
from otel_llmcost.core.attribution import Scope, encodable
from otel_llmcost.core.budget import Budget, Grant, Refusal
from otel_llmcost.core.window import parse_window
from otel_llmcost.errors import WireError
from otel_llmcost.storage import wire_forms as forms
from otel_llmcost.storage.base import Posting

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_decoders: dict[object, msgspec.json.Decoder[Any]] = {}
"""Form → what reads it: to build one takes a hundred times as long as to read with it."""


def encode(value: object) -> bytes:
    """Write a form; what is no character is spelled out, as no JSON can hold it."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return _ENCODER.encode(cleaned(msgspec.to_builtins(value, builtin_types=(Decimal,))))


def decode(content: bytes, form: type[T]) -> T:
    """Read a form.

    Raises:
        WireError: it is none.
    """
    decoder = _decoders.get(form)
    if decoder is None:
        decoder = _decoders[form] = msgspec.json.Decoder(form, float_hook=Decimal)
    try:
        return cast("T", decoder.decode(content))
    except (msgspec.MsgspecError, ArithmeticError, RecursionError, UnicodeError) as error:
        raise WireError(str(error)) from error


def budget_form(budget: Budget) -> forms.BudgetForm:
    """Write down what the balances of a budget hang on."""
    return forms.BudgetForm(
        name=budget.name,
        limit=budget.limit,
        window=str(budget.window),
        timezone=str(getattr(budget.window, "zone", "UTC")),
        scope=dict(budget.scope.patterns),
        per=budget.per,
        measure=budget.measure,
    )


def budget_of(form: forms.BudgetForm) -> Budget:
    """Read what the balances of a budget hang on.

    Raises:
        WireError: there is no such window or time zone.
    """
    try:
        window = parse_window(form.window, form.timezone)
    except ValueError as error:
        raise WireError(str(error)) from None
    return Budget(
        name=form.name,
        limit=form.limit,
        window=window,
        scope=Scope(form.scope),
        per=form.per,
        measure=form.measure,
    )


def act_form(act: Act) -> forms.ActForm:
    """Write down an act."""
    return forms.ActForm(
        act_id=act.act_id,
        at=act.at,
        kind=act.kind,
        by=act.by,
        reason=act.reason,
        scope=dict(act.scope.patterns),
        budget=act.budget,
        subject=act.subject,
        amount_nano=act.amount_nano,
        until=act.until,
        ends=act.ends,
    )


def act_of(form: forms.ActForm) -> Act:
    """Read an act."""
    return Act(
        act_id=form.act_id,
        at=form.at,
        kind=form.kind,
        by=form.by,
        reason=form.reason,
        scope=Scope(form.scope),
        budget=form.budget,
        subject=form.subject,
        amount_nano=form.amount_nano,
        until=form.until,
        ends=form.ends,
    )


def reserved(answer: Refusal | Grant | None) -> forms.Reserved:
    """Write down how a reservation went."""
    watched = [] if answer is None else list(answer.watched.items())
    if not isinstance(answer, Refusal):
        return forms.Reserved(is_taken=True, watched=watched)
    return forms.Reserved(
        is_taken=False,
        watched=watched,
        claim=answer.claim,
        held_nano=answer.held_nano,
        spent_nano=answer.spent_nano,
        told=answer.told,
        room_us=answer.room_us,
    )


def reservation_of(form: forms.Reserved) -> Refusal | Grant | None:
    """Read how a reservation went."""
    watched = dict(form.watched)
    if form.is_taken or form.claim is None:
        return Grant(watched) if watched else None
    return Refusal(form.claim, form.held_nano, form.spent_nano, form.told, watched, form.room_us)


def sendable(posting: Posting) -> Posting:
    """Leave out what is not kept in the ledger."""
    charge = posting.charge
    if charge is None or charge.rate is None:
        return posting
    return replace(posting, charge=replace(charge, rate=None))


def cleaned(value: object) -> object:
    """Spell out in all texts of a value what is no character."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(each) for key, each in cast("dict[object, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return [cleaned(each) for each in cast("list[object]", value)]
    return value
