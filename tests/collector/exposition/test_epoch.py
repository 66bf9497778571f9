"""Sums go on over restarts, and begin anew where boards would count them twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from otel_llmcost_collector.exposition.epoch import LONGEST_GAP_SECONDS, Epoch
from tests.collector.exposition.charges import CALL, call, series_of

NOW = 1_800_000_000.0
ONE, TWO = series_of([CALL]), series_of([CALL, CALL])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "epoch.json"


def test_an_empty_ledger_is_shown_from_its_first_call_over_all_restarts(file: Path) -> None:
    """So what a killed collector had counted and nobody had scraped is not missing."""
    first = Epoch({}, file, now=NOW)

    again = Epoch(TWO, file, now=NOW + 3600)

    assert (again.instance, again.base) == (first.instance, {})


def test_a_ledger_that_was_there_before_counts_from_now(file: Path) -> None:
    """A year's cost is not this hour's."""
    first = Epoch(ONE, file, now=NOW)

    again = Epoch(TWO, file, now=NOW)

    assert again.instance == first.instance
    assert again.base == ONE


def test_after_a_long_time_of_not_running_it_begins_anew(file: Path) -> None:
    """Boards look back a day; what was before is new to them."""
    first = Epoch({}, file, now=NOW)

    again = Epoch(ONE, file, now=NOW + LONGEST_GAP_SECONDS + 1)

    assert again.instance != first.instance
    assert again.base == ONE


def test_after_a_long_time_without_a_look_it_begins_anew(file: Path) -> None:
    epoch = Epoch({}, file, now=NOW)
    first = epoch.instance

    assert epoch.look(ONE, now=NOW + LONGEST_GAP_SECONDS + 1)

    assert epoch.instance != first
    assert epoch.base == ONE


def test_looks_keep_it_going(file: Path) -> None:
    """On disk too, for the next run."""
    epoch = Epoch({}, file, now=NOW)
    half = LONGEST_GAP_SECONDS / 2 + 1

    assert not epoch.look(ONE, now=NOW + half)
    assert not epoch.look(ONE, now=NOW + 2 * half)

    assert Epoch(ONE, file, now=NOW + 3 * half).instance == epoch.instance


def test_another_ledger_is_another_epoch(file: Path) -> None:
    """Its sums begin below what the old one's were, and all of them are new."""
    epoch = Epoch(TWO, file, now=NOW)
    first = epoch.instance

    assert Epoch(ONE, file, now=NOW).base == {}
    assert epoch.look(series_of([call(tags={})]), now=NOW)

    assert epoch.instance != first
    assert epoch.base == {}


@pytest.mark.parametrize("content", [b"", b"nonsense", b'{"instance": 1}'])
def test_a_broken_file_is_said_and_made_anew(file: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    os.utime(file, (NOW, NOW))

    epoch = Epoch(ONE, file, now=NOW)

    assert "cannot be read" in caplog.text
    assert Epoch(ONE, file, now=NOW).instance == epoch.instance


def test_a_file_of_other_sums_is_not_used(file: Path) -> None:
    """After an update the ledger may add up more than it did."""
    first = Epoch({}, file, now=NOW)
    file.write_bytes(file.read_bytes().replace(b'"calls"', b'"cells"'))
    os.utime(file, (NOW, NOW))

    assert Epoch({}, file, now=NOW).instance != first.instance


def test_a_place_that_cannot_be_written_is_said_and_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Metrics are shown all the same."""
    (tmp_path / "file").write_text("no folder")

    epoch = Epoch({}, tmp_path / "file" / "epoch.json", now=NOW)
    epoch.look({}, now=NOW + 120)

    assert "cannot be written" in caplog.text
    assert "cannot be touched" in caplog.text
    assert epoch.instance


def test_without_a_file_each_run_is_its_own() -> None:
    epoch = Epoch(ONE, None, now=NOW)

    assert not epoch.look(ONE, now=NOW + 120)

    assert Epoch(ONE, None, now=NOW).instance != epoch.instance
