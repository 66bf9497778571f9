"""What may befall each kind of store: pauses, restarts, failovers, cut, silent and slow connections."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from tests.prove.proxy import Proxy
from tests.prove.servers import budget_api, sentinels
from tests.prove.storm import Weather
from tests.real.redis_servers import Server, cluster, server

_LAST = Event()
"""Waited for to let time pass: it never comes."""


@contextmanager
def over_sqlite(folder: Path) -> Iterator[Weather]:
    """A file knows no weather but the kills of those who write it."""
    url = f"sqlite://{folder}/ledger.db"
    yield Weather(url, url)


@contextmanager
def over_redis(folder: Path) -> Iterator[Weather]:
    with server(folder / "redis") as node, Proxy(node.port) as proxy:

        def client_pause(chance: random.Random) -> str:
            milliseconds = chance.randint(100, 1500)
            node.client().client_pause(milliseconds)
            _LAST.wait(milliseconds / 1000)
            return f"CLIENT PAUSE {milliseconds}"

        yield Weather(
            f"redis://{proxy.place}",
            f"redis://{node.place}?timeout=5",
            (*_network(proxy), _paused(node), client_pause, _restarted(node)),
        )


@contextmanager
def over_sentinel(folder: Path) -> Iterator[Weather]:
    with sentinels(folder / "sentinel") as found:

        def failover(chance: random.Random) -> str:
            return found.fail_over()

        yield Weather(found.url, f"{found.url}?timeout=5", (failover,))


@contextmanager
def over_cluster(folder: Path) -> Iterator[Weather]:
    with cluster(folder / "cluster") as (url, nodes):
        masters = nodes[:3]
        for node in nodes:  # no replica takes over meanwhile: it would not know of the last writes
            node.client().config_set("cluster-node-timeout", 30_000)

        def one_paused(chance: random.Random) -> str:
            return _paused(chance.choice(masters))(chance)

        def one_restarted(chance: random.Random) -> str:
            return _restarted(chance.choice(masters))(chance)

        yield Weather(url, f"{url}?timeout=5", (one_paused, one_restarted))


@contextmanager
def over_https(folder: Path) -> Iterator[Weather]:
    with budget_api(folder / "api") as api, Proxy(api.port) as proxy:
        disturb = (*_network(proxy), _paused(api), _restarted(api))
        # Looked at from behind: the server believes nobody who says that time has passed.
        yield Weather(f"http://{proxy.place}", f"sqlite://{folder}/api/served.db", disturb)


WEATHERS = {
    "sqlite": over_sqlite,
    "redis": over_redis,
    "redis+sentinel": over_sentinel,
    "redis+cluster": over_cluster,
    "https": over_https,
}


def _network(proxy: Proxy) -> tuple[Callable[[random.Random], str], ...]:
    def during(chance: random.Random, what: str) -> str:
        seconds = chance.uniform(0.1, 1.0)
        _LAST.wait(seconds)
        proxy.heal()
        return f"{what} for {seconds:.1f} s"

    def cut(chance: random.Random) -> str:
        proxy.cut()
        return during(chance, "network cut")

    def silent(chance: random.Random) -> str:
        proxy.silence()
        return during(chance, "network silent")

    def slow(chance: random.Random) -> str:
        seconds = chance.choice((0.02, 0.1, 0.2, 0.4))
        proxy.delay(seconds)
        return during(chance, f"network late by {seconds} s")

    return cut, silent, slow


def _paused(server: Server) -> Callable[[random.Random], str]:
    def pause(chance: random.Random) -> str:
        seconds = chance.uniform(0.1, 1.5)
        with server.paused():
            _LAST.wait(seconds)
        return f"SIGSTOP for {seconds:.1f} s"

    return pause


def _restarted(server: Server) -> Callable[[random.Random], str]:
    def restart(chance: random.Random) -> str:
        seconds = chance.uniform(0.0, 0.7)
        server.kill()
        _LAST.wait(seconds)
        server.start()
        server.wait()
        return f"kill -9, started after {seconds:.1f} s"

    return restart
