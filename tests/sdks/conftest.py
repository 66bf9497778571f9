"""The process, the server and the accounting of `tests/instrumentation`, for SDKs that only the newest stand beside."""

from tests.instrumentation.conftest import process, server, start

__all__ = ["process", "server", "start"]
