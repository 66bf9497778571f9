"""The containers' secret: made once, the same for all, and never in the way of one that is brought along."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from examples.webhook_receiver import secret_key

SCRIPT = Path(__file__).parents[2] / "collector" / "with-secret.sh"
TELL = ["sh", "-c", "printf %s $LLMCOST_WEBHOOK_SECRET"]


def start(folder: Path, **environment: str) -> subprocess.Popen[str]:
    known = {"PATH": os.environ["PATH"], "SHARED_FOLDER": str(folder), **environment}
    return subprocess.Popen([str(SCRIPT), *TELL], env=known, stdout=subprocess.PIPE, text=True)


def test_containers_that_start_together_share_one_secret(tmp_path: Path) -> None:
    """Sender and receiver each make one, and keep the one that was there first."""
    told = {process.communicate(timeout=10)[0] for process in [start(tmp_path) for _ in range(8)]}

    assert len(told) == 1
    assert len(secret_key(told.pop())) == 24
    assert [path.name for path in tmp_path.iterdir()] == ["webhook-secret"]


def test_only_its_owner_reads_the_secret(tmp_path: Path) -> None:
    """All containers run as one user."""
    start(tmp_path).communicate(timeout=10)

    assert (tmp_path / "webhook-secret").stat().st_mode & 0o777 == 0o600


def test_a_secret_that_is_brought_along_is_used(tmp_path: Path) -> None:
    """Who has a receiver of his own has its secret."""
    told, _ = start(tmp_path, LLMCOST_WEBHOOK_SECRET="whsec_bWluZQ==").communicate(timeout=10)

    assert told == "whsec_bWluZQ=="
    assert list(tmp_path.iterdir()) == []
