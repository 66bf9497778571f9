"""Find in LiteLLM's map what genai-prices lacks: tiers and fees of models whose standard prices both agree on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Context, Decimal
from typing import Any, cast

from otel_llmcost.core.listing import EVERY_TIER
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.rates import Rate
from otel_llmcost.core.usage import Unit
from otel_llmcost.pricebook.additions import Addition, Listed, rate_or_none, scaled_usd, standard_of, usd_text
from otel_llmcost.pricebook.sources import Json, provider_in_litellm

_EXACT = Context(prec=60)
_MILLION = 1_000_000

_SUFFIXES: Mapping[str, str] = {
    "batch": "_batches",
    "flex": "_flex",
    "priority": "_priority",
    "ultrafast": "_ultrafast",
}
_COSTS: Mapping[Unit, str] = {
    "input_tokens": "input_cost_per_token",
    "cache_read_tokens": "cache_read_input_token_cost",
    "cache_write_tokens": "cache_creation_input_token_cost",
    "cache_write_1h_tokens": "cache_creation_input_token_cost_above_1hr",
    "cache_write_12h_tokens": "cache_creation_input_token_cost_above_12hr",
    "input_audio_tokens": "input_cost_per_audio_token",
    "cache_read_audio_tokens": "cache_read_input_audio_token_cost",
    "output_tokens": "output_cost_per_token",
    "output_audio_tokens": "output_cost_per_audio_token",
    "output_image_tokens": "output_cost_per_image_token",
}
_ALSO: Mapping[str, frozenset[Unit]] = {
    "anthropic": frozenset({"web_searches"}),
    "google": frozenset({"web_searches", "maps_searches"}),
    "openai": frozenset({"web_searches", "cache_write_12h_tokens", "input_audio_tokens", "output_audio_tokens"}),
}
"""What is taken over into the prices of any tier, by provider. Elsewhere it means something else, or is a guess."""
_TRUSTED = frozenset(
    {
        *("anthropic", "aws", "azure", "cerebras", "cohere", "deepseek", "fireworks", "google"),
        *("groq", "mistral", "moonshotai", "openai", "together", "voyageai", "x-ai", "zai"),
    }
)
"""Providers whose models both sources list, with prices that agree but for a few."""
_TEXTS = frozenset({"chat", "responses", "completion"})
_TOKENS_OF: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_TEXTS, ("input_", "cache_", "output_")),
    "audio_transcription": ("input_", "output_"),
    "embedding": ("input_",),
    "rerank": ("input_",),
}
"""Kind of model → the tokens it is paid by."""
_OTHERWISE: Mapping[str, tuple[tuple[Unit, str, int], ...]] = {
    "audio_speech": (("characters", "input_cost_per_character", 1),),
    "audio_transcription": (("audio_milliseconds", "input_cost_per_second", 1000),),
    "embedding": (("images", "input_cost_per_image", 1), ("characters", "input_cost_per_character", 1)),
    "image_generation": (("images", "input_cost_per_image", 1), ("images", "output_cost_per_image", 1)),
    "ocr": (("pages", "ocr_cost_per_page", 1), ("annotated_pages", "annotation_cost_per_page", 1)),
    "rerank": (("search_units", "input_cost_per_query", 1),),
}
"""Kind of model → (unit it is paid by, key of the price, for how many of it the price is)."""
_ONE_OR_THE_OTHER = frozenset({"image_generation", "ocr"})
_TRUSTED_UNCITED = _TRUSTED - {"fireworks", "together", "azure"}
"""Of the others only what cites the page it was read from."""
_NO_NAME = re.compile(
    r"^(?:us|eu|ap|apac|sa|ca|me|af|us-gov|global)(?:-[a-z]+)*(?:-\d)?/|commitment|\d-x-\d|max-x-max|steps/|-exp\b|20240620-v1:0$"
    r"|^gpt-4o-mini-transcribe|^doc-intelligence/|^speech/"
)
"""What the map calls models in places and sizes, where nobody else does; and experiments, whose price means nothing."""
_DEAR = 5e-6
"""More than any provider asks for a token of an embedding, in USD."""
_OTHER_MAKERS = frozenset({"deepseek", "x-ai", "moonshotai"})
_OTHER_PLACE = re.compile(r"^(?:eu|apac|jp)\.amazon\.nova")
_ABOVE = re.compile(r"_above_(\d+)k_tokens$")


def additions_of(book: PriceBook, models: Mapping[str, Json], at: datetime) -> tuple[Addition, ...]:
    """Find what the map adds to a book of that day."""
    found: dict[tuple[str, str], list[Addition]] = {}
    for name, facts in models.items():
        rate = _agreed(book, name, facts, at)
        if rate is None:
            continue
        who = provider_in_litellm(facts)
        seller = book.seller(who) or who
        rows = tuple(
            row
            for row in _rows(seller, rate, facts)
            if row["tier"] == EVERY_TIER or book.rate_at(who, name, at, tier=row["tier"]).is_tier_assumed
        )
        if rows:
            addition = Addition(seller, (name.removeprefix(who + "/"),), standard_of(rate), rows)
            found.setdefault((seller, f"{rate.provider}/{rate.model}"), []).append(addition)
    return tuple(merged for group in found.values() if (merged := _merged(group)).rows)


def listed(book: PriceBook, models: Mapping[str, Json], at: datetime) -> tuple[Listed, ...]:
    """Find models that a book of that day does not list, of providers whose prices the map is otherwise right about."""
    found: dict[tuple[str, str], Listed] = {}
    for name, facts in models.items():
        who = provider_in_litellm(facts) if "litellm_provider" in facts else ""
        seller = book.seller(who)
        bare = name.removeprefix(who + "/")
        if seller not in _TRUSTED or _NO_NAME.search(bare) or not (seller in _TRUSTED_UNCITED or "source" in facts):
            continue
        rate = rate_or_none(book, who, name, at)
        is_elsewhere = rate is not None and _is_elsewhere(seller, bare, rate, facts)
        usd: Json = dict(_prices(facts))
        if usd and (rate is None or is_elsewhere):
            most = facts.get("max_output_tokens") if facts.get("mode") in _TEXTS else None
            found.setdefault((seller, bare.lower()), Listed(seller, bare, usd, most, is_elsewhere))
    return tuple(found.values())


def _is_elsewhere(seller: str, name: str, rate: Rate, facts: Json) -> bool:
    theirs = tuple(_usd(facts.get(_COSTS[unit], 0)) for unit in ("input_tokens", "output_tokens"))
    is_resold = seller == "azure" and (rate.provider in _OTHER_MAKERS or "gpt-oss" in name)
    return standard_of(rate) != theirs and (is_resold or _OTHER_PLACE.search(name) is not None)


def _prices(facts: Json) -> Iterator[tuple[Unit, Any]]:
    """Read the prices of a model; none at all where they make no sense, or all are 0: then nobody knows."""
    mode = facts.get("mode", "")
    if _is_sensible(facts, mode):
        for unit, key in _COSTS.items():
            if facts.get(key) and unit.startswith(_TOKENS_OF[mode]):
                yield unit, _steps(facts, key, "")
        if mode == "audio_transcription":
            return
    if mode in _ONE_OR_THE_OTHER and facts.get(_COSTS["input_tokens"]):
        return  # named twice, by tokens and by the piece: nobody pays both
    for unit, key, per in _OTHERWISE.get(mode, ()):
        if facts.get(key):
            yield unit, _usd(_EXACT.divide(Decimal(str(facts[key])), per))


def _is_sensible(facts: Json, mode: str) -> bool:
    """Tell whether a model is paid by its tokens, and at figures that are no slip."""
    first, second = (float(facts.get(_COSTS[unit], 0)) for unit in ("input_tokens", "output_tokens"))
    if mode not in _TOKENS_OF or not first or "input_cost_per_character" in facts:
        return False
    return second >= first if mode in _TEXTS else first < _DEAR


def _merged(group: Sequence[Addition]) -> Addition:
    """Make one addition of those for several names of a model, without what they contradict each other on."""
    tiers: dict[str, dict[str, list[Any]]] = {}
    for addition in group:
        for row in addition.rows:
            for unit, usd in row["usd"].items():
                amounts = tiers.setdefault(row["tier"], {}).setdefault(unit, [])
                if usd not in amounts:
                    amounts.append(usd)
    rows = tuple(
        {"tier": tier, "usd": usd}
        for tier, units in tiers.items()
        if (usd := {unit: amounts[0] for unit, amounts in units.items() if len(amounts) == 1})
        and all(unit in usd for unit in ("input_tokens", "output_tokens") if unit in units)
    )
    names = tuple(dict.fromkeys(name for each in group for name in each.names))
    return group[0]._replace(names=names, rows=rows)


def _agreed(book: PriceBook, name: str, facts: Json, at: datetime) -> Rate | None:
    """Return the book's rate for a model of the map, if both have the same standard prices."""
    if "litellm_provider" not in facts or _COSTS["input_tokens"] not in facts:
        return None
    rate = rate_or_none(book, provider_in_litellm(facts), name, at)
    theirs = tuple(_usd(facts.get(_COSTS[unit], 0)) for unit in ("input_tokens", "output_tokens"))
    return rate if rate is not None and standard_of(rate) == theirs else None


