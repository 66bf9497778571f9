"""Requests on disk that wait to be sent: appended to files of a few MiB, which are deleted when all in them is sent.

Nothing here waits for anything but the disk. A spool belongs to one thread; only its numbers are read by others.
What is accepted survives the death of the process at once. The loss of power it survives if `syncs` is on: then each
group of requests is on the platter before anybody is told; else the system writes it when it likes, within about half a
minute.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from otel_llmcost_collector.forwarding.base import Signal
from otel_llmcost_collector.forwarding.compressing import DamagedError
from otel_llmcost_collector.forwarding.folders import SUFFIX, held
from otel_llmcost_collector.forwarding.frames import DONE, STATE_AT, Damage, Frame, frame, frames

LOGGER = logging.getLogger(__name__)
FILE_BYTES = 8 * 1024 * 1024
"""From this size on another file is begun. One file is read at a time, so as much is in memory."""


@dataclass(slots=True, eq=False)
class SpoolFile:
    """A file of requests."""

    path: Path
    size: int = 0
    left: int = 0
    """Requests in it that are not sent yet; in a file that was found one is supposed until it is read."""
    loose: int = 0
    """Those of them that nobody has in hand."""
    in_hand: set[int] = field(default_factory=set[int])
    """Where in the file those stand that somebody has."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request stands."""

    file: SpoolFile
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A request to be written."""

    signal: Signal
    content: bytes
    is_json: bool
    is_in_hand: bool
    """It is in memory as well: while this process lives, it is not to be read from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A request that was read."""

    place: Place
    signal: Signal
    content: bytes
    is_json: bool


class Spool:
    """The requests of one process for one back end."""

    def __init__(self, root: Path, *, limit_bytes: int, syncs: bool) -> None:
        """Hold a folder in `root`, and find what waits there.

        Raises:
            OSError: The folder cannot be used.
        """
        self.size_bytes = 0
        self.loose = 0
        """How many requests wait that nobody has in hand; 0 only if there are none."""
        self.damaged_bytes = 0
        self.limit_bytes = limit_bytes
        self._syncs = syncs
        self._folder = held(root)
        self._unread = deque[SpoolFile]()
        """The oldest first; the last may be the one that is written to."""
        self._writing: tuple[SpoolFile, int] | None = None
        """With its descriptor."""
        self._reading: SpoolFile | None = None
        self._frames = deque[Frame]()
        for path in self._folder.files():
            self._add(SpoolFile(path, size=path.stat().st_size, left=1, loose=1))

    def write(self, entries: Sequence[Entry]) -> list[Place | OSError]:
        """Append requests; return where each stands, or why it does not."""
        done = [self._write(entry) for entry in entries]
        if self._syncs and self._writing is not None:
            try:
                os.fdatasync(self._writing[1])
            except OSError as error:
                self.done(place for place in done if isinstance(place, Place))  # whoever sent them sends them again
                return [error for _ in done]
        return done

    def read(self, most_bytes: int) -> list[Waiting]:
        """Take the oldest requests in hand: one if there is any, and further ones until there are so many bytes."""
        found: list[Waiting] = []
        while most_bytes > 0 and (file := self._file_with_frames()) is not None:
            taken = self._taken(file, self._frames.popleft())
            if taken is not None:
                found.append(taken)
                most_bytes -= len(taken.content)
        return found

    def done(self, places: Iterable[Place]) -> None:
        """Note that requests need not be sent again."""
        for place in places:
            self._let_go(place)
            place.file.left -= 1
            if place.file.left or place.file is self._reading:
                self._mark(place)
            elif self._writing is not None and place.file is self._writing[0]:
                self._empty(*self._writing)
            else:
                self._delete(place.file)

    def close(self) -> None:
        """Leave what waits to whoever comes next."""
        self._end_reading()
        self._end_writing()
        self._folder.release()

    def _write(self, entry: Entry) -> Place | OSError:
        whole = frame(entry.signal, entry.content, is_json=entry.is_json)
        if self.size_bytes + len(whole) > self.limit_bytes:
            return OSError(errno.EDQUOT, f"as many bytes wait on disk as may: {self.limit_bytes}")
        try:
            file, descriptor = self._written_to()
            _append(descriptor, whole, file.size)
        except OSError as error:
            return error
        place = Place(file, file.size)
        file.size += len(whole)
        file.left += 1
        self.size_bytes += len(whole)
        if entry.is_in_hand:
            file.in_hand.add(place.at)
        else:
            file.loose += 1
            self.loose += 1
        return place

    def _written_to(self) -> tuple[SpoolFile, int]:
        if self._writing is not None and self._writing[0].size >= FILE_BYTES:
            if self._syncs:
                os.fdatasync(self._writing[1])
            self._end_writing()
        if self._writing is None:
            name = f"{time.time_ns():020}-{self._folder.path.name}{SUFFIX}"
            file = SpoolFile(self._folder.path / name)
            self._writing = file, os.open(file.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._add(file)
            if self._syncs:
                _sync_folder(self._folder.path)
        return self._writing

    def _add(self, file: SpoolFile) -> None:
        self._unread.append(file)
        self.size_bytes += file.size
        self.loose += file.loose

    def _end_writing(self) -> None:
        if self._writing is None:
            return
        file, descriptor = self._writing
        self._writing = None
        os.close(descriptor)
        if not file.left:
            self._delete(file)

    def _file_with_frames(self) -> SpoolFile | None:
        """Go on to the next file for as long as there is nothing left to be read."""
        while not self._frames:
            self._end_reading()
            if not self.loose:
                return None
            file = self._unread.popleft()
            if self._writing is not None and file is self._writing[0]:
                self._end_writing()
            if file.loose:
                self._begin_reading(file)
        return self._reading

    def _begin_reading(self, file: SpoolFile) -> None:
        supposed, file.loose = file.loose, 0
        self.loose -= supposed
        try:
            written = file.path.read_bytes()
        except OSError as error:
            LOGGER.error("%s cannot be read now and is left to the next start: %s", file.path, error)  # noqa: TRY400 -- the error says it all
            self.size_bytes -= file.size
            return
        for found in frames(written):
            if isinstance(found, Damage):
                self._tell(file, found)
            elif not found.is_done and found.at not in file.in_hand:
                self._frames.append(found)
        file.loose = len(self._frames)
        file.left = file.loose + len(file.in_hand)
        self.loose += file.loose
        self._reading = file

    def _tell(self, file: SpoolFile, found: Damage) -> None:
        self.damaged_bytes += found.size
        LOGGER.error("%s: %d bytes from %d on cannot be read and are passed over", file.path, found.size, found.at)

    def _end_reading(self) -> None:
        file, self._reading = self._reading, None
        if file is not None and not file.left:
            self._delete(file)

    def _taken(self, file: SpoolFile, found: Frame) -> Waiting | None:
        place = Place(file, found.at)
        try:
            content = found.content()
        except DamagedError:
            self._tell(file, Damage(at=found.at, size=len(found.stored)))
            self.done([place])
            return None
        file.loose -= 1
        self.loose -= 1
        file.in_hand.add(found.at)
        return Waiting(place=place, signal=found.signal, content=content, is_json=found.is_json)

    def _let_go(self, place: Place) -> None:
        if place.at in place.file.in_hand:
            place.file.in_hand.remove(place.at)
        else:
            place.file.loose -= 1
            self.loose -= 1

    def _mark(self, place: Place) -> None:
        with suppress(OSError):  # then it is sent twice, if this process dies before the file is deleted
            descriptor = os.open(place.file.path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.pwrite(descriptor, DONE, place.at + STATE_AT)
            finally:
                os.close(descriptor)

    def _empty(self, file: SpoolFile, descriptor: int) -> None:
        """Begin the file again, since nothing in it waits."""
        with suppress(OSError):  # then it is emptied another time
            os.ftruncate(descriptor, 0)
            self.size_bytes -= file.size
            file.size = 0

    def _delete(self, file: SpoolFile) -> None:
        self.size_bytes -= file.size
        with suppress(OSError):  # then all in it is sent twice, if it cannot even be marked; there is no more to do
            file.path.unlink()
        with suppress(ValueError):  # most files were read before
            self._unread.remove(file)


def _append(descriptor: int, whole: bytes, at: int) -> None:
    rest = memoryview(whole)
    try:
        while rest:
            rest = rest[os.pwrite(descriptor, rest, at + len(whole) - len(rest)) :]
    except OSError:
        with suppress(OSError):  # else it is written over by the next
            os.ftruncate(descriptor, at)
        raise


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
