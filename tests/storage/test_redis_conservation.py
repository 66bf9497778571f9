"""In whatever order calls start, end, expire and live on, nothing is lost in Redis either."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.storage.redis_server import FakeRedisServer
from tests.storage.test_conservation import Calls


class CallsInRedis(Calls):
    """The same on one server."""

    scheme = "redis"

    def __init__(self) -> None:
        self.server = FakeRedisServer()
        self.url = f"{self.scheme}://{self.server.place}?timeout=5"
        super().__init__()

    def teardown(self) -> None:
        super().teardown()
        self.server.stop()


class CallsInACluster(CallsInRedis):
    """The same where every balance lies in a slot of its own."""

    scheme = "redis+cluster"


FEW = settings(max_examples=5, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TestCallsInRedis = CallsInRedis.TestCase
TestCallsInRedis.settings = FEW
TestCallsInACluster = CallsInACluster.TestCase
TestCallsInACluster.settings = FEW