def _rows(seller: str, rate: Rate, facts: Json) -> Iterator[Json]:
    also = {unit: usd for unit, usd in _also(seller, facts) if unit not in rate.prices}
    if also and rate.provider == seller:
        yield {"tier": EVERY_TIER, "usd": also}
    for tier, suffix in _SUFFIXES.items():
        if _COSTS["input_tokens"] + suffix in facts:
            usd: Json = dict(_tier(facts, suffix))
            yield {"tier": tier, "usd": {**_with_caches(rate, usd), **usd} if "claude" in rate.model else usd}


def _also(seller: str, facts: Json) -> Iterator[tuple[Unit, Any]]:
    wanted = _ALSO.get(seller, frozenset[Unit]())
    searches = set(cast("Json", facts.get("search_context_cost_per_query", {})).values())
    if "web_searches" in wanted and len(searches) == 1:
        yield "web_searches", _usd(searches.pop())
    if "maps_searches" in wanted and "google_maps_grounding_cost_per_query" in facts:
        yield "maps_searches", _usd(facts["google_maps_grounding_cost_per_query"])
    for unit, key in _COSTS.items():
        if unit in wanted and key in facts:
            yield unit, _steps(facts, key, "")


def _tier(facts: Json, suffix: str) -> Iterator[tuple[Unit, Any]]:
    for unit, key in _COSTS.items():
        if key + suffix in facts:
            yield unit, _steps(facts, key, suffix)


