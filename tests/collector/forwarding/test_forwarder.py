"""Handing requests on, to real servers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llmcost.errors import ConfigError
from otel_llmcost_collector import self_metrics
from otel_llmcost_collector.forwarding import queued
from otel_llmcost_collector.forwarding.answers import JSON, PROTOBUF
from otel_llmcost_collector.forwarding.base import Backend, Forwarder, FullError, Nowhere, Retry
from otel_llmcost_collector.forwarding.forwarder import open_forwarder
from otel_llmcost_collector.forwarding.transports import HttpTransport
from otel_llmcost_collector.self_metrics import Counters, SelfMetric
from tests.collector.forwarding.servers import (
    CUT,
    CUT_IN_ANSWER,
    HANG,
    HttpBackend,
    answer,
    grpc_backend,
    http_backend,
)
from tests.collector.forwarding.test_answers import details
from tests.collector.forwarding.test_converting import SPANS
from tests.collector.forwarding.test_spool import files

FAST = Retry(first_seconds=0.001, most_seconds=0.01)
NOBODY = "http://127.0.0.1:9"
"""Where nobody listens."""
near = partial(Backend, name="near", retry=FAST)


class Opened:
    """A forwarder with its counters."""

    def __init__(self, forwarder: Forwarder, counters: Counters) -> None:
        self.put, self.close, self._figures, self._counters = (
            forwarder.put,
            forwarder.close,
            forwarder.figures,
            counters,
        )

    def count(self, metric: SelfMetric, *labels: str) -> int:
        self._figures()
        cells = self._counters.counts.get(metric, {})
        return sum(value for key, value in cells.items() if key[: len(labels)] == labels)


@asynccontextmanager
async def forwarder(*backends: Backend, drain_seconds: float = 20) -> AsyncIterator[Opened]:
    counters = Counters()
    opened = Opened(await open_forwarder(backends, counters), counters)
    try:
        yield opened
    finally:
        await opened.close(drain_seconds)


def spans(*names: str) -> bytes:
    """A request in protobuf's form."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(Span(name=name) for name in names)
    return request.SerializeToString()


def names(bodies: list[bytes]) -> list[str]:
    return [
        span.name
        for body in bodies
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


async def test_each_signal_goes_to_its_path_with_the_backends_headers() -> None:
    """As OTLP's exporters would send it."""
    async with http_backend() as backend:
        async with forwarder(near(endpoint=f"{backend.url}/otlp", headers=(("X-Token", "t"),))) as sent:
            for signal in ("traces", "metrics", "logs"):
                await sent.put(signal, b"")
            await sent.close(5)

        assert sorted(asked.path for asked in backend.asked) == ["/otlp/v1/logs", "/otlp/v1/metrics", "/otlp/v1/traces"]
        assert {asked.headers["x-token"] for asked in backend.asked} == {"t"}
        assert {asked.headers["content-type"] for asked in backend.asked} == {PROTOBUF}


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
async def test_a_body_comes_as_it_was_in_any_compression(compression: Any) -> None:
    async with http_backend() as backend:
        async with forwarder(near(endpoint=backend.url, compression=compression)) as sent:
            await sent.put("traces", spans("a" * 500))

        (asked,) = backend.asked
        assert asked.body == spans("a" * 500)
        assert asked.headers.get("content-encoding", "none") == compression


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(answer(429, retry_after="0"), id="429"),
        pytest.param(answer(503), id="503"),
        pytest.param(CUT, id="cut"),
        pytest.param(CUT_IN_ANSWER, id="cut amid the answer"),
        pytest.param(HANG, id="hanging"),
    ],
)
async def test_what_did_not_get_through_is_sent_again(bad: bytes) -> None:
    """Until it does."""
    async with (
        http_backend(bad, bad) as backend,
        forwarder(near(endpoint=backend.url, timeout_seconds=0.1)) as sent,
    ):
        await sent.put("traces", spans("a"))
        await sent.close(20)

        assert names(backend.bodies) == ["a"]
        assert sent.count(self_metrics.FORWARD_RETRIED, "near", "traces") == 2
        assert sent.count(self_metrics.FORWARD_SENT, "near", "traces") == 1


