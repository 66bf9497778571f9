"""The form of a row: how one instrumentor tells of a call, and what its figures mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.usage import Unit

Names = tuple[str, ...]
"""Attributes that may say something, best first: the first that a span has counts. One that ends in `*` is a
beginning."""

Form = Literal["answer", "usage", "buckets", "details", "python", "metadata"]
"""Of a text in JSON: a provider's whole answer, or its usage only; Langfuse's buckets, which do not overlap; parts of
the input or the output, as LangChain names them; a usage as Python writes it; what
Vercel's SDK calls a provider's metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One instrumentor, or several that tell alike. Whatever is left out is told as the standard has it."""

    name: str
    richness: int
    """Of two that tell of one call, who is believed; 0 to 99."""
    told: str
    """Who it is, for people."""
    cached: str
    """How it counts cached input, for people."""
    unknown: str = ""
    """What its spans do not tell, for people."""
    scopes: tuple[str, ...] = ()
    """Beginnings of the names of its scopes; one that ends in `=` is a whole name."""
    marks: Names = ()
    """Attributes that none but it has."""
    operation: Names = ("gen_ai.operation.name",)
    operations: Mapping[str, str] = field(default_factory=dict[str, str])
    """What stands there → the standard's name of it. What is in neither is no call that is paid."""
    is_open: bool = False
    """Whatever operation a span names is a call: it makes no other spans."""
    needs: Names = ()
    """Spans without any of these are no calls: another one of its own tells more of the same."""

    provider: Names = ("gen_ai.provider.name", "gen_ai.system")
    default_provider: str = ""
    """Where nothing tells; else the scope's name does, if it is that of a provider."""
    speaks: Names = ()
    """Says only whose language is spoken, so that many may be meant."""
    is_sure: bool = False
    """A provider that it names is the one that is paid, also if that is `openai`."""
    hosts: Names = ("server.address", "gen_ai.openai.api_base", "url.full")
    requested: Names = ("gen_ai.request.model",)
    served: Names = ("gen_ai.response.model",)
    asked: Names = ()
    """Holds in JSON what was asked for, such as the model and the service tier."""
    strips_prefix: bool = False
    """It cuts off what providers put before a model's name."""
    response_id: Names = ("gen_ai.response.id", "gen_ai.response_id")
    error: Names = ("error.type", "exception.type")
    tier: Names = (
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",
        "openai.request.service_tier",
        "gen_ai.openai.request.service_tier",
    )

    counts: Mapping[Unit, Names] = field(default_factory=dict[Unit, Names])
    """Instead of the usual names."""
    beside: Mapping[Unit, Names] = field(default_factory=dict[Unit, Names])
    """What is paid but is in no total."""
    total: Names = ()
    """A total that the provider told, by which something that is missing elsewhere is found."""
    exclusive_of: frozenset[str] = frozenset()
    """Providers whose cached tokens are to be added to the input."""
    exclusive_spans: Mapping[str, str] = field(default_factory=dict[str, str])
    """Name of a span → word in a model's name for which they are to be added."""
    semantics: Names = ()
    """Says `inclusive` where they are in it; where it says nothing, they are to be added for Anthropic and Bedrock."""
    reasoning_beside: frozenset[str] = frozenset()
    """Providers whose reasoning is not in the output yet."""
    texts: Mapping[str, Form] = field(default_factory=dict[str, Form])
    """Attributes that hold JSON."""

    inclusive_with: Names = ()
    """Spans that have one of these include cached tokens after all."""
    guessed: tuple[str, Names] | None = None
    """(attribute that is true, attributes): where it is and none of those stands, tokens are its own guesses."""
    counts_start: tuple[str, ...] = ()
    """Attributes; where one is true, the few tokens that a stream's start tells are counted on top of its end's."""
    tools: Names = ("gen_ai.tool.definitions",)
    """Holds the tools that were offered: those that the provider runs itself are paid, or put tokens in, untold."""
    tells_no_cached: Names = ()
    """Spans with one of these, and none that tells of a cache, may leave out that some of a long input was cached."""
    unbilled_of: frozenset[str] = frozenset()
    """Providers that bill other tokens than it tells, unless it tells their whole answer."""
    hides_cached: tuple[str, frozenset[str]] | None = None
    """(attribute, values): such spans that tell nothing of a cache leave out tokens that were cached."""

    tags: Mapping[Dimension, Names] = field(default_factory=dict[Dimension, Names])
    """Before the usual names."""
    labels: Names = ()
    """Beginnings of attributes behind which a dimension's own name stands."""
    label_texts: Names = ()
    """Attributes that hold JSON with dimensions by their own names."""