def _with_caches(rate: Rate, usd: Json) -> Json:
    """Price caches that the map is silent on: Anthropic's multipliers for them stack with all others."""
    caches: tuple[Unit, ...] = ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")
    per_input = {
        unit: scaled_usd(rate.prices[unit], 1, rate.prices["input_tokens"]) for unit in caches if unit in rate.prices
    }
    return {
        unit: usd_text(_EXACT.multiply(times, Decimal(usd["input_tokens"])))
        for unit, times in per_input.items()
        if isinstance(usd["input_tokens"], str)
    }


def _steps(facts: Json, key: str, suffix: str) -> Any:
    """Read a price and what it is for long requests; where a tier does not say, as much dearer as in the standard."""
    base = facts[key + suffix]
    steps: list[str | int] = [_usd(base)]
    for size in sorted(int(found[1]) for each in facts if (found := _ABOVE.search(each)) and each == key + found[0]):
        long = f"{key}_above_{size}k_tokens"
        amount = facts.get(long + suffix)
        steps += [size * 1000, _usd(scaled_usd(base, facts[long], facts[key]) if amount is None else amount)]
    return steps if len(steps) > 1 else steps[0]


def _usd(amount: object) -> str:
    return usd_text(_EXACT.multiply(Decimal(str(amount)), _MILLION))