@pytest.mark.parametrize("status", [400, 500])
async def test_what_is_refused_for_good_is_dropped_counted_and_told_once(status: int, caplog) -> None:
    """With the back end's words, and without a word of what was sent."""
    async with (
        http_backend(usual=answer(status, b"no such tenant")) as backend,
        forwarder(near(endpoint=backend.url, merge_bytes=0)) as sent,
    ):
        for _ in range(3):
            await sent.put("traces", spans("a secret"))
        await sent.close(20)

        assert sent.count(self_metrics.FORWARD_DROPPED, "near", "traces", "refused") == 3
        assert sent.count(self_metrics.FORWARD_RETRIED) == 0
    (told,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert f"HTTP {status} no such tenant" in told
    assert "secret" not in told


async def test_what_a_backend_rejects_of_a_request_is_counted(caplog) -> None:
    said = ExportTraceServiceResponse(partial_success={"rejected_spans": 2, "error_message": "too old"})
    async with (
        http_backend(answer(200, said.SerializeToString(), content_type=PROTOBUF)) as backend,
        forwarder(near(endpoint=backend.url)) as sent,
    ):
        await sent.put("traces", spans("a", "b", "c"))
        await sent.close(20)

        assert sent.count(self_metrics.FORWARD_REJECTED, "near", "traces") == 2
    assert "but for 2: too old" in caplog.text


async def test_small_requests_that_wait_are_sent_as_one() -> None:
    """Up to a size; what stands one after the other in protobuf is one message."""
    async with http_backend(answer(503, retry_after="0")) as backend:
        size = len(spans("0"))
        async with forwarder(near(endpoint=backend.url, in_flight=1, merge_bytes=4 * size)) as sent:
            for number in range(9):
                await sent.put("traces", spans(str(number)))

    assert names(backend.bodies) == [str(number) for number in range(9)]
    assert max(len(body) for body in backend.bodies) == 4 * size


async def test_only_requests_of_one_signal_are_sent_as_one() -> None:
    async with (
        http_backend(answer(503, retry_after="0")) as backend,
        forwarder(near(endpoint=backend.url, in_flight=1)) as sent,
    ):
        for signal in ("traces", "traces", "logs", "logs", "traces"):
            await sent.put(signal, spans("x"))

    paths = [asked.path.removeprefix("/v1/") for asked in backend.asked]
    assert [(path, len(names([asked.body]))) for path, asked in zip(paths, backend.asked, strict=True)] in (
        [("traces", 2), ("logs", 2), ("traces", 1)],
        [("traces", 1), ("traces", 1), ("logs", 2), ("traces", 1)],
    )


async def test_a_request_that_is_refused_takes_none_with_it() -> None:
    """Those that were sent with it are sent alone."""
    async with (
        http_backend(answer(503, retry_after="0"), answer(400), answer(400)) as backend,
        forwarder(near(endpoint=backend.url, in_flight=1)) as sent,
    ):
        for name in ("bad", "good", "fine"):
            await sent.put("traces", spans(name))
        await sent.close(20)

        assert sent.count(self_metrics.FORWARD_DROPPED, "near", "traces", "refused") in {1, 2}
        assert sent.count(self_metrics.FORWARD_SENT) + sent.count(self_metrics.FORWARD_DROPPED) == 3


async def test_json_is_handed_on_as_it_came_where_that_is_wanted() -> None:
    content = json.dumps(SPANS).encode()
    async with http_backend() as backend, forwarder(near(endpoint=backend.url, protocol="http/json")) as sent:
        await sent.put("traces", content, is_json=True)

    assert (backend.bodies, backend.asked[0].headers["content-type"]) == ([content], JSON)


async def test_each_backend_gets_the_form_that_it_reads() -> None:
    """Whatever form a request came in."""
    content = json.dumps(SPANS).encode()
    async with http_backend() as for_protobuf, http_backend() as for_json, grpc_backend() as for_grpc:
        backends = (
            near(endpoint=for_protobuf.url),
            near(name="json", endpoint=for_json.url, protocol="http/json"),
            near(name="grpc", endpoint=f"http://127.0.0.1:{for_grpc.port}", protocol="grpc"),
        )
        async with forwarder(*backends) as sent:
            await sent.put("traces", content, is_json=True)
            await sent.close(20)
            assert names(for_protobuf.bodies) == names([each.body for each in for_grpc.asked]) == ["chat"]
        async with forwarder(*backends) as sent:
            await sent.put("traces", for_protobuf.bodies[0])
            await sent.close(20)

        assert [json.loads(body) for body in for_json.bodies] == [SPANS, SPANS]


async def test_json_that_is_none_is_dropped_where_it_would_have_to_be_read() -> None:
    async with http_backend() as backend, grpc_backend() as other:
        on_grpc = near(name="grpc", endpoint=f"http://127.0.0.1:{other.port}", protocol="grpc")
        async with forwarder(near(endpoint=backend.url), on_grpc) as sent:
            await sent.put("traces", b"{", is_json=True)
            await sent.close(20)

            for name in ("near", "grpc"):
                assert sent.count(self_metrics.FORWARD_DROPPED, name, "traces", "unreadable") == 1
        assert backend.asked == other.asked == []


async def test_signals_go_only_where_they_are_wanted() -> None:
    async with http_backend() as everything, http_backend() as only_logs:
        backends = near(endpoint=everything.url), near(name="b", endpoint=only_logs.url, signals=frozenset({"logs"}))
        async with forwarder(*backends) as sent:
            await sent.put("traces", b"")
            await sent.put("logs", b"")

        assert len(everything.asked) == 2
        assert [asked.path for asked in only_logs.asked] == ["/v1/logs"]


async def test_without_a_backend_everything_ends_here() -> None:
    opened = await open_forwarder([], Counters())

    await opened.put("traces", b"x")
    opened.figures()
    await opened.close(0)

    assert isinstance(opened, Nowhere)


async def test_memory_that_is_full_is_told_to_senders_until_there_is_room() -> None:
    """Nothing that was taken is lost."""
    async with (
        http_backend(usual=HANG) as backend,
        forwarder(near(endpoint=backend.url, memory_bytes=100, timeout_seconds=0.1)) as sent,
    ):
        await sent.put("traces", spans("a" * 80))
        with pytest.raises(FullError, match="near"):
            await sent.put("traces", spans("b" * 80))
        assert sent.count(self_metrics.FORWARD_QUEUE_BYTES, "near", "memory") >= len(spans("a" * 80))
        backend.usual = answer(200)

    assert names(backend.bodies) == ["a" * 80]


async def test_one_full_backend_keeps_a_request_from_all() -> None:
    """The sender sends it again, so those that have it would get it twice."""
    async with http_backend(usual=HANG) as hanging, http_backend() as good:
        full = near(name="full", endpoint=hanging.url, memory_bytes=10, timeout_seconds=0.1)
        async with forwarder(near(endpoint=good.url), full) as sent:
            await sent.put("traces", spans("a" * 20))
            with pytest.raises(FullError, match="full"):
                await sent.put("traces", spans("b"))
            hanging.usual = answer(200)

        assert names(good.bodies) == ["a" * 20]


async def test_a_backend_that_is_optional_keeps_nothing_from_the_others() -> None:
    """What it misses is counted."""
    async with http_backend(usual=HANG) as hanging, http_backend() as good:
        full = near(name="full", endpoint=hanging.url, memory_bytes=10, timeout_seconds=0.1, is_optional=True)
        async with forwarder(near(endpoint=good.url), full) as sent:
            await sent.put("traces", spans("a" * 20))
            await sent.put("traces", spans("b"))
            assert sent.count(self_metrics.FORWARD_DROPPED, "full", "traces", "full") == 1
            hanging.usual = answer(200)

        assert sorted(names(good.bodies)) == ["a" * 20, "b"]


async def test_a_backend_that_is_fast_enough_leaves_the_disk_alone(tmp_path: Path, monkeypatch) -> None:
    """Which is what most do, most of the time."""
    monkeypatch.setattr(queued, "PATIENCE_SECONDS", 20)
    async with http_backend() as backend, forwarder(near(endpoint=backend.url, disk=tmp_path)) as sent:
        await sent.put("traces", spans("a"))

        assert names(backend.bodies) == ["a"]  # at once: that is what accepted means here
        assert not files(tmp_path)


async def test_what_waits_is_on_disk_and_goes_out_with_the_next_start(tmp_path: Path) -> None:
    """Oldest first."""
    async with http_backend() as backend:
        to = near(endpoint=backend.url, disk=tmp_path, in_flight=1)
        await backend.stop()
        async with forwarder(to, drain_seconds=0) as sent:
            for number in range(5):
                await sent.put("traces", spans(str(number)))
            assert sent.count(self_metrics.FORWARD_QUEUE_BYTES, "near", "disk") > 0
        assert names(backend.bodies) == []

        await backend.start()
        await _received(backend, 5, lambda: forwarder(to))

        assert names(backend.bodies) == ["0", "1", "2", "3", "4"]
        assert not files(tmp_path)


async def test_what_does_not_fit_into_memory_goes_through_the_disk_in_order(tmp_path: Path) -> None:
    """While the process lives, too; the bound of memory holds."""
    content = [spans(f"{number:03}" * 30) for number in range(50)]
    async with http_backend(usual=answer(503)) as backend:
        limit = 3 * (len(content[0]) + 256)
        to = near(endpoint=backend.url, disk=tmp_path, memory_bytes=limit, in_flight=1, merge_bytes=0)
        async with forwarder(to) as sent:
            for each in content:
                await sent.put("traces", each)
                assert sent.count(self_metrics.FORWARD_QUEUE_BYTES, "near", "memory") <= limit
            done = _enough(backend, 50)
            backend.usual = answer(200)
            await done

            assert backend.bodies == content


async def test_a_full_disk_refuses_what_comes_and_keeps_what_it_has(tmp_path: Path) -> None:
    async with http_backend(usual=answer(503)) as backend:
        to = near(endpoint=backend.url, disk=tmp_path, disk_bytes=1000)
        taken = []
        async with forwarder(to) as sent:
            for number in range(100):
                try:
                    await sent.put("traces", spans(f"{number}"))
                except FullError:
                    break
                taken.append(str(number))
            done = _enough(backend, len(taken))
            backend.usual = answer(200)
            await done
            await sent.put("traces", spans("later"))
            await sent.close(20)

    assert 5 < len(taken) < 100
    assert set(names(backend.bodies)) >= {*taken, "later"}


async def test_a_full_disk_is_no_matter_to_a_backend_that_is_only_slow(tmp_path: Path, monkeypatch) -> None:
    """It takes the request while the sender waits a little longer."""
    monkeypatch.setattr(queued, "PATIENCE_SECONDS", 0)
    async with (
        http_backend() as backend,
        forwarder(near(endpoint=backend.url, disk=tmp_path, disk_bytes=0)) as sent,
    ):
        for number in range(5):
            await sent.put("traces", spans(str(number)))

    assert names(backend.bodies) == ["0", "1", "2", "3", "4"]


async def test_a_disk_that_is_full_for_one_of_two_backends_keeps_a_request_from_both(tmp_path: Path) -> None:
    """Senders come again and again while it is; the other one would get each request as often."""
    async with http_backend() as good, http_backend(usual=answer(503)) as away:
        backends = near(endpoint=good.url), near(name="away", endpoint=away.url, disk=tmp_path, disk_bytes=150)
        async with forwarder(*backends, drain_seconds=1) as sent:
            refused = 0
            for number in range(20):
                try:
                    await sent.put("traces", spans(f"{number:020}"))
                except FullError:
                    refused += 1
            away.usual = answer(200)

    assert refused > 10
    assert len(names(good.bodies)) <= 20 - refused + 1


async def test_a_disk_that_fills_up_for_one_of_two_backends_is_told(tmp_path: Path) -> None:
    """The other one has the request then, and gets it again."""
    async with http_backend() as good, http_backend(usual=answer(503)) as away:
        backends = near(endpoint=good.url), near(name="away", endpoint=away.url, disk=tmp_path, disk_bytes=0)
        async with forwarder(*backends, drain_seconds=1) as sent:
            with pytest.raises(FullError, match="away"):
                await sent.put("traces", spans("a"))
            away.usual = answer(200)

    assert names(good.bodies) == ["a"]


async def test_a_fault_of_ours_in_sending_is_told_once_and_ends_nothing(monkeypatch, caplog) -> None:
    """The request waits, like one that a back end did not take."""
    faults = [RuntimeError("ours"), RuntimeError("ours")]
    send = HttpTransport.send

    async def sometimes(*arguments: Any, **more: Any) -> Any:
        if faults:
            raise faults.pop()
        return await send(*arguments, **more)

    monkeypatch.setattr(HttpTransport, "send", sometimes)
    async with http_backend() as backend, forwarder(near(endpoint=backend.url)) as sent:
        await sent.put("traces", spans("a"))

    assert names(backend.bodies) == ["a"]
    assert caplog.text.count("RuntimeError: ours") == 1


async def test_what_a_full_disk_refused_is_not_sent_by_us_as_well(tmp_path: Path) -> None:
    """While the back end is away and nobody is sending it: the sender keeps it."""
    async with http_backend(usual=answer(503)) as backend:
        to = near(endpoint=backend.url, disk=tmp_path, disk_bytes=0, in_flight=1, merge_bytes=0)
        async with forwarder(to) as sent:
            for number in range(4):
                with pytest.raises(FullError):
                    await sent.put("traces", spans(str(number)))
            assert sent.count(self_metrics.FORWARD_QUEUE, "near", "traces") == 1
            backend.usual = answer(200)

    assert names(backend.bodies) == ["0"]


async def test_a_sender_that_goes_away_meanwhile_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its request may be sent; no file waits for it for ever."""
    async with (
        http_backend(usual=answer(503)) as backend,
        forwarder(near(endpoint=backend.url, disk=tmp_path)) as sent,
    ):
        waiting = [asyncio.ensure_future(sent.put("traces", spans(str(number)))) for number in range(20)]
        await asyncio.sleep(0)
        for each in waiting[::2]:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        backend.usual = answer(200)
        await sent.close(20)

        assert sent.count(self_metrics.FORWARD_QUEUE_BYTES) == 0
    assert set(names(backend.bodies)) >= {str(number) for number in range(1, 20, 2)}
    assert not files(tmp_path)


async def test_what_is_in_memory_only_when_it_ends_is_counted_and_told(caplog) -> None:
    """Without a disk there is nowhere to leave it."""
    async with forwarder(near(endpoint=NOBODY), drain_seconds=0) as sent:
        await sent.put("traces", spans("a"))
        await sent.put("logs", spans("a"))
        await sent.close(0)

        assert sent.count(self_metrics.FORWARD_DROPPED, "near", "traces", "ended") == 1
        with pytest.raises(FullError, match="ends"):
            await sent.put("traces", spans("b"))
    assert "1 requests of logs were in memory only and are lost" in caplog.text


async def test_a_pause_that_is_asked_for_holds_for_all_requests() -> None:
    """Not only for the one that it was told with."""
    async with (
        http_backend(answer(429, retry_after="3600")) as backend,
        forwarder(near(endpoint=backend.url, in_flight=1, merge_bytes=0), drain_seconds=0.1) as sent,
    ):
        await sent.put("traces", spans("a"))
        await sent.put("traces", spans("b"))

    assert backend.asked == []


async def test_a_backend_that_is_away_is_told_once(caplog) -> None:
    async with forwarder(near(endpoint=NOBODY), drain_seconds=0.1) as sent:
        for _ in range(5):
            await sent.put("traces", spans("a"))

    told = [record.getMessage() for record in caplog.records if "does not take requests now" in record.getMessage()]
    assert len(told) == 1
    assert "connection" in told[0]


async def test_grpc_takes_headers_and_compression() -> None:
    async with grpc_backend() as backend:
        to = near(endpoint=f"http://127.0.0.1:{backend.port}", protocol="grpc", headers=(("X-Token", "t"),))
        async with forwarder(to) as sent:
            for signal in ("traces", "metrics", "logs"):
                await sent.put(signal, b"")

    assert sorted(asked.path.rpartition(".")[2] for asked in backend.asked) == [
        "LogsService/Export",
        "MetricsService/Export",
        "TraceService/Export",
    ]
    assert {asked.headers["x-token"] for asked in backend.asked} == {"t"}


def aborting(code: grpc.StatusCode, message: str = "", **trailing: Any) -> Callable[..., Any]:
    async def abort(context: Any) -> bytes:
        metadata = tuple((name.replace("_", "-"), value) for name, value in trailing.items())
        await context.abort(code, message, trailing_metadata=metadata)
        return b""

    return abort


async def test_grpc_is_asked_again_where_that_helps() -> None:
    """Exhausted only if it says when."""
    asked_later = {"grpc_status_details_bin": details(0)["grpc-status-details-bin"]}
    bad = (
        aborting(grpc.StatusCode.UNAVAILABLE, "away"),
        aborting(grpc.StatusCode.RESOURCE_EXHAUSTED, "slower", **asked_later),
    )
    async with (
        grpc_backend(*bad) as backend,
        forwarder(near(endpoint=f"http://127.0.0.1:{backend.port}", protocol="grpc")) as sent,
    ):
        await sent.put("traces", spans("a"))
        await sent.close(20)

        assert sent.count(self_metrics.FORWARD_RETRIED, "near", "traces") == 2
    assert names([asked.body for asked in backend.asked]) == ["a"]


async def test_grpc_that_refuses_is_told(caplog) -> None:
    async with (
        grpc_backend(aborting(grpc.StatusCode.INVALID_ARGUMENT, "no such tenant")) as backend,
        forwarder(near(endpoint=f"http://127.0.0.1:{backend.port}", protocol="grpc")) as sent,
    ):
        await sent.put("traces", spans("a"))
        await sent.close(20)

        assert sent.count(self_metrics.FORWARD_DROPPED, "near", "traces", "refused") == 1
    assert "INVALID_ARGUMENT no such tenant" in caplog.text


async def test_two_backends_have_two_names() -> None:
    """They would share a folder."""
    with pytest.raises(ConfigError, match="same name"):
        await open_forwarder([near(endpoint=NOBODY), near(endpoint=NOBODY)], Counters())


async def test_a_wrong_backend_stops_the_start_and_leaves_nothing_running(tmp_path: Path) -> None:
    """The folder of the right one can be held by another process again."""
    right = near(endpoint=NOBODY, disk=tmp_path)
    with pytest.raises(ConfigError, match="is no address"):
        await open_forwarder([right, near(name="wrong", endpoint="nowhere")], Counters())

    async with forwarder(right, drain_seconds=0):
        assert [path.name for path in (tmp_path / "near").iterdir()] == ["0"]


async def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="forward 'near': disk"):
        await open_forwarder([near(endpoint=NOBODY, disk=tmp_path / "file")], Counters())


async def _enough(backend: HttpBackend, count: int) -> None:
    """Return when so many spans have come."""
    enough = asyncio.get_running_loop().create_future()

    def look(_: object) -> None:
        if len(names(backend.bodies)) >= count and not enough.done():
            enough.set_result(None)

    backend.on_asked = look
    await asyncio.wait_for(enough, 20)


async def _received(backend: HttpBackend, count: int, opened: Callable[[], Any]) -> None:
    done = asyncio.ensure_future(_enough(backend, count))
    await asyncio.sleep(0)
    async with opened():
        await done
