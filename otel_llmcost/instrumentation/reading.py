"""What an answer tells of itself, gathered from its body, its pieces and its headers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from otel_llmcost.adapters.endpoint import Endpoint, tier_of
from otel_llmcost.adapters.getters import Getter, fields_of, is_list
from otel_llmcost.adapters.usage_at import Seen
from otel_llmcost.core.flow import Answer, new_answer
from otel_llmcost.core.money import nano_of
from otel_llmcost.core.usage import Usage


class Listener(Protocol):
    """Is told what an answer says, and how it ends."""

    endpoint: Endpoint
    is_async: bool
    is_stream: bool
    is_ended: bool
    """False: the answer has an end of its own that has not come yet."""
    is_pulling: bool
    """The answer is being read right now; a response closes itself then at its end, which is no early end."""
    hides_usage: bool
    """We asked for the usage chunk, so the caller does not get to see it."""
    at_cut: Callable[[], None] | None
    """Measures what came of an answer that was cut off."""

    def note(self, answer: Any) -> bool:
        """Take what an answer, or a chunk's part of it, tells."""
        ...

    def note_whole(self, body: bytes) -> None:
        """Take what a whole body tells."""
        ...

    def note_headers(self, headers: Mapping[str, str]) -> None:
        """Take what an answer's headers tell."""
        ...

    def answered(self, answer: Any) -> None:
        """Take a whole answer."""
        ...

    def finish(self, *, is_complete: bool = True, error: BaseException | None = None) -> None:
        """Hear that the answer is over."""
        ...

    def closed(self) -> None:
        """Hear that its response was closed."""
        ...

    def add_text(self, text: Any) -> None:
        """Measure a piece of the answer."""
        ...


class Reading:
    """Gathers what one answer reports; a later report of anything replaces the earlier one."""

    __slots__ = ("beside", "endpoint", "reported_cost", "response_id", "seen", "seen_headers", "served_model", "tiers")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.seen: Seen = {}
        self.seen_headers: Seen = {}
        self.served_model: str | None = None
        self.response_id: str | None = None
        self.tiers: dict[Getter | str, str] = {}
        self.reported_cost: object = None
        self.beside: list[Any] = []
        """What other models did for this answer."""

    def note(self, answer: Any) -> bool:
        """Take what an answer, or a chunk's part of it, tells; return whether it told a usage."""
        endpoint = self.endpoint
        fields = fields_of(answer)
        self.served_model = _first(endpoint.get_served, fields) or self.served_model
        self.response_id = _first(endpoint.get_ids, fields) or self.response_id
        for get in endpoint.tiers:
            tier = get(fields)
            if isinstance(tier, str):
                self.tiers[get] = tier
        for get in endpoint.get_cost:
            if (cost := get(fields)) is not None:
                self.reported_cost = cost
                break
        if endpoint.beside is not None and is_list(items := endpoint.get_beside(fields)):
            self.beside = [item for item in items if fields_of(item).get("type") == endpoint.beside.kind]
        return endpoint.usage.note(fields, self.seen)

    def note_whole(self, body: bytes) -> None:
        """Take what a whole body tells, if it is JSON: an answer, or a list of an answer's pieces."""
        for each in objects(body):
            self.note(each)

    def note_headers(self, headers: Mapping[str, str]) -> None:
        """Take what an answer's headers tell."""
        endpoint = self.endpoint
        endpoint.usage.note_headers(headers, self.seen_headers)
        if endpoint.id_header in headers:
            self.response_id = headers[endpoint.id_header]
        for name in endpoint.tier_headers:
            if name in headers:
                self.tiers[name] = headers[name]

    def usage(self) -> Usage | None:
        """Add up what was reported; None: nothing was."""
        return self.endpoint.usage.usage(self.seen or self.seen_headers)

    def answers_beside(self) -> list[Answer]:
        """Make values of what other models did, each as an answer of its own."""
        row, answers = self.endpoint.beside, list[Answer]()
        for item in self.beside:
            assert row is not None  # noqa: S101 -- nothing is gathered without it
            seen: Seen = {}
            row.usage.note(item, seen)
            model = fields_of(item).get("model")
            usage = row.usage.usage(seen)
            if usage is not None and isinstance(model, str):
                answers.append(
                    new_answer(usage=usage, served_model=model, response_id=self.response_id, tier=self._tier())
                )
        return answers

    def _tier(self) -> str | None:
        return tier_of(self.tiers.values())

    def answer(self) -> Answer:
        """Make a value of a whole answer that was read outside of any call."""
        return new_answer(
            usage=self.usage(),
            served_model=self.served_model,
            response_id=self.response_id,
            tier=tier_of(self.tiers.values()),
            cost_nano=nano_of(self.reported_cost),
        )


def objects(body: bytes) -> list[Any]:
    """Return the JSON objects of a body: itself, or the items of a list."""
    try:
        value: Any = json.loads(body)
    except ValueError:
        return []
    return [each for each in (value if is_list(value) else [value]) if isinstance(each, dict)]


def _first(getters: tuple[Getter, ...], fields: Mapping[str, Any]) -> str | None:
    """Return the first text that is there."""
    for get in getters:
        found = get(fields)
        if isinstance(found, str) and found:
            return found
    return None
