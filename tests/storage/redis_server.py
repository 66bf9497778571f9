"""A server that speaks Redis' protocol over fakeredis: for tests of the client and of scripts without a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import fakeredis
from redis.exceptions import NoScriptError, ResponseError

_KEYED = (
    "get", "set", "hget", "hmget", "hset", "hsetnx", "hdel", "hexists", "hvals", "hgetall", "hkeys", "zadd", "zrem",
    "zcard", "zrange", "zrangebyscore", "zrevrangebyscore", "unlink", "lrem", "smembers", "srem",
)  # fmt: skip


class FakeRedisServer(ThreadingTCPServer):
    """One server, which is also the only node of a cluster and a sentinel that knows itself as the master `ours`."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, *, password: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.fake = fakeredis.FakeServer(version=(7,))
        self.password = password
        self.refuse: Callable[[list[bytes]], str | None] = lambda _words: None
        """Asked before a command is done: an error to answer with in its place."""
        self.cut: Callable[[list[bytes]], bool] = lambda _words: False
        """Asked after a command was done: True cuts the connection instead of answering."""
        self.seen: list[str] = []
        """Names of all commands."""
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def client(self) -> Any:
        """A client that looks straight into it."""
        return fakeredis.FakeRedis(server=self.fake, decode_responses=True)

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def known(self, words: list[bytes]) -> object:
        """Answer what fakeredis does not know of."""
        port = self.server_address[1]
        match [word.decode().upper() for word in words[:2]]:
            case ["CLUSTER", "SLOTS"]:
                return [[0, 16383, [b"127.0.0.1", port, b"0" * 40]]]
            case ["COMMAND", *_]:
                return [[name.encode(), -2, [b"write"], 1, 1, 1, [], [], [], []] for name in _KEYED]
            case ["SENTINEL", "MASTERS"]:
                facts = {"name": "ours", "ip": "127.0.0.1", "port": port, "flags": "master", "num-other-sentinels": 0}
                return [[str(word).encode() for fact in facts.items() for word in fact]]
            case ["CLIENT" | "SELECT" | "READONLY", *_]:
                return "OK"
        return None


class _Connection(StreamRequestHandler):
    server: FakeRedisServer

    def handle(self) -> None:
        client = fakeredis.FakeRedis(server=self.server.fake, protocol=2)
        client.response_callbacks.clear()
        is_known = self.server.password is None
        while words := self._words():
            name = words[0].decode().upper()
            self.server.seen.append(name)
            if name == "AUTH":
                is_known = words[-1].decode() == self.server.password
                answer: object = "OK" if is_known else ResponseError("WRONGPASS invalid username-password pair")
            elif not is_known:
                answer = ResponseError("NOAUTH Authentication required.")
            else:
                answer = self._answer(client, words)
            if self.server.cut(words):
                return
            self.wfile.write(_encoded(answer))

    def _answer(self, client: Any, words: list[bytes]) -> object:
        problem = self.server.refuse(words)
        if problem is not None:
            return ResponseError(problem)
        known = self.server.known(words)
        if known is not None:
            return known
        try:
            return client.execute_command(*words)
        except NoScriptError as error:
            return ResponseError(f"NOSCRIPT {error}")
        except ResponseError as error:
            return ResponseError(f"ERR {error}")

    def _words(self) -> list[bytes]:
        try:
            header = self.rfile.readline()
            count = int(header[1:]) if header else 0
            return [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2] for _ in range(count)]
        except OSError:
            return []


def _encoded(answer: object) -> bytes:
    match answer:
        case None:
            return b"$-1\r\n"
        case Exception():
            return f"-{answer}\r\n".encode()
        case str():
            return f"+{answer}\r\n".encode()
        case int():
            return b":%d\r\n" % answer
        case bytes():
            return b"$%d\r\n%s\r\n" % (len(answer), answer)
        case list():
            return b"*%d\r\n" % len(answer) + b"".join(map(_encoded, answer))
    raise TypeError(answer)
