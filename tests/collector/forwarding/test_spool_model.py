"""Whatever is done to a spool in whatever order, it holds what was accepted and not yet sent, and gives it out once."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from otel_llmcost_collector.forwarding import spool as module
from otel_llmcost_collector.forwarding.spool import Entry, Place, Spool

LIMIT = 3000


class SpoolMachine(RuleBasedStateMachine):
    """A spool beside lists that say what must be in it; contents are numbers, padded to various sizes."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._file_bytes, module.FILE_BYTES = module.FILE_BYTES, 150
        self._count = 0
        self._open()

    def teardown(self) -> None:
        module.FILE_BYTES = self._file_bytes
        self._spool.close()
        self._folder.cleanup()

    def _open(self) -> None:
        self._spool = Spool(Path(self._folder.name), limit_bytes=LIMIT, syncs=False)
        self._in_hand: dict[bytes, Place] = {}
        self._loose: list[bytes] = getattr(self, "_left", [])

    @rule(in_hand=st.lists(st.booleans(), min_size=1, max_size=4), padding=st.integers(0, 400))
    def write(self, in_hand: list[bool], padding: int) -> None:
        entries = []
        for each in in_hand:
            self._count += 1
            content = b"%06d" % self._count + b"".join(b"%d" % (number * self._count) for number in range(padding))
            entries.append(Entry(signal="traces", content=content, is_json=False, is_in_hand=each))
        for entry, place in zip(entries, self._spool.write(entries), strict=True):
            if isinstance(place, Place) and entry.is_in_hand:
                self._in_hand[entry.content] = place
            elif isinstance(place, Place):
                self._loose.append(entry.content)

    @rule(most=st.integers(1, 3000))
    def read(self, most: int) -> None:
        found = self._spool.read(most)
        contents = [waiting.content for waiting in found]
        assert contents == self._loose[: len(contents)]
        assert bool(contents) == bool(self._loose)
        self._loose = self._loose[len(contents) :]
        self._in_hand |= {waiting.content: waiting.place for waiting in found}

    @precondition(lambda self: self._in_hand)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        content = data.draw(st.sampled_from(sorted(self._in_hand)))
        self._spool.done([self._in_hand.pop(content)])

    @rule()
    def begin_again(self) -> None:
        """As the next process finds it; a process that is killed leaves the same."""
        self._left = sorted([*self._loose, *self._in_hand])
        self._spool.close()
        self._open()

    @invariant()
    def it_tells_what_it_holds(self) -> None:
        on_disk = sum(path.stat().st_size for path in Path(self._folder.name).rglob("*.requests"))
        assert self._spool.size_bytes == on_disk <= LIMIT
        assert (self._spool.loose > 0) >= bool(self._loose)
        assert self._spool.damaged_bytes == 0


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
