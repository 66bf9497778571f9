"""What follows from names alone: which operation of whom it is, at which price, and how its figures are meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from otel_llmcost.adapters.endpoint import tier_of
from otel_llmcost.core.ledger import ChargeStatus
from otel_llmcost.core.listing import STANDARD
from otel_llmcost_collector.dialects.base import Value
from otel_llmcost_collector.dialects.names import CLAUDE, COUNTS, OPERATIONS
from otel_llmcost_collector.dialects.providers import REGIONAL, provider_in, provider_of, whole_model
from otel_llmcost_collector.dialects.row import Dialect, Names

MOST_CHARACTERS = 256
"""Of a name; longer ones are cut."""
_MOST_ASKED = 20_000
_TOOL_WORDS = ("_search", "oogleS", "web_fetch", "_context", "rlContext", "code_", "odeExec")
_PROVIDER_TOOLS = re.compile(
    r'"type": ?"(?:web_search|web_fetch|file_search|code_(?:interpreter|execution))'
    r'|"(?:google_?[sS]earch(?:_retrieval)?|url_?[cC]ontext|code_?[eE]xecution)": ?[{]'
)
_ASKED_MODEL = re.compile(r'"model(?:Id)?": ?"([^"\\]{1,256})"')
_ASKED_TIER = re.compile(r'"service_tier": ?"(\w{1,64})"')
_LANGUAGES = frozenset({"", "openai", "openrouter"})

Asked = tuple[str, str]
"""Model and service tier; empty texts: nothing was found."""
NOTHING_ASKED: Asked = ("", "")

Doubt = tuple[ChargeStatus, str]
"""Status and method of a charge."""
SURE: Doubt = ("confirmed", "reported")
GUESSED: Doubt = ("estimated", "guessed-by-instrumentor")
STREAM_START: Doubt = ("estimated", "stream-start-counted")
CACHE_NOT_TOLD: Doubt = ("estimated", "cached-tokens-not-told")
KEPT_NOT_TOLD: Doubt = ("estimated", "cache-duration-not-told")
NOT_BILLED: Doubt = ("estimated", "billed-tokens-not-told")
TOOLS_NOT_TOLD: Doubt = ("estimated", "provider-tools-not-told")
REGION_NOT_TOLD: Doubt = ("estimated", "region-not-told")


class Facts(NamedTuple):
    """What is known of a span by its names."""

    operation: str
    provider: str
    may_be_brokered: bool
    """No host tells, so an answer's id may show that it was OpenRouter."""
    requested: str
    served: str
    tier: str
    is_exclusive: bool
    """Cached tokens are to be added to the input."""
    reasons_beside: bool
    """Reasoning is to be added to the output."""
    doubt: Doubt
    doubt_of_writes: Doubt
    """Where something was written to a cache."""


class Wanted:
    """The attributes of a shape that are needed, each with a place of its own."""

    def __init__(self, keys: frozenset[str]) -> None:
        self._keys = keys
        self.names: list[str] = []

    def place(self, names: Names) -> int:
        """Return where the best of some names stands; -1: the shape has none."""
        found = next((name for name in names if name in self._keys), None)
        if found is None:
            return -1
        if found not in self.names:
            self.names.append(found)
        return self.names.index(found)

    def has(self, names: Names) -> bool:
        """Tell whether the shape has any of some names."""
        return any(name in self._keys for name in names)


