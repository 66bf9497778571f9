"""Requests on disk."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otel_llmcost_collector.forwarding import frames
from otel_llmcost_collector.forwarding import spool as module
from otel_llmcost_collector.forwarding.spool import Entry, Place, Spool

MIB = 1024 * 1024


def entry(content: bytes, *, is_in_hand: bool = False) -> Entry:
    return Entry(signal="traces", content=content, is_json=False, is_in_hand=is_in_hand)


def opened(folder: Path, limit_bytes: int = MIB, *, syncs: bool = False) -> Spool:
    return Spool(folder, limit_bytes=limit_bytes, syncs=syncs)


def write(spool: Spool, *contents: bytes, is_in_hand: bool = False) -> list[Place]:
    done = spool.write([entry(content, is_in_hand=is_in_hand) for content in contents])
    return [place for place in done if isinstance(place, Place)]


def read(spool: Spool, most_bytes: int = MIB) -> list[bytes]:
    return [waiting.content for waiting in spool.read(most_bytes)]


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.requests"))


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 200)


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Let the system refuse to write further, in the midst of a request."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("syncs", [False, True])
def test_what_is_written_is_read_oldest_first_and_gone_when_done(tmp_path: Path, *, syncs: bool) -> None:
    """Nothing stays behind of what was sent."""
    spool = opened(tmp_path, syncs=syncs)
    write(spool, b"a", b"b")
    write(spool, b"c")

    found = spool.read(MIB)
    spool.done(waiting.place for waiting in found)
    spool.close()

    assert [waiting.content for waiting in found] == [b"a", b"b", b"c"]
    assert not files(tmp_path)


def test_what_was_not_done_is_there_after_the_next_start_and_what_was_done_is_not(tmp_path: Path) -> None:
    """Reading alone takes nothing away."""
    spool = opened(tmp_path)
    write(spool, b"a", b"b", b"c")
    _, second, _ = spool.read(MIB)
    spool.done([second.place])
    spool.close()

    assert read(opened(tmp_path)) == [b"a", b"c"]


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("syncs", [False, True])
def test_files_are_begun_anew_and_deleted_one_by_one(tmp_path: Path, *, syncs: bool) -> None:
    """The disk is free again as the sending goes on, not only at the end."""
    spool = opened(tmp_path, syncs=syncs)
    contents = [os.urandom(150) for _ in range(6)]
    write(spool, *contents)
    begun, size = len(files(tmp_path)), spool.size_bytes

    found = spool.read(MIB)
    spool.done(waiting.place for waiting in found[:3])

    assert [waiting.content for waiting in found] == contents
    assert (begun, len(files(tmp_path))) == (3, 2)
    assert spool.size_bytes == size * 2 // 3


def test_it_reads_no_more_at_once_than_asked_but_at_least_one(tmp_path: Path) -> None:
    """Memory has a bound, and a request that is larger must come out too."""
    spool = opened(tmp_path)
    write(spool, b"a" * 100, b"b" * 100, b"c" * 100)

    assert [len(read(spool, 150)), len(read(spool, 1)), len(read(spool))] == [2, 1, 0]
    assert spool.loose == 0


def test_a_request_that_is_in_memory_too_is_read_only_by_the_next_process(tmp_path: Path) -> None:
    """Else it would be sent twice for no reason."""
    spool = opened(tmp_path)
    write(spool, b"mine", is_in_hand=True)
    write(spool, b"nobody's")
    here = read(spool)
    spool.close()

    assert here == [b"nobody's"]
    assert read(opened(tmp_path)) == [b"mine", b"nobody's"]


@pytest.mark.usefixtures("small_files")
def test_files_that_are_all_in_memory_too_are_passed_over_and_deleted_when_done(tmp_path: Path) -> None:
    """They stand before what waits on disk only."""
    spool = opened(tmp_path)
    mine = write(spool, *(os.urandom(150) for _ in range(4)), is_in_hand=True)
    write(spool, b"nobody's")

    found = spool.read(MIB)
    spool.done([*mine, *(waiting.place for waiting in found)])
    spool.close()

    assert [waiting.content for waiting in found] == [b"nobody's"]
    assert not files(tmp_path)


def test_a_file_of_which_all_is_sent_is_used_again_from_its_start(tmp_path: Path) -> None:
    """A slow back end makes everything pass the disk; that must not fill it."""
    spool = opened(tmp_path, limit_bytes=200)

    for _ in range(20):
        spool.done(write(spool, os.urandom(100), is_in_hand=True))

    assert spool.size_bytes == 0
    assert [path.stat().st_size for path in files(tmp_path)] == [0]


def test_more_than_allowed_is_refused_and_room_comes_back(tmp_path: Path) -> None:
    """The bound counts what lies on disk, found files among it."""
    spool = opened(tmp_path, limit_bytes=300)
    first, refused = spool.write([entry(os.urandom(200)), entry(os.urandom(200))])
    spool.done(waiting.place for waiting in spool.read(MIB))
    (again,) = spool.write([entry(os.urandom(200))])
    spool.close()

    assert isinstance(first, Place)
    assert isinstance(refused, OSError)
    assert refused.errno == errno.EDQUOT
    assert isinstance(again, Place)
    assert isinstance(opened(tmp_path, limit_bytes=300).write([entry(os.urandom(200))])[0], OSError)


def test_a_full_disk_refuses_what_it_cannot_hold_and_loses_nothing_else(tmp_path: Path) -> None:
    """The half that was written is taken away; what comes when there is room again follows without a gap."""
    spool = opened(tmp_path)
    with no_file_above(300):
        kept, refused = spool.write([entry(b"kept"), entry(os.urandom(500))])
    write(spool, b"later")
    spool.close()

    after = opened(tmp_path)
    assert isinstance(kept, Place)
    assert isinstance(refused, OSError)
    assert (read(after), after.damaged_bytes) == ([b"kept", b"later"], 0)


def test_a_folder_that_takes_no_more_files_refuses(tmp_path: Path) -> None:
    """As when the disk has no room for even a name."""
    spool = opened(tmp_path)
    for path in tmp_path.iterdir():
        (path / "lock").unlink()
        path.rmdir()

    (refused,) = spool.write([entry(b"x")])

    assert isinstance(refused, OSError)
    assert spool.read(MIB) == []


def test_garbage_in_a_file_is_passed_over_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What can be read around it is sent."""
    spool = opened(tmp_path)
    first, second, _ = write(spool, b"a" * 50, b"b" * 50, b"c" * 50)
    spool.close()
    with files(tmp_path)[0].open("r+b") as file:
        file.seek(second.at + 8)
        file.write(b"garbage")

    after = opened(tmp_path)

    assert read(after) == [b"a" * 50, b"c" * 50]
    assert after.damaged_bytes == second.at - first.at
    assert f"{after.damaged_bytes} bytes from {second.at} on cannot be read" in caplog.text


