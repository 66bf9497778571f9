"""Which tellings are of one call, so that it is charged once: pure, and the same whatever order they come in.

docs/collector-accounting.md says in words when two are one. What is found out is kept for a while, in two generations:
once the younger is full or old enough, the older is forgotten. What a batch adds is kept apart until the ledger has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

from otel_llmcost_collector.observed import Observed

_OWN = 1
"""The bit of tellings that carry a charge id of our plugin."""
_OWN_RANK = 1 << 40
_SETTLED_RANK = 1 << 62
"""No telling is richer: what stands in the ledger for the call is no longer known to us."""
_NEAR_US = 5_000_000
_ECHO_US = 50_000
_MOST_ALIKE = 64
"""So many tellings of one trace are compared at most, the latest ones."""
_STRONG_LENGTH = 20
_STRONG_TAIL = 12
_MIXED_DIGITS = 6
_NOT_OF_PROVIDERS = ("run-", "lc_run-")
"""Ids that frameworks make up themselves where an answer's belongs."""
_GENERATION = frozenset({"chat", "text_completion", "generate_content", "completion", "responses"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSize:
    """How much is remembered."""

    tellings: int = 50_000
    """In each of the two generations."""
    seconds: float = 300.0
    """After so long a generation is full, however little is in it."""


@dataclass(slots=True)
class Plan:
    """What a batch comes to."""

    charges: list[Observed | None] = field(default_factory=list[Observed | None])
    """To be charged; None: another one was chosen in its place."""
    replaces: dict[int, str] = field(default_factory=dict[int, str])
    """Place among them → id of the entry in the ledger that it replaces."""
    taken_back: list[str] = field(default_factory=list[str])
    """Ids of entries in the ledger whose call stands there a second time."""
    same_spans: int = 0
    same_calls: int = 0


class _Told(msgspec.Struct, gc=False):
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
    response: str | None
    """A strong id, or none."""
    kept: str
    """Of a root: id of the entry that stands for the call."""
    batch: int
    place: int
    """Of a root: of that entry among the charges of this batch."""
    sources: int
    """Of a root: all that told of the call."""
    under: int = 0
    """Of a root: those that did so in a span right below another telling of the same call."""
    root: _Told | None = None
    """The telling whose call it is of; None: it is its own."""
    next_below: _Told | None = None
    """Another with the same parent."""
    next_alike: _Told | None = None
    """Another of the same trace with as many tokens."""
    below: int = 0
    alike: int = 0
    """How long these chains are."""


_Index = dict[str | int, _Told]


class Twins:
    """The tellings of the last minutes."""

    def __init__(self, size: WindowSize | None = None) -> None:
        """Begin with none.

        Args:
            size: how much is remembered.
        """
        self._size = size or WindowSize()
        self._bits: dict[str, int] = {}
        self._batch = 0
        self._plan = Plan()
        self._now: _Index = {}
        self._young: _Index = {}
        self._old: _Index = {}
        self._since = 0.0
        self._count = self._told_now = 0
        self._undo: list[tuple[_Told, tuple[object, ...]]] = []

    @property
    def count(self) -> int:
        """How many tellings the younger generation holds."""
        return self._count

    def plan(self, observed: Sequence[Observed]) -> Plan:
        """Choose what is to be charged of a batch; to be followed by `keep` or `drop`."""
        self._batch += 1
        plan = self._plan = Plan()
        self._told_now = len(observed)
        get, young, old = self._now.get, self._young.get, self._old.get
        for each in observed:
            key = each.charge_id
            known = get(key) or young(key) or old(key)
            if known is None:
                self._take(each)
            else:
                plan.same_spans += 1
                root = _root(known)
                if root.kept == key and root.batch == self._batch:
                    self._choose(root, each)
        return plan

    def keep(self, now: float) -> None:
        """Remember the batch: it is in the ledger.

        Args:
            now: seconds of any clock that never goes back.
        """
        self._young.update(self._now)
        self._count += self._told_now
        self._end()
        if self._count >= self._size.tellings or now - self._since >= self._size.seconds:
            self._old, self._young, self._since, self._count = self._young, {}, now, 0

    def drop(self) -> None:
        """Forget the batch: it is not in the ledger."""
        for told, (kept, rank, batch, place, sources, under, root) in reversed(self._undo):
            told.kept, told.rank, told.batch, told.place = kept, rank, batch, place  # type: ignore[assignment]
            told.sources, told.under, told.root = sources, under, root  # type: ignore[assignment]
        self._end()

    def stands(self, charge_id: str, entry: Observed | None) -> None:
        """Learn which entry stands in the ledger for the call of a telling, which somebody else wrote.

        Args:
            charge_id: of the telling.
            entry: None: it is not known, so it is not to be replaced.
        """
        told = self._now.get(charge_id) or self._young.get(charge_id) or self._old.get(charge_id)
        if told is not None:
            root = _root(told)
            self._note(root)
            root.kept = charge_id if entry is None else entry.charge_id
            root.rank = _SETTLED_RANK if entry is None else rank_of(entry)

    def forget(self, charge_ids: Sequence[str]) -> None:
        """Take tellings for new when they come again."""
        for charge_id in charge_ids:
            self._young.pop(charge_id, None)
            self._old.pop(charge_id, None)

    def _end(self) -> None:
        self._now, self._undo, self._told_now = {}, [], 0

    def _take(self, observed: Observed) -> None:
        """Find the call of a telling that was not seen before, or begin one."""
        told = self._told(observed)
        self._now[told.charge_id] = told
        roots: list[_Told] = []
        if observed.response_id:
            self._by_response(observed, told, roots)
        if observed.trace_id is not None:
            self._by_trace(observed, told, observed.trace_id, roots)
        if told.given:
            self._by_echo(told, roots)
        if not roots:
            charges = self._plan.charges
            told.place = len(charges)
            charges.append(observed)
            return
        self._plan.same_calls += 1
        root = self._joined(roots)
        self._note(root)
        told.root = root
        root.sources |= told.source
        self._choose(root, observed)

    def _told(self, observed: Observed) -> _Told:
        count, at_us, charge_id = observed.counts.get, observed.at_us, observed.charge_id
        operation, response = observed.operation, observed.response_id
        rank, source = observed.richness * 2 + (observed.cost_nano is not None), _OWN  # as `rank_of`, in place
        if charge_id[12:28] == observed.span_id:
            source = self._bits.get(observed.source) or self._bit(observed.source)
        else:
            rank += _OWN_RANK
        return _Told(
            charge_id,
            "generation" if operation in _GENERATION else operation,
            source,
            rank,
            at_us,
            at_us + observed.duration_us,
            observed.requested_model,
            observed.served_model,
            count("input_tokens", 0),
            count("output_tokens", 0),
            response if response is not None and is_strong(response) else None,
            charge_id,
            self._batch,
            0,
            source,
        )

    def _bit(self, source: str) -> int:
        self._bits[source] = bit = 2 << len(self._bits)
        return bit

    def _by_response(self, observed: Observed, told: _Told, roots: list[_Told]) -> None:
        """Find the call by the id that the provider gave its answer; a weak one only says something near by."""
        is_sure, response = told.response is not None, observed.response_id or ""
        key = "r" + response if is_sure else f"w{response}\n{observed.requested_model}"
        known = self._now.get(key) or self._young.get(key) or self._old.get(key)
        self._now[key] = told
        if known is None:
            return
        root = _root(known)
        is_near = abs(known.at_us - told.at_us) <= _NEAR_US and _overlap(known, told)
        if (is_sure or (is_near and not root.sources & told.source)) and _may_be_one(root, told):
            roots.append(root)

    def _by_trace(  # noqa: C901 -- see below
        self, observed: Observed, told: _Told, trace: str, roots: list[_Told]
    ) -> None:
        """Find the call by what stands around it in its trace, and stand there for those that come later."""
        # Nearly always nothing is found: what is looked up is looked up here, and not by asking others to.
        now, young, old = self._now, self._young, self._old
        span, parent, siblings = observed.span_id, observed.parent_span_id, None
        if parent:
            key = hash((trace, parent))
            above = now.get(key) or young.get(key) or old.get(key)
            if above is not None:
                self._by_parent(told, above, roots)
            key = hash((trace, parent, 0))
            siblings = now.get(key) or young.get(key) or old.get(key)
            now[key] = told
            if siblings is not None and siblings.below < _MOST_ALIKE:
                told.next_below, told.below = siblings, siblings.below + 1
        if span:
            key = hash((trace, span, 0))
            children = now.get(key) or young.get(key) or old.get(key)
            if children is not None:
                self._by_children(told, list(_below(children)), roots)
            now[hash((trace, span))] = told
        key = hash((trace, told.taken, told.given, 0))
        alike = now.get(key) or young.get(key) or old.get(key)
        now[key] = told
        if alike is None and siblings is None:
            return
        if not roots:
            self._by_likeness(told, alike, siblings, roots)
        if alike is not None and alike.alike < _MOST_ALIKE:
            told.next_alike, told.alike = alike, alike.alike + 1

    def _by_parent(self, told: _Told, parent: _Told, roots: list[_Told]) -> None:
        """Find the call right above, unless that one's is told there by the same already."""
        root = _root(parent)
        if told.source & root.under and root not in roots:
            return  # its instrumentor told of another call below the same span
        if _is_one(parent, told) and _may_be_one(root, told):
            self._note(root)
            root.under |= told.source
            if root not in roots:
                roots.append(root)

    def _by_children(self, told: _Told, children: Sequence[_Told], roots: list[_Told]) -> None:
        """Find the call among those below: where one instrumentor tells of several there, it is the most alike."""
        found: dict[str, _Told] = {}
        under = 0
        is_several = False
        for child in children:
            root = _root(child)
            if _is_one(told, child) and _may_be_one(root, told):
                is_several = is_several or (bool(under & child.source) and root.charge_id not in found)
                found[root.charge_id] = root
                under |= child.source
        chosen = list(found.values())
        if is_several:
            same = [root for root in chosen if (root.taken, root.given) == (told.taken, told.given)]
            chosen = (same or [root for root in chosen if not root.given] or chosen)[:1]
        for root in chosen:
            self._note(root)
            root.under |= under
            if root not in roots:
                roots.append(root)

    def _by_likeness(self, told: _Told, alike: _Told | None, siblings: _Told | None, roots: list[_Told]) -> None:
        """Find the call among those of other instrumentors in the trace that ran at the same time."""
        while alike is not None:
            if _are_twins(alike, told) and (alike.taken, alike.given) == (told.taken, told.given):
                roots.append(_root(alike))
                return
            alike = alike.next_alike
        while siblings is not None:
            if (siblings.source | told.source) & _OWN and _are_twins(siblings, told) and _is_within(siblings, told):
                roots.append(_root(siblings))
                return
            siblings = siblings.next_below

    def _by_echo(self, told: _Told, roots: list[_Told]) -> None:
        """Find the call of which an instrumentor wrote a line behind its end, in a trace of its own."""
        key = hash((told.taken, told.given))
        known = self._now.get(key) or self._young.get(key) or self._old.get(key)
        self._now[key] = told
        if known is not None and not roots and (_is_echo(known, told) or _is_echo(told, known)):
            roots.append(_root(known))

    def _joined(self, roots: Sequence[_Told]) -> _Told:
        """Make one call of those that turn out to be one; return it."""
        best = max(roots, key=lambda root: root.rank)
        for root in roots:
            if root is best or (root.sources & best.sources & _OWN):
                continue
            self._note(root)
            self._note(best)
            entry = root.kept
            if root.batch == self._batch:
                self._plan.charges[root.place] = None
                entry = self._plan.replaces.pop(root.place, "")
            if entry:
                self._plan.taken_back.append(entry)
            root.root = best
            best.sources |= root.sources
            best.under |= root.under
        return best

    def _choose(self, root: _Told, observed: Observed) -> None:
        """Let a telling stand for its call if it is the richer one."""
        rank = rank_of(observed)
        if rank <= root.rank:
            return
        plan = self._plan
        if root.batch == self._batch:
            plan.charges[root.place] = observed
        else:
            plan.replaces[len(plan.charges)] = root.kept
            root.batch, root.place = self._batch, len(plan.charges)
            plan.charges.append(observed)
        root.kept, root.rank = observed.charge_id, rank

    def _note(self, told: _Told) -> None:
        """Remember how a telling stood, for when the ledger does not take the batch."""
        if self._now and told.charge_id not in self._now:
            self._undo.append(
                (
                    told,
                    (told.kept, told.rank, told.batch, told.place, told.sources, told.under, told.root),
                )
            )


def is_strong(response_id: str) -> bool:
    """Tell whether an id is one of its kind: as long and mixed as providers make them, and not `chatcmpl-123`."""
    tail = response_id[-_STRONG_TAIL:]
    if len(response_id) < _STRONG_LENGTH or response_id.startswith(_NOT_OF_PROVIDERS):
        return False
    if tail.isdigit():
        return len(set(tail)) >= _MIXED_DIGITS
    return not tail.isalpha() or not (tail.islower() or tail.isupper())


def call_key(observed: Observed) -> bytes | None:
    """Return what all tellings of a call share wherever they come in; None: nothing that is sure."""
    response = observed.response_id
    if response is None or not is_strong(response):
        return None
    return blake2b(response.encode(errors="replace"), digest_size=12).digest()


def rank_of(observed: Observed) -> int:
    """Say how much a telling is worth: what our plugin tells most, then the richest, then what has a price."""
    rank = observed.richness * 2 + (observed.cost_nano is not None)
    return rank + _OWN_RANK if is_own(observed) else rank


def is_own(observed: Observed) -> bool:
    """Tell whether it carries a charge id of our plugin: one that is not made of its span, see `id_of_span`."""
    return observed.charge_id[12:28] != observed.span_id


def _root(told: _Told) -> _Told:
    while told.root is not None:
        told = told.root
    return told


def _below(told: _Told | None) -> Iterator[_Told]:
    while told is not None:
        yield told
        told = told.next_below


def _may_be_one(root: _Told, told: _Told) -> bool:
    """Tell whether nothing speaks against it: our plugin never makes two charges of one call."""
    return not (root.sources & told.source & _OWN)


def _is_one(parent: _Told, child: _Told) -> bool:
    """Tell whether a call below another is that one, and not one that was made in its course."""
    if parent.kind != child.kind:
        return False
    ids_differ = parent.response is not None and child.response is not None and parent.response != child.response
    return not ids_differ or (parent.taken, parent.given) == (child.taken, child.given)


def _are_twins(one: _Told, other: _Told) -> bool:
    """Tell whether two of one trace can be one: told by different ones, at one time, of one model and answer."""
    if other.source & _root(one).sources or one.kind != other.kind or not _overlap(one, other):
        return False
    if one.response is not None and other.response is not None and one.response != other.response:
        return False
    return _is_one_model(one, other)


def _is_echo(echo: _Told, call: _Told) -> bool:
    """Tell whether one is a line, of no duration and no answer's id, right behind the end of the other."""
    if echo.at_us != echo.end_us or echo.response is not None or not 0 <= echo.at_us - call.end_us <= _ECHO_US:
        return False
    return not _root(echo).sources & _root(call).sources and echo.kind == call.kind and _is_one_model(echo, call)


def _overlap(one: _Told, other: _Told) -> bool:
    return one.at_us <= other.end_us and other.at_us <= one.end_us


def _is_within(one: _Told, other: _Told) -> bool:
    """Tell whether one ran while the other did, from its beginning to its end."""
    if one.at_us > other.at_us:
        one, other = other, one
    return one.end_us >= other.end_us


def _is_one_model(one: _Told, other: _Told) -> bool:
    """Tell whether a model is called the same, but for a provider before it and a date behind it."""
    left = [name.rpartition("/")[2] for name in (one.requested, one.served) if name]
    right = [name.rpartition("/")[2] for name in (other.requested, other.served) if name]
    return any(a.startswith(b) or b.startswith(a) for a in left for b in right)
