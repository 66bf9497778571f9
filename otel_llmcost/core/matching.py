"""Which model of the price book a name in a request means: rules from the book, and the ways callers dress names up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple

PROVIDERS: Mapping[str, str] = {
    # as OpenTelemetry names them
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "x-ai",
    # as OpenTelemetry used to, and as instrumentors and LiteLLM do
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure-openai": "azure",
    "azure.openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "cohere_chat": "cohere",
    "fireworks-ai": "fireworks",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "github_copilot": "github-copilot",
    "moonshot": "moonshotai",
    "novita_ai": "novita",
    "perplexity_ai": "perplexity",
    "together_ai": "together",
    "togetherai": "together",
    "voyage": "voyageai",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "xai": "x-ai",
    "z.ai": "zai",
    "z_ai": "zai",
}
"""Names of providers → the price book's, where its own rules would miss them or take them for somebody else."""

RELAYS = frozenset({"", "litellm", "litellm_proxy"})
"""Callers that say nothing about who is paid: the model's name has to tell."""

ROUTERS = frozenset({"huggingface", "hugging_face", "huggingface_hub"})
"""Providers that pass a call on to the one named behind the model, and ask what that one does."""

_COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")
_MOST_KEPT = 1000
_VERSION = re.compile(r"(-v\d+)?(:\d+)?")
_RESOURCE = re.compile(r"^(?:.*/)?models/|^arn:[^/]*/")


class NameRule(NamedTuple):
    """Fits a name if any of its tests does; all of them in lower case."""

    equals: frozenset[str] = frozenset()
    starts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    """Regular expressions, searched for."""
    together: tuple[tuple[NameRule, ...], ...] = ()
    """Groups of rules of which all must fit."""

    def fits(self, name: str) -> bool:
        """Tell whether a name, in lower case, is meant."""
        return (
            name in self.equals
            or name.startswith(self.starts)
            or name.endswith(self.ends)
            or any(part in name for part in self.contains)
            or any(re.search(pattern, name) for pattern in self.patterns)
            or any(all(rule.fits(name) for rule in group) for group in self.together)
        )


def with_dashed_date(name: str) -> str:
    """Write a date as `-2025-12-11` where it stands as `-20251211`."""
    return _COMPACT_DATE.sub(_dashed, name)


def undressed(name: str) -> Iterator[str]:
    """Peel off what callers put before a model's name, one layer at a time, outermost first.

    Such as `models/…`, `publishers/google/models/…`, or the ARN of an inference profile; and last a version behind it,
    such as `@default`. A provider before a slash is not peeled off here: whether it says nothing new or names somebody
    else, only the price book can tell.
    """
    yield name
    bare = _RESOURCE.sub("", name)
    if bare != name:
        yield bare
    if "@" in bare:
        yield bare.partition("@")[0]


@lru_cache(_MOST_KEPT)
def says_less(served: str, requested: str) -> bool:
    """Tell whether an answer names just what was asked for, without the seller's own words around it.

    Such as `claude-haiku-4-5` for `global.anthropic.claude-haiku-4-5-v1:0`, where the price goes by the place.
    """
    for name in (served, _COMPACT_DATE.sub("", served)) if served else ():
        before, found, after = requested.rpartition(name)
        if found and before.endswith((".", "/")) and _VERSION.fullmatch(after):
            return True
    return False


def _dashed(match: re.Match[str]) -> str:
    year, month, day = match.groups()
    try:
        return f"-{date(int(year), int(month), int(day)).isoformat()}"
    except ValueError:
        return match[0]