class Naming:
    """Where the names of a shape stand, and what follows from them."""

    def __init__(self, row: Dialect, scope: str, at: Wanted) -> None:
        self._row = row
        self._default = row.default_provider or provider_in(scope)
        self._operations = {**OPERATIONS, **row.operations}
        self._operation = at.place(row.operation)
        self._provider, self._speaks, self._host = at.place(row.provider), at.place(row.speaks), at.place(row.hosts)
        self._requested, self._served, self._asked = at.place(row.requested), at.place(row.served), at.place(row.asked)
        self._tier, self._semantics = at.place(row.tier), at.place(row.semantics)
        self._starts = at.place(row.counts_start)
        self._hidden = -1 if row.hides_cached is None else at.place((row.hides_cached[0],))
        is_told = row.guessed is None or at.has(row.guessed[1])
        self._guessed = -1 if is_told or row.guessed is None else at.place((row.guessed[0],))
        self._lacks_cached = not at.has((*COUNTS["cache_read_tokens"], *COUNTS["cache_write_tokens"]))
        self._is_inclusive = at.has(row.inclusive_with)

    @property
    def places(self) -> tuple[int, ...]:
        """All that anything here follows from, save what was asked for, which is long and looked into."""
        named = (self._operation, self._provider, self._speaks, self._host, self._requested, self._served)
        more = (self._tier, self._semantics, self._starts, self._hidden, self._guessed)
        return tuple(sorted({place for place in (*named, *more) if place >= 0}))

    @property
    def has_model(self) -> bool:
        """Whether a model may be named."""
        return max(self._requested, self._served, self._asked) >= 0

    @property
    def has_operation(self) -> bool:
        """Whether an operation may be named."""
        return self._operation >= 0

    @property
    def is_asked(self) -> bool:
        """Whether what was asked for is told."""
        return self._asked >= 0

    def asked(self, values: Sequence[Value | None]) -> Asked:
        """Look for the model and the service tier in the parameters of the request."""
        value = values[self._asked]
        if type(value) is not str or len(value) > _MOST_ASKED:
            return NOTHING_ASKED
        tier = _ASKED_TIER.search(value) if '"service_tier"' in value else None
        model = _ASKED_MODEL.search(value) if self._requested < 0 else None
        return (model[1] if model else "", tier[1] if tier else "")

    def facts(self, name: str, values: Sequence[Value | None], asked: Asked, *, is_used: bool) -> Facts | None:
        """Say what follows for one span.

        Args:
            name: of the span.
            values: of the shape.
            asked: model and tier, as `asked` found them.
            is_used: the shape tells a usage, so that it is a call if nothing says what it is.

        Returns:
            None: it is no call.
        """
        operation = self._operation_of(values, is_used=is_used)
        if operation is None:
            return None
        row = self._row
        requested, served, tier = (text_of(values, place) for place in (self._requested, self._served, self._tier))
        requested, tier = requested or asked[0], tier or asked[1]
        told = text_of(values, self._provider)
        model = requested or served
        provider = provider_of(
            told or text_of(values, self._speaks) or self._default,
            text_of(values, self._host),
            model,
            is_sure=row.is_sure and bool(told),
        )
        doubt = self._doubt(provider, model, values)
        return Facts(
            operation=operation,
            provider=provider,
            may_be_brokered=provider in _LANGUAGES and not (row.is_sure and told),
            requested=whole_model(provider, model) if row.strips_prefix else model,
            served=served,
            tier=(tier_of((tier,)) or STANDARD) if tier else STANDARD,
            is_exclusive=self._is_exclusive(name, provider, model, values),
            reasons_beside=provider in row.reasoning_beside,
            doubt=doubt,
            doubt_of_writes=KEPT_NOT_TOLD if doubt is SURE and "claude" in f"{model} {served}".lower() else doubt,
        )

    def _operation_of(self, values: Sequence[Value | None], *, is_used: bool) -> str | None:
        if self._operation < 0:
            return "chat" if is_used else None
        told = text_of(values, self._operation)
        return self._operations.get(told) or (told if told and self._row.is_open else None)

    def _is_exclusive(self, name: str, provider: str, model: str, values: Sequence[Value | None]) -> bool:
        row = self._row
        if row.semantics:
            return provider in CLAUDE and text_of(values, self._semantics) != "inclusive"
        if name in row.exclusive_spans and row.exclusive_spans[name] in model:
            return True
        return provider in row.exclusive_of and not self._is_inclusive

    def _doubt(self, provider: str, model: str, values: Sequence[Value | None]) -> Doubt:
        """Say what keeps the figures from being certain, whatever they are."""
        row = self._row
        if self._guessed >= 0 and values[self._guessed] is True:
            return GUESSED
        if self._starts >= 0 and values[self._starts] is True:
            return STREAM_START
        if provider in row.unbilled_of:
            return NOT_BILLED
        hides = row.hides_cached is not None and self._hidden >= 0 and values[self._hidden] in row.hides_cached[1]
        if hides and self._lacks_cached and "claude" in model:
            return CACHE_NOT_TOLD
        if row.strips_prefix and provider == "aws.bedrock" and REGIONAL.match(model):
            return REGION_NOT_TOLD
        return SURE


def offers_tools_of_provider(value: Value | None) -> bool:
    """Tell whether among the tools offered there is one that the provider runs itself, such as a search."""
    if type(value) is not str or not any(word in value for word in _TOOL_WORDS):
        return False
    return _PROVIDER_TOOLS.search(value) is not None


def text_of(values: Sequence[Value | None], place: int) -> str:
    """Return a text that names something; empty: there is none."""
    value = values[place] if place >= 0 else None
    if type(value) is not str:
        return ""
    return value if len(value) <= MOST_CHARACTERS else value[:MOST_CHARACTERS]
