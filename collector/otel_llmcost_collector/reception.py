"""What one process needs to receive, price and hand on: built of the settings, and ended without losing anything."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from otel_llmcost.core.prices import PriceBook
from otel_llmcost.errors import ConfigError
from otel_llmcost_collector.accounting.base import Accounts
from otel_llmcost_collector.dialects.directory import reader_for
from otel_llmcost_collector.forwarding.base import Backend, Forwarder
from otel_llmcost_collector.forwarding.forwarder import open_forwarder
from otel_llmcost_collector.listening import Listen, Names, bind, check
from otel_llmcost_collector.pipeline import Pipeline
from otel_llmcost_collector.receivers.admission import Admission
from otel_llmcost_collector.receivers.door import Door
from otel_llmcost_collector.receivers.grpc import GrpcReceiver
from otel_llmcost_collector.receivers.http import HttpReceiver
from otel_llmcost_collector.receivers.intake import Intake
from otel_llmcost_collector.receivers.serving import Serving, serve_grpc, serve_http
from otel_llmcost_collector.self_metrics import IN_FLIGHT_BYTES, IN_FLIGHT_REQUESTS, Counters, Figures
from otel_llmcost_collector.setting_rows import Place
from otel_llmcost_collector.settings import Access, CollectorSettings
from otel_llmcost_collector.tokens import Token

LOGGER = logging.getLogger("otel_llmcost_collector")

DRAIN_SECONDS = 20.0
"""To answer what is under way and hand on what waits; Kubernetes gives 30 in all."""
FORWARD_SHARE = 0.5
"""Of the time to end, what back ends may take for what waits in memory; the rest goes to disk."""


def listen_at(place: Place, access: Access) -> Listen:
    """Say where and how to listen."""
    return Listen(
        host=place[0],
        port=place[1],
        certificate=access.certificate,
        key=access.key,
        client_ca=access.client_ca,
        is_behind_proxy=access.is_behind_proxy,
    )


def names_of(key: str) -> Names:
    """Say what the settings are called that a place to listen depends on."""
    return Names(
        listen=key, tokens="access.tokens", certificate="access.certificate", behind_proxy="access.behind_proxy"
    )


def check_places(settings: CollectorSettings, *, has_tokens: bool) -> None:
    """Refuse to be open to others without knowing who they are.

    Raises:
        ConfigError: the collector would be, or two parts of it would listen at one place, or none at any.
    """
    places = {
        "receive.grpc": settings.receive.grpc,
        "receive.http": settings.receive.http,
        "api.listen": settings.api,
        "metrics.listen": settings.metrics,
    }
    if settings.receive.grpc is settings.receive.http is settings.api is None:
        problem = "nothing is listened on, so nothing can ever arrive"
        raise ConfigError(problem, key="receive.http", expected="a place for at least one of OTLP and the API")
    taken: dict[Place, str] = {}
    for key, place in places.items():
        if place is None:
            continue
        check(listen_at(place, settings.access), has_tokens=has_tokens, names=names_of(key))
        if place[1] and place in taken:
            raise ConfigError(f"{taken[place]} listens there already", key=key, expected="a port of its own")
        taken[place] = key


@dataclass(slots=True)
class Reception:
    """What receives in one process."""

    counters: Counters
    _pipeline: Pipeline
    _admission: Admission
    _forwarder: Forwarder
    _serving: list[Serving]

    @classmethod
    async def begin(
        cls,
        settings: CollectorSettings,
        book: PriceBook,
        tokens: tuple[Token, ...],
        accounts: Accounts,
        *,
        is_shared: bool,
    ) -> Reception:
        """Listen.

        Args:
            settings: of the collector.
            book: the prices.
            tokens: of those who may send.
            accounts: keeps the books.
            is_shared: other processes listen at the same places.

        Raises:
            ConfigError: a place is taken, or a back end cannot be used.
        """
        counters, receive = Counters(), settings.receive
        pipeline = Pipeline(book, readers=reader_for)
        admission = Admission(content_bytes=receive.most_in_flight_bytes)
        door = Door(tokens=tokens, is_local=settings.access.client_ca is None)
        async with AsyncExitStack() as begun:
            forwarder = await open_forwarder([_backend(each, settings) for each in settings.backends], counters)
            begun.push_async_callback(forwarder.close, 0)
            intake = Intake(
                pipeline,
                accounts,
                forwarder,
                counters=counters,
                most_unpacked_bytes=receive.most_unpacked_bytes,
            )
            serving: list[Serving] = []
            if receive.http is not None:
                listen = listen_at(receive.http, settings.access)
                place = bind(listen, is_shared=is_shared, names=names_of("receive.http"))
                http = HttpReceiver(intake, admission, door, most_body_bytes=receive.most_body_bytes)
                serving.append(await serve_http(http, [place], listen))
                begun.push_async_callback(serving[-1].drain, 0)
                LOGGER.info("OTLP over HTTP at %s", listen.url(serving[-1].port))
            if receive.grpc is not None:
                listen = listen_at(receive.grpc, settings.access)
                serving.append(
                    await serve_grpc(
                        GrpcReceiver(intake, admission, door),
                        listen,
                        is_shared=is_shared,
                        most_body_bytes=receive.most_body_bytes,
                        names=names_of("receive.grpc"),
                    )
                )
                LOGGER.info("OTLP over gRPC at %s", listen.url(serving[-1].port))
            begun.pop_all()
        return cls(counters, pipeline, admission, forwarder, serving)

    def use(self, book: PriceBook) -> None:
        """Go on with other prices."""
        self._pipeline.use(book)

    def figures(self) -> Figures:
        """Tell what was counted, and what is under way."""
        self.counters.put(IN_FLIGHT_BYTES, (), self._admission.content_bytes)
        self.counters.put(IN_FLIGHT_REQUESTS, (), self._admission.requests)
        self._forwarder.figures()
        return self.counters.figures()

    async def end(self, seconds: float) -> None:
        """Let nobody in any more, answer what is under way, and hand on what waits or leave it on disk."""
        for each in self._serving:
            await each.drain(seconds * (1 - FORWARD_SHARE))
        await self._forwarder.close(seconds * FORWARD_SHARE)


def _backend(backend: Backend, settings: CollectorSettings) -> Backend:
    queue = settings.queue
    return replace(
        backend,
        memory_bytes=queue.memory_bytes,
        disk=queue.folder if queue.disk_bytes else None,
        disk_bytes=queue.disk_bytes,
    )
