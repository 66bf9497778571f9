"""Starts real Redis servers for tests: one, one with TLS and a password, sentinels, a cluster."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import trustme
from redis import Redis
from redis.exceptions import RedisError

from tests.real.servers import free_port, program, run, wait_until

PASSWORD = "to be kept secret, / and #"
QUOTED = "to%20be%20kept%20secret%2C%20%2F%20and%20%23"
_NODES = 6


class Server:
    """One server process, which can be killed, paused and started again; what it was told it writes to its disk."""

    def __init__(self, folder: Path, *flags: str, port: int | None = None, command: str = "redis-server") -> None:
        self.port = port or free_port()
        self.place = f"127.0.0.1:{self.port}"
        self._folder = folder
        self._command = [program(command), *flags]
        self._how: dict[str, object] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self._folder, stdout=log, stderr=log)

    def is_ready(self, **how: object) -> bool:
        try:
            with Redis(host="127.0.0.1", port=self.port, socket_timeout=1, **how) as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def wait(self, **how: object) -> Server:
        wait_until(lambda: self.is_ready(**how), f"redis on {self.port}")
        return self

    def client(self, **how: object) -> Redis:
        return Redis(host="127.0.0.1", port=self.port, decode_responses=True, **how)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()
        self.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self.kill()


@contextmanager
def server(folder: Path, *flags: str) -> Iterator[Server]:
    """One server that keeps what it has over a restart."""
    port = free_port()
    made = Server(
        folder,
        "--port",
        str(port),
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--repl-diskless-sync-delay",
        "0",
        *flags,
        port=port,
    )
    try:
        yield made.wait()
    finally:
        made.stop()


@contextmanager
def server_with_tls(folder: Path) -> Iterator[str]:
    """One server that nobody reaches without TLS and a password; its URL."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, port = trustme.CA(), free_port()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    pem = str(folder / "server.pem")
    flags = ["--port", "0", "--tls-port", str(port), "--tls-cert-file", pem, "--tls-key-file", pem]
    flags += ["--tls-ca-cert-file", str(folder / "ca.pem"), "--tls-auth-clients", "no", "--requirepass", PASSWORD]
    made = Server(folder, *flags, "--save", "", port=port)
    try:
        made.wait(ssl=True, ssl_ca_certs=str(folder / "ca.pem"), password=PASSWORD)
        yield f"rediss://default:{QUOTED}@localhost:{port}?ssl_ca_certs={folder / 'ca.pem'}"
    finally:
        made.stop()


@contextmanager
def sentinels(folder: Path) -> Iterator[tuple[str, Server, Server]]:
    """A master `ours`, its replica, and three sentinels: the URL, and both servers."""
    with ExitStack() as stack:
        master = stack.enter_context(server(folder / "master"))
        replica = stack.enter_context(server(folder / "replica", "--replicaof", "127.0.0.1", str(master.port)))
        wait_until(lambda: replica.client().info("replication")["master_link_status"] == "up", "the replica")
        watchers: list[Server] = []
        for number in range(3):
            port, place = free_port(), folder / f"sentinel-{number}"
            place.mkdir(parents=True, exist_ok=True)
            (place / "sentinel.conf").write_text(
                f"port {port}\nsentinel monitor ours 127.0.0.1 {master.port} 2\n"
                "sentinel down-after-milliseconds ours 500\nsentinel failover-timeout ours 3000\n"
            )
            watcher = Server(place, str(place / "sentinel.conf"), "--sentinel", port=port)
            stack.callback(watcher.stop)
            watchers.append(watcher.wait())
        wait_until(
            lambda: (
                all(int(each.client().sentinel_masters()["ours"]["num-other-sentinels"]) == 2 for each in watchers)
                and all(int(each.client().sentinel_masters()["ours"]["num-slaves"]) == 1 for each in watchers)
            ),
            "sentinels that know each other",
        )
        yield f"redis+sentinel://{','.join(each.place for each in watchers)}/ours", master, replica


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[Server]]]:
    """A cluster of three masters with a replica each: the URL, and all servers."""
    with ExitStack() as stack:
        nodes: list[Server] = []
        for number in range(_NODES):
            flags = ["--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--cluster-node-timeout", "1000"]
            nodes.append(stack.enter_context(server(folder / f"node-{number}", *flags)))
        places = [node.place for node in nodes]
        run("redis-cli", "--cluster", "create", *places, "--cluster-replicas", "1", "--cluster-yes")
        wait_until(lambda: all(_is_whole(node) for node in nodes), "the cluster")
        yield f"redis+cluster://{','.join(places[:3])}", nodes


def _is_whole(node: Server) -> bool:
    facts = node.client().execute_command("CLUSTER INFO")
    known = facts if isinstance(facts, dict) else dict(line.split(":") for line in facts.split())
    linked = node.client().info("replication").get("master_link_status", "up")
    return known["cluster_state"] == "ok" and known["cluster_known_nodes"] == str(_NODES) and linked == "up"
