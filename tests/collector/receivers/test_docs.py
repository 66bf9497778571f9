"""What the page on receiving says is so."""

from __future__ import annotations

import asyncio
import re
from hashlib import sha256
from pathlib import Path

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from otel_llmcost_collector import setting_rows
from otel_llmcost_collector.receivers import admission, connection, http, intake, outcome
from otel_llmcost_collector.receivers.door import Door
from otel_llmcost_collector.receivers.outcome import Verdict
from otel_llmcost_collector.tokens import Token, load
from tests.collector.receivers.parts import Parts
from tests.collector.receivers.test_senders import HERE, export, served, spans
from tests.test_docs import ROOT, blocks

PAGE = (ROOT / "docs" / "collector-receiving.md").read_text()
EXPORTS, CURL = blocks("sh", PAGE)
MIB = 1024 * 1024


def table(head: str) -> list[list[str]]:
    """Return the rows of a table, by its heading."""
    found = re.search(rf"^\| {head} \|.*\n\|---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert found is not None
    return [[cell.strip() for cell in row.strip("|\n").split("|")] for row in found[1].splitlines()]


def test_every_answer_is_on_the_page() -> None:
    said = {
        (int(status), name, again == "yes")
        for _, statuses, codes, again in table("what happened")
        for status in statuses.split(", ")
        for name in codes.split(", ")[:1]
    }

    names = {code.value[0]: code.name for code in grpc.StatusCode}
    verdicts = [each for each in vars(outcome).values() if isinstance(each, Verdict)]
    assert said == {(int(each.status), f"{each.code} {names[each.code]}", each.is_retryable) for each in verdicts}


def test_the_bounds_are_those_on_the_page() -> None:
    rows = {what: how_much for what, how_much, _ in table("what")}

    assert rows == {
        "a body as it comes": f"{http.MOST_BODY_BYTES // MIB} MiB",
        "a body unpacked": f"{intake.MOST_UNPACKED_BYTES // MIB} MiB",
        "bytes under way, of all requests of a process": f"{admission.CONTENT_BYTES // MIB} MiB",
        "requests under way, of a process": f"{admission.REQUESTS}",
        "a head over HTTP": f"{connection.MOST_HEAD_BYTES // 1024} KiB, {connection.HEAD_SECONDS:.0f} s",
        "a body over HTTP": f"{http.BODY_SECONDS:.0f} s",
        "connections over HTTP, of a process": f"{connection.MOST_CONNECTIONS}",
    }
    assert {place.strip("`") for *_, place in table("what") if place} <= {row.key for row in setting_rows.ROWS}


async def test_the_variables_are_all_that_a_sender_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Token(name="page", sha256=sha256(b"secret").hexdigest(), rights=frozenset({"ingest"}))
    parts = Parts(door=Door(tokens=(secret,)))

    async with served(parts, HERE) as (over_http, _):
        for name, value in re.findall(r"^export (\w+)=(.*)$", EXPORTS, re.MULTILINE):
            monkeypatch.setenv(name, value.replace("4318", str(over_http.port)))
        assert await export(OTLPSpanExporter(), spans(1)) is SpanExportResult.SUCCESS

    assert parts.books.names == ["span 0"]


async def test_the_request_by_hand_is_accepted() -> None:
    parts = Parts()

    async with served(parts, HERE) as (over_http, _):
        script = CURL.replace("4318", str(over_http.port))
        process = await asyncio.create_subprocess_exec("bash", "-euc", script, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()

    assert f"{said.decode()}\n" == blocks("text", PAGE)[0]
    assert parts.books.names == ["chat gpt-4o"]


def test_the_file_of_tokens_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "tokens.toml").write_text(blocks("text", PAGE)[1])

    (token,) = load(tmp_path / "tokens.toml")

    assert (token.rights, token.team) == ({"ingest"}, "support")
    assert token.sha256 == sha256(b"secret").hexdigest()


def test_what_it_leads_to_is_there() -> None:
    for page, place in re.findall(r"\]\((\w[\w-]*\.md)#?(\w*)", PAGE):
        headings = re.findall(r"^#+ (.*)$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
        assert place in {"", *(heading.lower() for heading in headings)}
