"""A store that cannot be used stops no agent, is said, and what could be kept is kept."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import COST_NANO, Scene, budget


def test_a_damaged_ledger_is_moved_aside_and_said(scene: Scene) -> None:
    """Moved, never deleted: somebody may be able to read it yet."""
    scene.configure(budget(2.5))
    damage = b"this is no database" * 1000
    scene.ledger.write_bytes(damage)

    done = scene.run("tries(3)")

    assert done.stdout.split() == ["sent", "sent", "refused"]
    (aside,) = scene.folder.glob("ledger.db.damaged-*")
    assert aside.read_bytes() == damage
    assert done.stderr.count("is damaged") == 1
    assert str(aside) in done.stderr
    assert len(scene.charges) == 2


def test_without_a_store_budgets_hold_within_the_process(scene: Scene) -> None:
    """Open is the default: enforced on what this process knows, and said once."""
    scene.configure(budget(2.5))

    done = scene.run("tries(4)", OTEL_LLMCOST_STORE="sqlite:///proc/no/ledger.db", OTEL_LLMCOST_SUMMARY="1")

    assert done.returncode == 0
    assert done.stdout.split() == ["sent", "sent", "refused", "refused"], done.stderr
    assert done.stderr.count("the store is out of reach") == 1
    assert "for 2 calls" in done.stderr
    assert "the ledger lacks 2 calls for $0.001500" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_store_a_closed_budget_refuses(scene: Scene) -> None:
    """`on_store_error = "closed"`."""
    scene.configure(budget(2.5, 'on_store_error = "closed"'))

    done = scene.run("tries(2)", OTEL_LLMCOST_STORE="sqlite:///proc/no/ledger.db")

    assert done.stdout.split() == ["refused", "refused"], done.stderr
    assert scene.server.requests == []


@pytest.mark.parametrize(
    "size",
    [pytest.param(0, id="from-the-start"), pytest.param(120_000, id="after-a-while", marks=pytest.mark.slow)],
)
def test_a_full_disk_stops_nothing_and_is_said(size: int, scene: Scene) -> None:
    """No file of the agent may grow beyond a size, which SQLite meets as it meets a full disk."""
    scene.configure(budget(1000))
    agent = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
tries(1 if {size} else 0)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, resource.RLIM_INFINITY))
tries(40)
"""
    done = scene.run(agent)

    assert done.returncode == 0
    assert done.stdout.count("sent") == 40 + bool(size)
    assert "Traceback" not in done.stderr
    assert "the store" in done.stderr


def test_what_was_spent_while_the_disk_was_full_is_written_when_it_is_not(scene: Scene) -> None:
    """Kept in memory meanwhile, nothing is lost while the process lives."""
    agent = """
import resource, signal, time
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
tries(1)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
tries(5)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
    done = scene.run(agent)

    assert done.stdout.count("sent") == 6, done.stderr
    assert sum(charge.cost_nano or 0 for charge in scene.charges) == 6 * COST_NANO
