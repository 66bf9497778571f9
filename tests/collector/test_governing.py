"""Looking after a collector while its balances are away."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from otel_llmcost.errors import StoreError
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector.governing import Governor, checked, source_of


class Away(MemoryStore):
    """A store whose outbox cannot be read."""

    def claim_deliveries(self, *_arguments: Any, **_named: Any) -> list[Any]:
        raise StoreError("it is away")


def nothing(*_arguments: object) -> None:
    """Do nothing."""


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_balances_that_are_away_are_told_and_end_no_thread(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Else every look at the outbox would write a page of traceback."""
    (tmp_path / "llmcost.toml").write_text('[[alert]]\nname = "ops"\nurl = "http://127.0.0.1:1"\n')
    source = source_of(None, {}, cwd=tmp_path, home=tmp_path)
    settings = checked(source.read())
    governor = Governor(Away(), source, settings, use=nothing, applied=nothing)

    with caplog.at_level(logging.WARNING):
        governor.dispatcher.resume()
        governor.dispatcher.close()

    assert "could not deliver alerts" in caplog.text
