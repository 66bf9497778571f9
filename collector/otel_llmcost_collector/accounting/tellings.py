"""What is kept of one telling of a call, and what speaks for or against two being of one: pure.

docs/collector-accounting.md says it in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from otel_llmcost_collector.observed import Observed

OWN = 1
"""The bit of tellings that carry a charge id of our plugin."""
OWN_RANK = 1 << 40
SETTLED_RANK = 1 << 62
"""No telling is richer: what stands in the ledger for the call is no longer known to us."""
_ECHO_US = 50_000
_STRONG_LENGTH = 20
_STRONG_TAIL = 12
_MIXED_DIGITS = 6
_UUID_DASHES = 4
_NOT_OF_PROVIDERS = ("run-", "lc_run-")
"""Ids that frameworks make up themselves where an answer's belongs."""
GENERATION = frozenset({"chat", "text_completion", "generate_content", "completion", "responses"})


class Told(msgspec.Struct, gc=False):
    """One telling. A hundred thousand are kept: small, and nothing that the garbage collector has to look at."""

    charge_id: str
    kind: str
    source: int
    """A bit."""
    rank: int
    """Of a root: of the telling that stands for the call."""
    at_us: int
    end_us: int
    requested: str
    served: str | None
    taken: int
    """Tokens in."""
    given: int
    """Tokens out."""
    response: int | None
    """A strong id, by its hash since that is a quarter as large; or none."""
    kept: str
    """Of a root: id of the entry that stands for the call."""
    batch: int
    place: int
    """Of a root: of that entry among the charges of this batch."""
    sources: int
    """Of a root: all that told of the call."""
    under: int = 0
    """Of a root: those that did so in a span right below another telling of the same call."""
    root: Told | None = None
    """The telling whose call it is of; None: it is its own."""
    next_below: Told | None = None
    """Another with the same parent."""
    next_alike: Told | None = None
    """Another of the same trace with as many tokens."""
    below: int = 0
    alike: int = 0
    """How long these chains are."""


def is_strong(response_id: str) -> bool:
    """Tell whether an id is one of its kind: as long and mixed as providers make them, and not `chatcmpl-123`."""
    tail = response_id[-_STRONG_TAIL:]
    if len(response_id) < _STRONG_LENGTH or response_id.startswith(_NOT_OF_PROVIDERS):
        return False
    if not tail.isdigit():
        return not tail.isalpha() or not (tail.islower() or tail.isupper())
    if len(set(tail)) >= _MIXED_DIGITS:
        return True
    # Of random ids in hexadecimal digits one in three hundred ends in twelve that are no letters.
    *before, last = response_id.replace("_", "-").split("-")
    return not last.isdigit() or len(before) == _UUID_DASHES


def call_key(observed: Observed) -> bytes | None:
    """Return what all tellings of a call share wherever they come in; None: nothing that is sure."""
    response = observed.response_id
    if response is None or not is_strong(response):
        return None
    return blake2b(response.encode(errors="replace"), digest_size=12).digest()


def rank_of(observed: Observed) -> int:
    """Say how much a telling is worth: what our plugin tells most, then the richest, then what has a price."""
    rank = observed.richness * 2 + (observed.cost_nano is not None)
    return rank + OWN_RANK if is_own(observed) else rank


def is_own(observed: Observed) -> bool:
    """Tell whether it carries a charge id of our plugin: one that is not made of its span, see `id_of_span`."""
    return observed.charge_id[12:28] != observed.span_id


def root_of(told: Told) -> Told:
    """Return what stands for its call."""
    while told.root is not None:
        told = told.root
    return told


def all_below(told: Told | None) -> Iterator[Told]:
    """Give it and all others with the same parent, the latest first."""
    while told is not None:
        yield told
        told = told.next_below


def may_be_one(root: Told, told: Told) -> bool:
    """Tell whether nothing speaks against it: our plugin never makes two charges of one call."""
    return not (root.sources & told.source & OWN)


def is_one(parent: Told, child: Told) -> bool:
    """Tell whether a call below another is that one, and not one that was made in its course."""
    if parent.kind != child.kind:
        return False
    ids_differ = parent.response is not None and child.response is not None and parent.response != child.response
    return not ids_differ or (parent.taken, parent.given) == (child.taken, child.given)


def are_twins(one: Told, other: Told) -> bool:
    """Tell whether two of one trace can be one: told by different ones, at one time, of one model and answer."""
    if other.source & root_of(one).sources or one.kind != other.kind or not overlap(one, other):
        return False
    if one.response is not None and other.response is not None and one.response != other.response:
        return False
    return _is_one_model(one, other)


def is_echo(echo: Told, call: Told) -> bool:
    """Tell whether one is a line, of no duration and no answer's id, right behind the end of the other."""
    if echo.at_us != echo.end_us or echo.response is not None or not 0 <= echo.at_us - call.end_us <= _ECHO_US:
        return False
    return not root_of(echo).sources & root_of(call).sources and echo.kind == call.kind and _is_one_model(echo, call)


def overlap(one: Told, other: Told) -> bool:
    """Tell whether both ran at some instant."""
    return one.at_us <= other.end_us and other.at_us <= one.end_us


def is_within(one: Told, other: Told) -> bool:
    """Tell whether one ran while the other did, from its beginning to its end."""
    if one.at_us > other.at_us:
        one, other = other, one
    return one.end_us >= other.end_us


def _is_one_model(one: Told, other: Told) -> bool:
    """Tell whether a model is called the same, but for a provider before it and a date behind it."""
    left = [name.rpartition("/")[2] for name in (one.requested, one.served) if name]
    right = [name.rpartition("/")[2] for name in (other.requested, other.served) if name]
    return any(a.startswith(b) or b.startswith(a) for a in left for b in right)
