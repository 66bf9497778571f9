"""Every name we emit or read, in one place.

Standard names follow the OpenTelemetry GenAI conventions of October 2026; they are our own constants because the
conventions' Python package has dropped them. What has no standard name stands under `llmcost.`.
"""

from __future__ import annotations

from typing import Final

from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.rates import COST_CLASSES as _CLASSES
from otel_llmcost.core.usage import UNITS, Unit

SCOPE: Final = "otel_llmcost"

# Spans
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
USAGE_COST: Final = "gen_ai.usage.cost"
ESTIMATED_COST: Final = "llmcost.estimated.cost"
ERROR_TYPE: Final = "error.type"

CHARGE_ID: Final = "llmcost.charge.id"
COST_STATUS: Final = "llmcost.cost.status"
"""Left out of spans where the cost is confirmed.

`duplicate`, by a collector: another span tells more of the same call, and the cost is with that one's charge, whose id
stands under `llmcost.charge.id`.
"""
COST_CLASSES: Final = {name: f"llmcost.cost.{name}" for name in _CLASSES}
"""Class of cost → name of its attribute."""
COST_SOURCE: Final = "llmcost.cost.source"
"""On spans that a collector has priced: `collector`."""
COST_TOTAL: Final = "llmcost.cost.total"
"""What a collector makes of a span that has somebody else's `gen_ai.usage.cost`."""
PRICE_ID: Final = "llmcost.price.id"
PRICE_TIER: Final = "llmcost.price.tier"
TOKENS_METHOD: Final = "llmcost.tokens.method"
INPUT_SEMANTICS: Final = "llmcost.tokens.input_semantics"
"""Left out of spans where cached tokens are counted in the input; else `exclusive` or `inferred`."""
BUDGET_NAME: Final = "llmcost.budget.name"
BUDGET_SUBJECT: Final = "llmcost.budget.subject"
BUDGET_WINDOW: Final = "llmcost.budget.window"
BUDGET_DECISION: Final = "llmcost.budget.decision"
ACTIONS_TAKEN: Final = "llmcost.actions"
"""What budgets had changed in the request before it was sent, in words."""

# Read on spans of openinference
OPENINFERENCE_KIND: Final = "openinference.span.kind"
OPENINFERENCE_OUTPUT: Final = "output.value"
"""The answer as JSON."""

# Metrics
COST: Final = "llmcost.cost"
TOKENS: Final = "llmcost.tokens"
CALLS: Final = "llmcost.calls"
COST_PER_CALL: Final = "llmcost.cost.per_call"
DURATION: Final = "gen_ai.client.operation.duration"
TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 -- a metric's name
BUDGET_LIMIT: Final = "llmcost.budget.limit"
BUDGET_SPENT: Final = "llmcost.budget.spent"
BUDGET_RESERVED: Final = "llmcost.budget.reserved"
BUDGET_REMAINING: Final = "llmcost.budget.remaining"
BUDGET_PROJECTED: Final = "llmcost.budget.projected"
BUDGET_BOUND: Final = "llmcost.budget.bound"
BUDGET_UTILIZATION: Final = "llmcost.budget.utilization.ratio"
"""Exporters to Prometheus differ in whether they add `_ratio` to a unit of 1; none adds it twice."""
BUDGET_WINDOW_START: Final = "llmcost.budget.window.start"
BUDGET_WINDOW_END: Final = "llmcost.budget.window.end"
COST_REVERSED: Final = "llmcost.cost.reversed"
TOKENS_REVERSED: Final = "llmcost.tokens.reversed"
FIXED_COST: Final = "llmcost.fixed_cost"
"""Since midnight in UTC; every process that reads the same settings shows the same."""
FIXED_COST_PER_DAY: Final = "llmcost.fixed_cost.per_day"
REFUSED: Final = "llmcost.requests.refused"
ALERTS: Final = "llmcost.alerts"
ALERTS_PENDING: Final = "llmcost.alerts.pending"
STOPS: Final = "llmcost.stops"
LIMIT_UTILIZATION: Final = "llmcost.limit.utilization.ratio"
LIMIT_WAIT: Final = "llmcost.limit.waited"
ACTIONS: Final = "llmcost.actions"
RESERVATIONS_OPEN: Final = "llmcost.reservations.open"
STORE_ERRORS: Final = "llmcost.store.errors"
METRICS_OVERFLOW: Final = "llmcost.metrics.overflow"

# Attributes of metrics only
TOKEN_CLASS: Final = "llmcost.token.class"  # noqa: S105 -- an attribute's name
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 -- an attribute's name
CALL_OUTCOME: Final = "llmcost.call.outcome"
FIXED_COST_NAME: Final = "llmcost.fixed_cost.name"
FIXED_COST_KIND: Final = "llmcost.fixed_cost.kind"
ACTION_KIND: Final = "llmcost.action.kind"
"""`cap`, `route` or `pause`."""
ALERT_LEVEL: Final = "llmcost.alert.level"
INSTANCE: Final = "service.instance.id"
OVERFLOW: Final = "otel.metric.overflow"

_STANDARD_USAGE: Final[dict[Unit, str]] = {
    "input_tokens": INPUT_TOKENS,
    "output_tokens": OUTPUT_TOKENS,
    "cache_read_tokens": CACHE_READ_TOKENS,
    "cache_write_tokens": CACHE_WRITE_TOKENS,
    "reasoning_tokens": REASONING_TOKENS,
    "input_audio_tokens": "gen_ai.usage.audio.input_tokens",
    "input_image_tokens": "gen_ai.usage.image.input_tokens",
    "output_audio_tokens": "gen_ai.usage.audio.output_tokens",
    "output_image_tokens": "gen_ai.usage.image.output_tokens",
    "cache_read_audio_tokens": "gen_ai.usage.audio.cache_read.input_tokens",
    "cache_read_image_tokens": "gen_ai.usage.image.cache_read.input_tokens",
}
USAGE: Final[dict[Unit, str]] = {unit: _STANDARD_USAGE.get(unit, f"llmcost.usage.{unit}") for unit in UNITS}
"""Unit → its name on spans; where the conventions have none, one of ours."""
ESTIMATED_USAGE: Final[dict[Unit, str]] = {unit: f"llmcost.estimated.{unit}" for unit in UNITS}

TAGS: Final[dict[Dimension, str]] = {
    "agent": "gen_ai.agent.name",
    "task": "llmcost.task.id",
    "user": "user.id",
    "team": "llmcost.team",
    "feature": "llmcost.feature",
    "session": "session.id",
    "workflow": "gen_ai.workflow.name",
    "endpoint": "llmcost.endpoint",
    "project": "llmcost.project",
    "environment": "deployment.environment.name",
    "tier": "llmcost.tier",
}
"""Dimension → its name on spans, on metrics and in baggage."""

BAGGAGE: Final[dict[str, Dimension]] = {
    **{name: dimension for dimension, name in TAGS.items()},
    "gen_ai.conversation.id": "session",
}
"""What we read out of baggage, and keep from going to the provider."""
