"""The budget API: a store as an ASGI application, for agents whose store is `https://…`."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from http import HTTPStatus

from otel_llmcost.errors import StoreError, UnstorableError, WireError
from otel_llmcost.storage import wire
from otel_llmcost.storage.base import Store
from otel_llmcost_collector import openapi, store_alerts, store_routes
from otel_llmcost_collector.access import DeniedError, admitted, check_host
from otel_llmcost_collector.asgi import (
    Answer,
    GoneError,
    Headers,
    ProblemError,
    Receive,
    Scope,
    Send,
    body_of,
    give,
    headers_of,
    live,
    problem,
)
from otel_llmcost_collector.store_checks import fault
from otel_llmcost_collector.store_desk import Desk, Route
from otel_llmcost_collector.tokens import RIGHTS, Right, Token

LOGGER = logging.getLogger("otel_llmcost_collector")

ROUTES: Mapping[tuple[str, str], Route] = {**store_routes.ROUTES, **store_alerts.ROUTES}
_METHODS: Mapping[str, str] = {path: ", ".join(sorted(each for each, of in ROUTES if of == path)) for _, path in ROUTES}
"""Path → the methods it knows, as the header `Allow` lists them."""
_JSON = {"content-type": "application/json"}
_LATER = {"retry-after": "1"}
_LONGEST_KEY = 64
_KEPT_ANSWERS = 4096
_CONFIG = "/v1/config"
_ABOUT_BUDGETS = RIGHTS - {"ingest"}
"""Who only sends what it observed is told no budgets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is taken on at a time."""

    body_bytes: int = 2 * 1024 * 1024
    requests: int = 256
    """More at a time are turned away at once."""
    threads: int = 8
    """Acts on the store at a time."""
    long_threads: int = 2
    """Reports and the like at a time, beside those."""


class StoreApi:
    """Does on one store what agents ask for, off the event loop."""

    def __init__(
        self,
        store: Store,
        *,
        tokens: Sequence[Token] = (),
        budgets: Callable[[], Mapping[str, object]] = dict,
        clock: Callable[[], datetime] | None = None,
        bounds: Bounds | None = None,
        ready: Callable[[], object] | None = None,
    ) -> None:
        """Take over nothing: the store is the caller's to close.

        Args:
            store: any.
            tokens: of those who may ask. None at all: anybody of this machine may, under a name of this machine.
            budgets: the budgets that all agents are to hold, as sections of `llmcost.toml`.
            clock: tells the time for all agents; None: each is believed what time it is.
            bounds: None: as they are for a small machine.
            ready: raises a StoreError where there is more than the store to be used, and it cannot be.
        """
        self._store = store
        self._is_ready = ready
        self._tokens = tuple(tokens)
        self._budgets = budgets
        self._clock = clock
        self._bounds = bounds or Bounds()
        self._pool = ThreadPoolExecutor(self._bounds.threads, thread_name_prefix="store-api")
        self._long_pool = ThreadPoolExecutor(self._bounds.long_threads, thread_name_prefix="store-api-long")
        """Of its own, so that no call waits for a year of ledger to be added up."""
        self._under_way = 0
        self._kept: OrderedDict[tuple[str, ...], asyncio.Task[Answer]] = OrderedDict()
        """What was answered, or is going to be, under a key that whoever asks again says again."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await live(receive, send)
        elif scope["type"] == "http":
            try:
                answer = await self._answer(scope, receive)
            except ProblemError as error:
                answer = error.answer
            except GoneError:
                return
            await give(send, answer)

    def close(self) -> None:
        """End the acts under way; the store stays open."""
        self._pool.shutdown()
        self._long_pool.shutdown()

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path, headers = scope["path"], headers_of(scope)
        if path == "/healthz":
            return Answer(content=b'{"status":"ok"}', headers=_JSON)
        if path == "/v1/openapi.json":
            return Answer(content=_described(), headers=_JSON)
        with self._slot():
            if path == "/readyz":
                return await self._in_thread(self._ready)
            if path == _CONFIG:
                self._caller(headers, _ABOUT_BUDGETS)
                return await self._in_thread(self._config, headers.get("if-none-match", ""))
            route = _route(scope["method"], path)
            caller = self._caller(headers, route.rights)
            body = b"" if route.form is None else await self._body(headers, receive)
            key = headers.get("idempotency-key", "")
            if route.changes and 0 < len(key) <= _LONGEST_KEY:
                return await self._once((caller.name, path, key, sha256(body).hexdigest()), route, caller, body)
            pool = self._long_pool if route.is_long else self._pool
            return await self._in_thread(self._done, route, caller, body, pool=pool)

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        # A page in a browser cannot say this type without asking us first, which nobody answers.
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a body is application/json")
        return await body_of(headers, receive, self._bounds.body_bytes)

    def _caller(self, headers: Headers, rights: frozenset[Right]) -> Token:
        try:
            if not self._tokens:
                check_host(headers.get("host", ""))
            return admitted(self._tokens, headers.get("authorization", ""), rights)
        except DeniedError as error:
            challenge = {"www-authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else None
            raise ProblemError(error.status, str(error), challenge) from None

    @contextmanager
    def _slot(self) -> Generator[None]:
        if self._under_way >= self._bounds.requests:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at once", _LATER)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _once(self, key: tuple[str, ...], route: Route, caller: Token, body: bytes) -> Answer:
        task = self._kept.get(key)
        if task is None:
            task = asyncio.ensure_future(self._in_thread(self._done, route, caller, body))
            self._kept[key] = task
            if len(self._kept) > _KEPT_ANSWERS:
                self._kept.popitem(last=False)
        answer = await asyncio.shield(task)
        if answer.status != HTTPStatus.OK:  # what could not be done may be tried again
            self._kept.pop(key, None)
        return answer

    async def _in_thread(
        self, work: Callable[..., Answer], *arguments: object, pool: ThreadPoolExecutor | None = None
    ) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(pool or self._pool, _contained, work, *arguments)

    def _done(self, route: Route, caller: Token, body: bytes) -> Answer:
        asked = None
        if route.form is not None:
            asked = wire.decode(body, route.form)
            found = fault(asked)
            if found is not None:
                return problem(HTTPStatus.UNPROCESSABLE_ENTITY, found)
        done = route.run(Desk(self._store, caller, self._clock), asked)
        return Answer(content=wire.encode(done), headers=_JSON)

    def _ready(self) -> Answer:
        self._store.open_reservations()
        if self._is_ready is not None:
            self._is_ready()
        return Answer(content=b'{"status":"ready"}', headers=_JSON)

    def _config(self, known: str) -> Answer:
        content = wire.encode(self._budgets())
        tag = f'"{sha256(content).hexdigest()[:32]}"'
        if known == tag:
            return Answer(status=HTTPStatus.NOT_MODIFIED, headers={"etag": tag})
        return Answer(content=content, headers={**_JSON, "etag": tag})


@cache
def _described() -> bytes:
    return openapi.text(ROUTES).encode()


def _contained(work: Callable[..., Answer], *arguments: object) -> Answer:
    """Do the work; whatever goes wrong is an answer too, and nothing of what was asked is logged."""
    try:
        return work(*arguments)
    except ProblemError as error:
        return error.answer
    except UnstorableError:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the store cannot keep this")
    except WireError as error:
        return problem(HTTPStatus.BAD_REQUEST, str(error))
    except StoreError as error:
        LOGGER.warning("the store failed: %s", error)
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "the store does not do it now", _LATER)
    except Exception:  # whatever one request does to us, the next one is answered
        LOGGER.exception("a request failed in a way that was not foreseen")
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is a fault of the server")


def _route(method: str, path: str) -> Route:
    if path not in _METHODS:
        raise ProblemError(HTTPStatus.NOT_FOUND, "there is no such endpoint")
    if (method, path) not in ROUTES:
        raise ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, f"asked with {_METHODS[path]}", {"allow": _METHODS[path]})
    return ROUTES[method, path]
