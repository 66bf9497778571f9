"""Each call counts once, and none is lost, however often it is told and whoever is killed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.prove.fleet import Soak, judge, nodes
from tests.prove.fleet_senders import Sink
from tests.prove.report import Report
from tests.prove.sizes import Size
from tests.real.postgres_server import PostgresServer
from tests.real.redis_servers import server


def summed_up(soak: Soak) -> str:
    """Say in a line how large a soak was."""
    kills = {who: sum(node.kills[who] for node in soak.nodes) for who in ("worker", "accountant")}
    again = sum(count for answer, count in soak.answers.items() if not answer.endswith("at once"))
    return (
        f"{kills['worker']} workers and {kills['accountant']} accountants killed; {soak.answers.total():,} requests, "
        f"{again:,} of them again; {soak.arrived:,} spans and {soak.settled:,} settlements "
        f"of {len(soak.calls):,} calls, ${sum(call.cost_nano for call in soak.calls) / 1e9:.2f}: each once"
    )


def soaked(folder: Path, size: Size, count: int, settings: Callable[[str], str]) -> Soak:
    """Let collectors live through it."""
    chance = size.chance("soak", count)
    with Sink(size.chance("sink", count)) as sink, nodes(folder, count, lambda _: settings(sink.url)) as begun:
        soak = Soak(nodes=begun, sink=sink, chance=chance)
        soak.run(folder, size.soak_seconds)
        judge(soak)
        codes = [node.end() for node in begun]
        soak.check(codes == [0] * count, f"collectors ended with {codes}")
        said = [line for node in begun for log in node.logs for line in log.splitlines() if "Traceback" in line]
        soak.check(not said, f"{len(said)} tracebacks in the logs")
    return soak


@pytest.mark.parametrize("count", [1, 2], ids=["one node", "two nodes"])
def test_each_call_is_on_the_bill_once_whoever_is_killed(
    count: int, size: Size, tmp_path: Path, report: Report
) -> None:
    """Ledger, sums, balances, metrics and back end say the same as the senders, to the nano-dollar."""
    with server(tmp_path / "redis") as redis:
        balances = f'balances = "redis://{redis.place}"\n'
        postgres = PostgresServer(tmp_path / "postgres") if count > 1 else None
        try:
            url = "" if postgres is None else f'[ledger]\nurl = "{postgres.database("llmcost")}"\n'

            def settings(sink: str) -> str:
                return f'{balances}{url}[[forward]]\nname = "sink"\nendpoint = "{sink}"\ntimeout = "2s"\n'

            soak = soaked(tmp_path, size, count, settings)
        finally:
            if postgres is not None:
                postgres.stop()

    answers = "; ".join(f"{answer}: {number:,}" for answer, number in sorted(soak.answers.items()))
    report.say("f  soak", "SQLite, Redis" if count == 1 else "2 nodes: PostgreSQL, Redis", summed_up(soak), answers)
    assert not soak.wrong, "\n".join(soak.wrong)
