"""Servers that a proof disturbs, beside those of tests on real Redis: sentinels with two replicas, the budget API."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.real.redis_servers import Server, server
from tests.real.servers import free_port, wait_until

MASTER = "ours"
_PATIENCE_SECONDS = 120
"""Sentinels that once failed to agree wait for a while before they try again."""
_DOWN_AFTER_SECONDS = 1.5
"""A busy machine keeps a server from answering for less than that."""


class ApiServer(Server):
    """The collector's half of the store `https://`, over a file called `served.db`."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        flags = ("--store", f"sqlite://{folder}/served.db", "--listen", f"127.0.0.1:{port}")
        module = "otel_llmcost_collector.store_server"
        super().__init__(folder, "-m", module, *flags, port=port, command=sys.executable)

    def is_ready(self, **_how: object) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


@contextmanager
def budget_api(folder: Path) -> Iterator[ApiServer]:
    made = ApiServer(folder)
    try:
        made.wait()
        yield made
    finally:
        made.stop()


class Sentinels:
    """A master, two replicas, and three sentinels that make one of these the master when it is gone."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        first = stack.enter_context(server(folder / "0"))
        of = ("--replicaof", "127.0.0.1", str(first.port))
        self.nodes = [first, *(stack.enter_context(server(folder / str(number), *of)) for number in (1, 2))]
        self.sentinels = [_sentinel(folder / f"sentinel-{number}", first.port, stack) for number in range(3)]
        wait_until(self.is_complete, "sentinels know of each other and of the replicas")

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(sentinel.place for sentinel in self.sentinels)}/{MASTER}"

    def present(self) -> Server:
        """Find who is the master now."""
        with self.sentinels[0].client() as asked:
            _, port = asked.sentinel_get_master_addr_by_name(MASTER)
        (found,) = [node for node in self.nodes if node.port == int(port)]
        return found

    def fail_over(self) -> str:
        """Kill the master, and start it again once another took its place."""
        before = self.present()
        before.kill()
        wait_until(lambda: self.present() is not before, "another master", seconds=_PATIENCE_SECONDS)
        before.start()
        wait_until(self.is_complete, "all replicas are there again", seconds=_PATIENCE_SECONDS)
        return f"master killed, {self.present().place} takes over"

    def is_complete(self) -> bool:
        """Tell whether the next failover loses nothing but what is under way."""
        with self.present().client() as client:
            facts = client.info("replication")
        are_online = [facts.get(f"slave{number}", {}).get("state") for number in (0, 1)] == ["online"] * 2
        return are_online and all(_is_calm(sentinel) for sentinel in self.sentinels)


def _is_calm(sentinel: Server) -> bool:
    with sentinel.client() as asked:
        facts = asked.sentinel_master(MASTER)
    is_down = facts["is_sdown"] or facts["is_odown"] or facts["is_disconnected"]
    return not is_down and facts["num-other-sentinels"] == 2 and facts["num-slaves"] == 2


def _sentinel(folder: Path, master: int, stack: ExitStack) -> Server:
    folder.mkdir(parents=True)
    config, port, down_after = folder / "sentinel.conf", free_port(), int(_DOWN_AFTER_SECONDS * 1000)
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor {MASTER} 127.0.0.1 {master} 2\n"
        f"sentinel down-after-milliseconds {MASTER} {down_after}\nsentinel failover-timeout {MASTER} 5000\n"
    )
    made = Server(folder, str(config), "--sentinel", port=port)
    stack.callback(made.stop)
    return made.wait()


@contextmanager
def sentinels(folder: Path) -> Iterator[Sentinels]:
    with ExitStack() as stack:
        yield Sentinels(folder, stack)
