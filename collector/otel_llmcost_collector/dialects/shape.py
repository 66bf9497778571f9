"""A row made ready for spans with one set of attributes: where each thing stands is settled once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.usage import Unit
from otel_llmcost_collector.dialects.answers import Told, told_by
from otel_llmcost_collector.dialects.base import Around, Telling, Value
from otel_llmcost_collector.dialects.counting import (
    MOST,
    Counts,
    nano_of_usd,
    settle,
    whole,
    with_cached,
    with_reasoning,
    with_rest,
)
from otel_llmcost_collector.dialects.facts import (
    CACHE_NOT_TOLD,
    NOTHING_ASKED,
    STREAM_START,
    SURE,
    TOOLS_NOT_TOLD,
    Asked,
    Doubt,
    Facts,
    Naming,
    Wanted,
    offers_tools_of_provider,
    text_of,
)
from otel_llmcost_collector.dialects.names import COUNTS, TOTALS
from otel_llmcost_collector.dialects.providers import OPENROUTER, OPENROUTER_ID
from otel_llmcost_collector.dialects.row import Dialect, Form, Names
from otel_llmcost_collector.dialects.tagging import tag_places, tags_of, tags_of_resource

_MOST_FACTS = 500
_MOST_REMEMBERED = 2000
_CERTAIN, _GUESSED = 20_000, 10_000
"""How rich certain figures and guesses are, before it counts who tells and how much."""
_KEPT = frozenset({"cache_write_30m_tokens", "cache_write_1h_tokens", "cache_write_12h_tokens"})
_CACHED = frozenset({"cache_read_tokens", "cache_write_tokens"})
_LEAST_CACHED = 1024
"""Tokens of an input below which nobody caches it."""
_ADDING: frozenset[Form] = frozenset({"buckets", "details", "python"})
"""Texts that leave open what attributes leave open too."""
_NO_TEXT = Told()
_UNKNOWN = object()
make_telling: Callable[[type[Telling], tuple[Any, ...]], Telling] = vars(tuple)["__new__"]
"""Makes a telling at half of what its own function takes: one is made for every call."""


class ShapeReader:
    """Reads the spans of one shape by a row."""

    def __init__(self, row: Dialect, scope: str, keys: frozenset[str]) -> None:
        at = Wanted(keys)
        self._row = row
        self._naming = Naming(row, scope, at)
        self._pick = _picker(self._naming.places)
        self._is_long = bool(row.exclusive_spans) or self._naming.is_asked
        self._facts: dict[object, Facts | None] = {}
        self._counts = places_of(at, {**COUNTS, **row.counts})
        self._beside = places_of(at, row.beside)
        self._total = at.place((*row.total, *TOTALS))
        self._texts: list[tuple[int, Form]] = [
            (at.place((name,)), form) for name, form in row.texts.items() if at.has((name,))
        ]
        self._adds = bool(self._texts) and self._texts[0][1] in _ADDING
        self._id, self._error = at.place(row.response_id), at.place(row.error)
        self._tags, self._labels = tag_places(row, at), at.place(row.label_texts)
        self._around: Around | None = None
        self._said: Mapping[Dimension, str] = {}
        told = {unit for unit, _ in self._counts}
        self._is_kept_told = not _KEPT.isdisjoint(told)
        self._may_be_cached = at.has(row.tells_no_cached) and _CACHED.isdisjoint(told)
        is_unusual = self._total >= 0 or self._beside or row.counts_start or self._may_be_cached
        self._tools = at.place(row.tools)
        self._is_plain = self._tools < 0 and told <= {"input_tokens", "output_tokens"} and not is_unusual
        self._certain, self._guessed = _CERTAIN + row.richness * 100, _GUESSED + row.richness * 100
        self._is_told = not row.needs or at.has(row.needs)
        self.wanted: Sequence[str] = tuple(at.names)

    @property
    def is_any_call(self) -> bool:
        """Whether spans of this shape can be calls: what is paid for has a model, and says what it is or used."""
        is_used = bool(self._counts or self._texts)
        return (
            self._is_told and (self._naming.has_model or bool(self._texts)) and (self._naming.has_operation or is_used)
        )

    def read(self, name: str, values: Sequence[Value | None], around: Around) -> Telling | None:
        """Read one span, see `Reader`."""
        key: object = self._pick(values)
        asked = NOTHING_ASKED
        if self._is_long:
            asked = self._naming.asked(values) if self._naming.is_asked else NOTHING_ASKED
            key = (key, name, asked)
        found: Any = self._facts.get(key, _UNKNOWN)
        facts: Facts | None = found if found is not _UNKNOWN else self._learn(key, name, values, asked)
        if facts is None:
            return None
        counts: Counts = {}
        for unit, place in self._counts:
            told = values[place]
            if type(told) is int and 0 < told <= MOST:
                counts[unit] = told
            elif told and told != "0":
                count = whole(told)
                if not count:  # whatever was used, it is not known
                    counts.clear()
                    break
                counts[unit] = count
        if self._texts:
            return self._in_text(facts, counts, values, around)
        semantics, doubt = ("inclusive", facts.doubt) if self._is_plain else self._settle(counts, facts, values)
        return self._telling(facts, (counts, semantics, doubt), _NO_TEXT, values, around)

    def _in_text(self, facts: Facts, counts: Counts, values: Sequence[Value | None], around: Around) -> Telling:
        """Read what is told in JSON too."""
        text = self._text(values, facts, is_known=bool(counts))
        if text.operation or text.tier or (text.model and not facts.served):
            facts = facts._replace(
                operation=text.operation or facts.operation,
                requested=facts.requested or text.model or "",
                served=facts.served or text.model or "",
                tier=text.tier or facts.tier,
            )
        if text.counts is not None and not self._adds:
            return self._telling(facts, (text.counts, "inclusive", SURE), text, values, around)
        counts.update(text.counts or {})
        return self._telling(facts, (counts, *self._settle(counts, facts, values)), text, values, around)

    def _telling(
        self,
        facts: Facts,
        used: tuple[Mapping[Unit, int], str, Doubt],
        text: Told,
        values: Sequence[Value | None],
        around: Around,
    ) -> Telling:
        operation, provider, may_be_brokered, requested, served, tier, _, _, _, _ = facts
        counts, semantics, doubt = used
        status, method = doubt if counts else SURE
        response_id = text_of(values, self._id) or text.response_id
        if may_be_brokered and response_id and response_id.startswith(OPENROUTER_ID):
            provider = OPENROUTER
        certain = 0 if not counts else self._guessed if status == "estimated" else self._certain
        return make_telling(
            Telling,
            (
                self._row.name,
                certain + len(counts) * 10 if response_id is None else certain + len(counts) * 10 + 1,
                provider,
                operation,
                requested,
                served or None,
                self._tags_of(values, around),
                counts,
                status,
                method,
                tier,
                response_id,
                text_of(values, self._error) or None if self._error >= 0 else None,
                # The other's word of what it charged; whoever else states a cost made it up of prices of its own.
                nano_of_usd(text.cost_usd) if provider == OPENROUTER else None,
                None,
                None,
                semantics,
            ),
        )

    def _tags_of(self, values: Sequence[Value | None], around: Around) -> Mapping[Dimension, str]:
        if around is not self._around:
            self._around, self._said = around, tags_of_resource(around.resource)
        if not self._tags and self._labels < 0:
            return self._said
        return tags_of(self._said, self._tags, values, values[self._labels] if self._labels >= 0 else None)

    def _learn(self, key: object, name: str, values: Sequence[Value | None], asked: Asked) -> Facts | None:
        """Find out what follows from names: programs say the same few again and again."""
        facts = self._naming.facts(name, values, asked, is_used=bool(self._counts or self._texts))
        if len(self._facts) >= _MOST_FACTS:
            self._facts.clear()
        if len(str(key)) <= _MOST_REMEMBERED:
            self._facts[key] = facts
        return facts

    def _text(self, values: Sequence[Value | None], facts: Facts, *, is_known: bool) -> Told:
        """Read what is in JSON; of several texts each adds what it tells."""
        place, form = self._texts[0]
        told = told_by(values[place], form, facts.provider, is_known=is_known)
        for place, form in self._texts[1:]:
            more = told_by(values[place], form, facts.provider).counts
            told = told._replace(counts={**(told.counts or {}), **more} if more else told.counts)
        return told

    def _settle(self, counts: Counts, facts: Facts, values: Sequence[Value | None]) -> tuple[str, Doubt]:
        """Make counts canonical; say how cached input was told, and what is in doubt."""
        total = whole(values[self._total]) if self._total >= 0 else 0
        if facts.doubt is STREAM_START and counts.get("output_tokens", 0) > 1:
            counts["output_tokens"] -= 1
            total = 0
        for unit, place in self._beside:
            if more := whole(values[place]):
                counts[unit] = counts.get(unit, 0) + more
        if facts.reasons_beside or counts.get("reasoning_tokens", 0) > counts.get("output_tokens", 0):
            with_reasoning(counts)
        semantics = with_cached(counts, is_exclusive=facts.is_exclusive, total=total)
        if total:
            with_rest(counts, total)
        settle(counts)
        doubt = self._doubt(counts, facts)
        if doubt is SURE and counts and self._tools >= 0 and offers_tools_of_provider(values[self._tools]):
            return semantics, TOOLS_NOT_TOLD
        return semantics, doubt

    def _doubt(self, counts: Counts, facts: Facts) -> Doubt:
        if "cache_write_tokens" in counts and not self._is_kept_told and "cache_write_1h_tokens" not in counts:
            return facts.doubt_of_writes
        if self._may_be_cached and counts.get("input_tokens", 0) >= _LEAST_CACHED and facts.doubt is SURE:
            return CACHE_NOT_TOLD
        return facts.doubt


def _picker(places: tuple[int, ...]) -> Callable[[Sequence[Value | None]], object]:
    return cast("Callable[[object], object]", itemgetter(*places)) if places else lambda _: None


def places_of(at: Wanted, names: Mapping[Unit, Names]) -> list[tuple[Unit, int]]:
    """Say where each unit stands that the shape tells."""
    return [(unit, place) for unit, each in names.items() if (place := at.place(each)) >= 0]
