"""Makes clients of Redis: for threads and for event loops, of one server, of sentinels and of a cluster."""

from __future__ import annotations

from typing import Any, Protocol, cast

from redis import Redis, RedisCluster
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import RedisCluster as AsyncRedisCluster
from redis.asyncio.cluster import ClusterNode as AsyncNode
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.retry import Retry
from redis.sentinel import Sentinel

from otel_llmcost.storage.redis_address import Address
from otel_llmcost.storage.redis_calls import Call

_CLUSTER_RETRIES = 1
# The package says the types of its servers, but not of these.
_Sentinel: Any = Sentinel
_AsyncSentinel: Any = AsyncSentinel
_ClusterNode: Any = ClusterNode


class Pipeline(Protocol):
    """Commands that are sent together; what `execute` returns is awaited on an event loop."""

    def execute_command(self, *words: Any, **where: Any) -> Any:
        """Add one."""
        ...

    def execute(self, *, raise_on_error: bool) -> Any:
        """Send them all; with `raise_on_error` off, faults stand among the answers."""
        ...


class Client(Protocol):
    """What we need of a client; what its functions return is awaited on an event loop."""

    def execute_command(self, *words: Any) -> Any:
        """Send one command."""
        ...

    def pipeline(self, *, transaction: bool) -> Pipeline:
        """Begin to gather commands."""
        ...

    def close(self) -> Any:
        """Let go of all connections."""
        ...

    async def aclose(self) -> Any:
        """Let go of all connections of an event loop."""
        ...


async def let_go(client: Client) -> None:
    """Close all connections of an event loop: those to the server, and those to the sentinels that name it."""
    await client.aclose()
    pool: Any = getattr(client, "connection_pool", None)
    manager: Any = getattr(pool, "sentinel_manager", None)
    for sentinel in getattr(manager, "sentinels", ()):
        await sentinel.aclose()


def node_of(client: Client, call: Call) -> dict[str, object]:
    """Say which node of a cluster a call in a pipeline goes to; else the client asks a server for its keys first."""
    if not isinstance(client, RedisCluster):
        return {}
    cluster: Any = client
    return {"target_nodes": cluster.get_node_from_key(call.key)}


def connected(address: Address, timeout_seconds: float) -> Client:
    """Make a client for threads."""
    how, once = _common(address, timeout_seconds), Retry(NoBackoff(), 0)
    if address.kind == "cluster":
        nodes = [_ClusterNode(host, port) for host, port in address.hosts]
        retry = Retry(NoBackoff(), _CLUSTER_RETRIES)
        client: Any = RedisCluster(startup_nodes=nodes, require_full_coverage=False, retry=retry, **how)
    elif address.kind == "sentinel":
        sentinels = _Sentinel(address.hosts, sentinel_kwargs=_sentinel(address, timeout_seconds, once))
        client = sentinels.master_for(address.master, db=address.database, retry=once, **how)
    else:
        ((host, port),) = address.hosts
        client = Redis(host=host, port=port, db=address.database, retry=once, **how)
    return cast("Client", client)


def aconnected(address: Address, timeout_seconds: float) -> Client:
    """Make a client for an event loop."""
    how, once = _common(address, timeout_seconds), AsyncRetry(NoBackoff(), 0)
    if address.kind == "cluster":
        nodes = [AsyncNode(host, port) for host, port in address.hosts]
        retry = AsyncRetry(NoBackoff(), _CLUSTER_RETRIES)
        client: Any = AsyncRedisCluster(startup_nodes=nodes, require_full_coverage=False, retry=retry, **how)
    elif address.kind == "sentinel":
        sentinels = _AsyncSentinel(address.hosts, sentinel_kwargs=_sentinel(address, timeout_seconds, once))
        client = sentinels.master_for(address.master, db=address.database, retry=once, **how)
    else:
        ((host, port),) = address.hosts
        client = AsyncRedis(host=host, port=port, db=address.database, retry=once, **how)
    return cast("Client", client)


def _common(address: Address, timeout_seconds: float) -> dict[str, Any]:
    """Say how every connection is made."""
    return {
        "username": address.username,
        "password": address.password,
        "client_name": "otel-llmcost",
        "decode_responses": True,
        "protocol": 2,
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        **({"ssl": True, **address.tls} if address.is_tls else {}),
    }


def _sentinel(address: Address, timeout_seconds: float, retry: object) -> dict[str, Any]:
    """Say how sentinels are reached: as the servers are, but for the password."""
    how = {**_common(address, timeout_seconds), "username": None, "password": address.sentinel_password}
    return {**how, "retry": retry}