def test_a_request_whose_sum_is_right_and_whose_content_is_not_is_passed_over(tmp_path: Path, monkeypatch) -> None:
    """A sum of 32 bits is right by chance now and then; the other requests must not wait behind it for ever."""
    spool = opened(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(frames, "deflated", lambda content: b"\x04")
        write(spool, b"one")
    write(spool, b"two")

    assert read(spool) == [b"two"]
    assert spool.damaged_bytes == 1


def test_a_file_of_nothing_but_garbage_is_told_and_deleted(tmp_path: Path) -> None:
    """It must not stand in the way for good."""
    spool = opened(tmp_path)
    write(spool, b"x")
    spool.close()
    files(tmp_path)[0].write_bytes(b"garbage")

    after = opened(tmp_path)

    assert (read(after), after.loose, after.size_bytes, files(tmp_path)) == ([], 0, 0, [])


def test_a_file_that_cannot_be_read_now_is_left_for_the_next_start(tmp_path: Path, caplog) -> None:
    """A fault of the disk is no reason to delete."""
    spool = opened(tmp_path)
    write(spool, b"x")
    spool.close()
    after = opened(tmp_path)
    (path,) = files(tmp_path)
    path.rename(tmp_path / "away")

    assert (read(after), after.loose, after.size_bytes) == ([], 0, 0)
    assert "is left to the next start" in caplog.text


def test_two_processes_do_not_share_a_folder_and_the_next_adopts_what_a_dead_one_left(tmp_path: Path) -> None:
    """In the order in which it was written, whichever of them it was."""
    first, second = opened(tmp_path), opened(tmp_path)
    write(second, b"older")
    write(first, b"newer")
    first.close()
    second.close()

    third = opened(tmp_path)

    assert read(third) == [b"older", b"newer"]
    assert {path.parent.name for path in files(tmp_path)} == {"0"}


def test_what_lies_with_a_living_process_is_not_touched(tmp_path: Path) -> None:
    """Not even by one that starts meanwhile."""
    living = opened(tmp_path)
    write(living, b"mine")

    assert read(opened(tmp_path)) == []
    assert read(living) == [b"mine"]


def test_a_killed_process_leaves_all_that_it_accepted(tmp_path: Path) -> None:
    """No exit of any kind is run."""
    program = (
        "import os, signal, sys; from pathlib import Path; from tests.collector.forwarding.test_spool import *\n"
        "write(opened(Path(sys.argv[1])), b'a', b'b'); os.kill(os.getpid(), signal.SIGKILL)"
    )

    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)

    assert ended.returncode == -9
    assert read(opened(tmp_path)) == [b"a", b"b"]


def test_only_the_owner_may_read_what_waits(tmp_path: Path) -> None:
    """It holds what was received, prompts included where senders send them."""
    spool = opened(tmp_path / "backend")
    write(spool, b"x")

    assert files(tmp_path)[0].stat().st_mode & 0o077 == 0
    assert (tmp_path / "backend").stat().st_mode & 0o077 == 0


def test_a_group_that_cannot_be_synced_is_not_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sent it sends it again, and it is not sent from here as well."""

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "broken")

    spool = opened(tmp_path, syncs=True)
    write(spool, b"kept")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        refused = spool.write([entry(b"refused"), entry(b"refused too", is_in_hand=True)])

    assert all(isinstance(each, OSError) for each in refused)
    assert read(spool) == [b"kept"]
