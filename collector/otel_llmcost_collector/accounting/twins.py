"""Which tellings are of one call, so that it is charged once: pure, and the same whatever order they come in.

What is found out is kept for a while, in two generations: once the younger is full or old enough, the older is
forgotten. What a batch adds is kept apart until the ledger has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from otel_llmcost_collector.accounting.tellings import (
    GENERATION,
    OWN,
    OWN_RANK,
    SETTLED_RANK,
    Told,
    all_below,
    are_twins,
    is_echo,
    is_one,
    is_strong,
    is_within,
    may_be_one,
    overlap,
    rank_of,
    root_of,
)
from otel_llmcost_collector.observed import Elsewhere, Observed

_NEAR_US = 5_000_000
_MOST_ALIKE = 64
"""So many tellings of one trace are compared at least, the latest ones, and twice as many at most."""


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
    in_doubt: list[str] = field(default_factory=list[str])
    """Ids of all tellings that another one may stand for, and of some that it does not: see `Twins.elsewhere`."""
    same_spans: int = 0
    same_calls: int = 0


_Index = dict[str | int, Told]
_Stand = tuple[str, int, int, int, int, int, Told | None]
"""How a telling stood: `kept`, `rank`, `batch`, `place`, `sources`, `under`, `root`."""


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
        self._undo: list[tuple[Told, _Stand]] = []

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
                plan.in_doubt.append(key)
                root = root_of(known)
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
        for told, stood in reversed(self._undo):
            told.kept, told.rank, told.batch, told.place, told.sources, told.under, told.root = stood
        self._end()

    def elsewhere(self, charge_ids: Iterable[str]) -> Elsewhere:
        """Tell which entry stands for a call; of a telling that stands for it itself, nothing."""
        found: dict[str, str] = {}
        for charge_id in charge_ids:
            told = self._young.get(charge_id) or self._old.get(charge_id)
            kept = "" if told is None else root_of(told).kept
            if kept and kept != charge_id:
                found[charge_id] = kept
        return found

    def stands(self, charge_id: str, entry_id: str, entry: Observed | None) -> None:
        """Learn which entry stands in the ledger for the call of a telling, which somebody else wrote.

        Args:
            charge_id: of the telling.
            entry_id: of the entry, or of one that stood there before it.
            entry: None: what it says is not known, so it is not to be replaced.
        """
        told = self._now.get(charge_id) or self._young.get(charge_id) or self._old.get(charge_id)
        if told is not None:
            root = root_of(told)
            self._note(root)
            root.kept = entry_id
            root.rank = SETTLED_RANK if entry is None else rank_of(entry)

    def forget(self, charge_ids: Sequence[str]) -> None:
        """Take tellings for new when they come again."""
        for charge_id in charge_ids:
            told = self._young.pop(charge_id, None) or self._old.pop(charge_id, None)
            if told is not None:
                root = root_of(told)
                root.kept, root.rank = "", -1

    def _end(self) -> None:
        self._now, self._undo, self._told_now = {}, [], 0

    def _take(self, observed: Observed) -> None:
        """Find the call of a telling that was not seen before, or begin one."""
        told = self._told(observed)
        self._now[told.charge_id] = told
        roots: list[Told] = []
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
        self._plan.in_doubt.append(told.charge_id)
        root = self._joined(roots)
        self._note(root)
        told.root = root
        root.sources |= told.source
        self._choose(root, observed)

    def _told(self, observed: Observed) -> Told:
        count, at_us, charge_id = observed.counts.get, observed.at_us, observed.charge_id
        operation, response = observed.operation, observed.response_id
        rank, source = observed.richness * 2 + (observed.cost_nano is not None), OWN  # as `rank_of`, in place
        if charge_id[12:28] == observed.span_id:
            source = self._bits.get(observed.source) or self._bit(observed.source)
        else:
            rank += OWN_RANK
        return Told(
            charge_id,
            "generation" if operation in GENERATION else operation,
            source,
            rank,
            at_us,
            at_us + observed.duration_us,
            observed.requested_model,
            observed.served_model,
            count("input_tokens", 0),
            count("output_tokens", 0),
            hash(response) if response is not None and is_strong(response) else None,
            charge_id,
            self._batch,
            0,
            source,
        )

    def _bit(self, source: str) -> int:
        self._bits[source] = bit = 2 << len(self._bits)
        return bit

    def _by_response(self, observed: Observed, told: Told, roots: list[Told]) -> None:
        """Find the call by the id that the provider gave its answer; a weak one only says something near by."""
        key, is_sure = told.response, True
        if key is None:
            key, is_sure = hash((observed.response_id, observed.requested_model, 0)), False
        known = self._now.get(key) or self._young.get(key) or self._old.get(key)
        self._now[key] = told
        if known is None:
            return
        root = root_of(known)
        is_near = abs(known.at_us - told.at_us) <= _NEAR_US and overlap(known, told)
        if (is_sure or (is_near and not root.sources & told.source)) and may_be_one(root, told):
            roots.append(root)

    def _by_trace(  # noqa: C901 -- see below
        self, observed: Observed, told: Told, trace: str, roots: list[Told]
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
            if siblings is not None:
                told.next_below, told.below = siblings, _bounded(siblings, siblings.below, "next_below")
        if span:
            key = hash((trace, span, 0))
            children = now.get(key) or young.get(key) or old.get(key)
            if children is not None:
                self._by_children(told, list(all_below(children)), roots)
            now[hash((trace, span))] = told
        key = hash((trace, told.taken, told.given, 0))
        alike = now.get(key) or young.get(key) or old.get(key)
        now[key] = told
        if alike is None and siblings is None:
            return
        if not roots:
            self._by_likeness(told, alike, siblings, roots)
        if alike is not None:
            told.next_alike, told.alike = alike, _bounded(alike, alike.alike, "next_alike")

    def _by_parent(self, told: Told, parent: Told, roots: list[Told]) -> None:
        """Find the call right above, unless that one's is told there by the same already."""
        root = root_of(parent)
        if told.source & root.under and root not in roots:
            return  # its instrumentor told of another call below the same span
        if is_one(parent, told) and may_be_one(root, told):
            self._note(root)
            root.under |= told.source
            if root not in roots:
                roots.append(root)

    def _by_children(self, told: Told, children: Sequence[Told], roots: list[Told]) -> None:
        """Find the call among those below: where one instrumentor tells of several there, it is the most alike."""
        found: dict[str, Told] = {}
        under = 0
        is_several = False
        for child in children:
            root = root_of(child)
            if is_one(told, child) and may_be_one(root, told):
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

    def _by_likeness(self, told: Told, alike: Told | None, siblings: Told | None, roots: list[Told]) -> None:
        """Find the call among those of other instrumentors in the trace that ran at the same time."""
        while alike is not None:
            if are_twins(alike, told) and (alike.taken, alike.given) == (told.taken, told.given):
                roots.append(root_of(alike))
                return
            alike = alike.next_alike
        while siblings is not None:
            if (siblings.source | told.source) & OWN and are_twins(siblings, told) and is_within(siblings, told):
                roots.append(root_of(siblings))
                return
            siblings = siblings.next_below

    def _by_echo(self, told: Told, roots: list[Told]) -> None:
        """Find the call of which an instrumentor wrote a line behind its end, in a trace of its own."""
        key = hash((told.taken, told.given))
        known = self._now.get(key) or self._young.get(key) or self._old.get(key)
        self._now[key] = told
        if known is not None and not roots and (is_echo(known, told) or is_echo(told, known)):
            roots.append(root_of(known))

    def _joined(self, roots: Sequence[Told]) -> Told:
        """Make one call of those that turn out to be one; return it."""
        best = max(roots, key=lambda root: root.rank)
        for root in roots:
            if root is best or (root.sources & best.sources & OWN):
                continue
            self._note(root)
            self._note(best)
            entry = root.kept
            if root.batch == self._batch:
                self._plan.charges[root.place] = None
                self._plan.in_doubt.append(root.kept)
                entry = self._plan.replaces.pop(root.place, "")
            if entry:
                self._plan.taken_back.append(entry)
            root.root = best
            best.sources |= root.sources
            best.under |= root.under
        return best

    def _choose(self, root: Told, observed: Observed) -> None:
        """Let a telling stand for its call if it is the richer one."""
        rank = rank_of(observed)
        if rank <= root.rank:
            return
        plan = self._plan
        if root.kept == observed.charge_id and root.batch != self._batch:
            root.rank = rank  # it stands in the ledger itself, which told of it: put in its own place, it would be gone
            return
        if root.batch == self._batch:
            plan.charges[root.place] = observed
            plan.in_doubt.append(root.kept)
        else:
            if root.kept:
                plan.replaces[len(plan.charges)] = root.kept
            root.batch, root.place = self._batch, len(plan.charges)
            plan.charges.append(observed)
        root.kept, root.rank = observed.charge_id, rank

    def _note(self, told: Told) -> None:
        """Remember how a telling stood, for when the ledger does not take the batch."""
        if self._now and told.charge_id not in self._now:
            stood = told.kept, told.rank, told.batch, told.place, told.sources, told.under, told.root
            self._undo.append((told, stood))


def _bounded(latest: Told, length: int, following: Literal["next_alike", "next_below"]) -> int:
    """Return the length of a chain with one more before the latest; the older half of a long one is let go of."""
    if length < 2 * _MOST_ALIKE:
        return length + 1
    last = latest
    for _ in range(_MOST_ALIKE - 2):
        last = getattr(last, following)
    setattr(last, following, None)
    return _MOST_ALIKE
