"""What handing on takes of the processor."""

from __future__ import annotations

import pytest
import uvloop

from tests.bench.collector.forward import ratio


@pytest.mark.slow
def test_a_batch_takes_no_more_than_with_a_client_alone() -> None:
    """Queue, disk and retrying included; it takes less than half of aiohttp's on a quiet machine."""
    assert uvloop.run(ratio()) < 1
