"""Senders of a fleet, as OTLP exporters are: they send a batch until it is taken; and what arrives behind."""

from __future__ import annotations

import gzip
import http.client
import itertools
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llmcost.core.money import nano_of
from otel_llmcost.telemetry import semconv
from tests.collector.spans import from_json
from tests.prove.fleet_calls import Group, ids_in

Id = tuple[str, str]
"""Trace and span."""
Place = Mapping[Literal["http", "grpc"], int]
"""Port by protocol."""
_AGAIN = {429, 502, 503, 504}
_TIMEOUT_SECONDS = 10
_PAUSE_SECONDS = 0.05
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@dataclass
class Mail:
    """What all senders share: what is still to be sent, and what was taken."""

    chance: random.Random
    waiting: list[list[Group]] = field(default_factory=list)
    taken: set[Id] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, tellings: Sequence[list[Group]]) -> None:
        """Give out what is told of calls, for any sender at any time; a fifth of it twice."""
        with self.lock:
            again = [each for each in tellings if self.chance.random() < 0.2]
            for each in (*tellings, *again):
                self.waiting.insert(self.chance.randrange(len(self.waiting) + 1), each)

    def batch(self) -> list[Group]:
        """Take some of it, newer and older ones together."""
        with self.lock:
            count = min(len(self.waiting), self.chance.randint(1, 12))
            return [group for _ in range(count) for group in self.waiting.pop()]

    def took(self, groups: Sequence[Group]) -> None:
        """Note what was acknowledged."""
        with self.lock:
            self.taken.update(ids_in(groups))


class Sender(threading.Thread):
    """Sends what waits until there is nothing any more and nothing is to come."""

    def __init__(self, mail: Mail, places: Sequence[Place], chance: random.Random, is_over: threading.Event) -> None:
        super().__init__(daemon=True)
        self._mail = mail
        self._places = places
        self._chance = chance
        self._is_over = is_over

    def run(self) -> None:
        """Send."""
        while True:
            is_over = self._is_over.is_set()
            groups = self._mail.batch()
            if groups:
                self._send(groups)
            elif is_over:
                return
            else:
                self._is_over.wait(_PAUSE_SECONDS)

    def _send(self, groups: list[Group]) -> None:
        content = json.dumps({"resourceSpans": groups}).encode()
        how = self._chance.choice([_http_json, _http_protobuf, _http_gzip, _grpc])
        for attempt in itertools.count():
            answer = how(content, self._chance.choice(self._places))
            with self._mail.lock:
                self._mail.answers[answer if attempt else f"{answer} at once"] += 1
            if answer == "taken":
                self._mail.took(groups)
                return
            if answer.startswith("refused"):
                self._mail.wrong.append(f"{how.__name__}: {answer}")
                return
            self._is_over.wait(_PAUSE_SECONDS * self._chance.uniform(1, 4))


def _http_json(content: bytes, place: Place) -> str:
    return _post(place, content, {"content-type": "application/json"})


def _http_protobuf(content: bytes, place: Place) -> str:
    return _post(place, from_json(content), {"content-type": "application/x-protobuf"})


def _http_gzip(content: bytes, place: Place) -> str:
    headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
    return _post(place, gzip.compress(from_json(content), 1), headers)


def _post(place: Place, content: bytes, headers: Mapping[str, str]) -> str:
    """Send over a connection of its own, which any worker may take."""
    connection = http.client.HTTPConnection("127.0.0.1", place["http"], timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("POST", "/v1/traces", content, dict(headers))
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()
    if answer.status == 200:
        return "taken" if body in {b"", b"{}"} else f"refused in part: {body!r}"
    return f"{answer.status}" if answer.status in _AGAIN else f"refused with {answer.status}: {body!r}"


def _grpc(content: bytes, place: Place) -> str:
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
    with grpc.insecure_channel(f"127.0.0.1:{place['grpc']}", options=options) as channel:
        export: Callable[..., bytes] = channel.unary_unary(_EXPORT)
        try:
            body = export(from_json(content), timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            code = error.code()  # type: ignore[attr-defined]
            later = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
            is_told_to = code is grpc.StatusCode.RESOURCE_EXHAUSTED
            return code.name if code in later or is_told_to else f"refused with {code.name}: {error}"
    return "taken" if not body else f"refused in part: {body!r}"


class Sink:
    """A back end over HTTP that sometimes does not answer, or says that it is busy after it has taken a request."""

    def __init__(self, chance: random.Random) -> None:
        self.spans: dict[Id, dict[str, Any]] = {}
        """By trace and span id its attributes, as they came last."""
        self.arrivals = 0
        self.wrong: list[str] = []
        self._chance = chance
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _receiver(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, body: bytes) -> int:
        """Take a request; return how to answer."""
        found = list(_spans_of(body))
        with self._lock:
            if self._chance.random() < 0.02:
                return 503
            for span_id, attributes in found:
                self.arrivals += 1
                self.spans[span_id] = attributes
            return 503 if self._chance.random() < 0.02 else 200


def cost_of(attributes: Mapping[str, Any]) -> int | None:
    """Read what stands on a span that it cost, in nano-USD."""
    told = attributes.get(semconv.COST_TOTAL, attributes.get(semconv.USAGE_COST))
    return nano_of(told) if isinstance(told, float) else None


def _spans_of(body: bytes) -> Iterator[tuple[Id, dict[str, Any]]]:
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                attributes = {
                    each.key: each.value.double_value
                    for each in span.attributes
                    if each.value.WhichOneof("value") == "double_value"
                }
                yield (span.trace_id.hex(), span.span_id.hex()), attributes


def _receiver(sink: Sink) -> type[BaseHTTPRequestHandler]:
    class Receiver(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            try:
                status = sink.take(body)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the collector sent what nobody can read
                sink.wrong.append(f"{error!r}: {body[:200]!r}")
                status = 400
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Receiver
