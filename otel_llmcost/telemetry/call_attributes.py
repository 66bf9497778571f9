"""What is said of a call on its span: what was asked, what was used, what it cost, why it was not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_llmcost.core.attribution import Tags
from otel_llmcost.core.money import NANO_PER_USD
from otel_llmcost.core.rates import breakdown_usd
from otel_llmcost.core.usage import Unit
from otel_llmcost.errors import BudgetExceededError, RefusedError, error_type
from otel_llmcost.telemetry import semconv

if TYPE_CHECKING:  # the core's flow is loaded with the first SDK, this when the program starts
    from otel_llmcost.core.flow import Call
    from otel_llmcost.core.ledger import Charge

_TOLD = frozenset({"confirmed", "unpriced"})
_TOKENS: frozenset[Unit] = frozenset({"input_tokens", "output_tokens"})


def first_attributes(call: Call) -> dict[str, Any]:
    """Say what a sampler may want to know."""
    return {semconv.OPERATION: call.operation, semconv.PROVIDER: call.provider, semconv.REQUEST_MODEL: call.model}


def request_attributes(call: Call) -> dict[str, Any]:
    """Say what is asked, and for whom."""
    attributes: dict[str, Any] = {semconv.CHARGE_ID: call.charge_id}
    if call.is_stream:
        attributes[semconv.REQUEST_STREAM] = True
    if call.max_output_tokens is not None:
        attributes[semconv.REQUEST_MAX_TOKENS] = call.max_output_tokens
    attributes.update(tag_attributes(call.tags))
    return attributes


def cost_attributes(charge: Charge) -> dict[str, Any]:
    """Say what a call cost, and by which rate; nothing at all of a cost that is not known."""
    attributes: dict[str, Any] = {}
    is_told = charge.status in _TOLD
    if charge.cost_nano is not None:
        attributes[semconv.USAGE_COST if is_told else semconv.ESTIMATED_COST] = charge.cost_nano / NANO_PER_USD
    if charge.rate is not None:
        for name, usd in breakdown_usd(charge.usage, charge.rate).items() if is_told else ():
            if usd:
                attributes[semconv.COST_CLASSES[name]] = usd
        attributes[semconv.PRICE_ID] = charge.rate_id
        if charge.tier != "standard":
            attributes[semconv.PRICE_TIER] = charge.tier
    attributes.update(_circumstances(charge))
    return attributes


def _circumstances(charge: Charge) -> dict[str, Any]:
    """Say what is out of the ordinary with a cost."""
    attributes: dict[str, Any] = {}
    if charge.status != "confirmed":
        attributes[semconv.COST_STATUS] = charge.status
    if charge.method != "reported":
        attributes[semconv.TOKENS_METHOD] = charge.method
    if charge.actions:
        attributes[semconv.ACTIONS_TAKEN] = charge.actions
    return attributes


def tag_attributes(tags: Tags) -> dict[str, str]:
    """Say whom a call is for."""
    names = semconv.TAGS
    return {names[dimension]: value for dimension, value in tags.items() if dimension in names}


def usage_attributes(charge: Charge) -> dict[str, Any]:
    """Say what was used, in the standard's names: totals include their parts.

    Whoever reads those takes them for what the provider told, so an estimate has names of its own.
    """
    counts = charge.usage.counts
    names = semconv.USAGE if charge.method == "reported" else semconv.ESTIMATED_USAGE
    attributes: dict[str, Any] = {}
    for unit, count in counts.items():
        name = names.get(unit)
        if name is not None:
            attributes[name] = count
    if charge.method == "reported" and (not counts or not _TOKENS.isdisjoint(counts)):
        attributes.setdefault(semconv.INPUT_TOKENS, 0)
        attributes.setdefault(semconv.OUTPUT_TOKENS, 0)
    if charge.served_model is not None:
        attributes[semconv.RESPONSE_MODEL] = charge.served_model
    if charge.response_id is not None:
        attributes[semconv.RESPONSE_ID] = charge.response_id
    return attributes


def error_attributes(error: BaseException) -> dict[str, Any]:
    """Say what a call ended in; of a refusal, who refused."""
    attributes: dict[str, Any] = {semconv.ERROR_TYPE: error_type(error)}
    if isinstance(error, RefusedError):
        attributes[semconv.BUDGET_DECISION] = "refused"
        attributes[semconv.BUDGET_NAME] = error.name
    if isinstance(error, BudgetExceededError) and error.scope:
        attributes[semconv.BUDGET_SUBJECT] = error.scope
    return attributes
