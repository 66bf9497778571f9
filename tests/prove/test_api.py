"""The budget API keeps what its description promises, whatever is asked, and OTLP's endpoints bear any body."""

from __future__ import annotations

import http.client
import random
import re
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from tests.collector.running import Running, running
from tests.prove.fuzz.targets import seeds
from tests.prove.report import Report
from tests.prove.sizes import Size

SCHEMATHESIS = Path(__file__).parents[2] / ".venv-fuzz" / "bin" / "st"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "allow_header_conformance"
)
TOKEN = "a token of this test"
TOKENS = f'[[token]]\nname = "all"\nsha256 = "{sha256(TOKEN.encode()).hexdigest()}"\nrights = ["operator"]\n'
_BODIES_PER_SECOND = 20
_KINDS = ("application/json", "application/x-protobuf", "text/plain", "application/json; charset=latin-1", "")
_CODINGS = ("identity", "gzip", "deflate", "zstd", "br", "")


@pytest.mark.parametrize("who", ["without tokens", "with its token", "without its token"])
def test_nothing_that_is_asked_breaks_the_api_or_its_contract(
    who: str, size: Size, tmp_path: Path, report: Report
) -> None:
    """Every answer has a status, a type and a form that are described; none is a fault of the server."""
    if not SCHEMATHESIS.exists():
        pytest.skip("schemathesis is not to be had here")
    (tmp_path / "tokens.toml").write_text(TOKENS)
    settings = "" if who == "without tokens" else f'[access]\ntokens = "{tmp_path}/tokens.toml"\n'
    seconds, seed = max(5, round(size.fuzz_seconds / 10)), size.chance("api", who).randrange(2**31)

    with running(tmp_path / "collector", settings) as collector:
        said = ["--phases=coverage,fuzzing", f"--max-time={seconds}", f"--checks={CHECKS}", f"--seed={seed}"]
        said += ["--suppress-health-check=all", "--warnings=off", "--no-color"]
        if who == "with its token":
            said += ["--header", f"Authorization: Bearer {TOKEN}"]
        done = subprocess.run(
            [SCHEMATHESIS, "run", f"{collector.api}/v1/openapi.json", *said],
            cwd=tmp_path, capture_output=True, text=True, timeout=seconds + 120, check=False,
        )  # fmt: skip
        _is_well(collector)

    assert done.returncode == 0, done.stdout[-6000:]
    (count,) = re.findall(r"(\d+) generated", done.stdout)
    report.say("h  API against contract", who, f"{int(count):,} requests in {seconds} s: none breaks it")


def test_no_body_breaks_the_receivers(size: Size, tmp_path: Path, report: Report) -> None:
    """Whatever comes as OTLP is taken, or refused as the specification says; never is it a fault of ours."""
    chance = size.chance("bodies")
    known = [*seeds("traces"), *seeds("traces_json")]
    count = round(size.fuzz_seconds * _BODIES_PER_SECOND)
    with running(tmp_path / "collector") as collector:
        connection = http.client.HTTPConnection(collector.http.removeprefix("http://"), timeout=30)
        found = {_status(connection, _damaged(chance.choice(known), chance), chance) for _ in range(count)}
        _is_well(collector)

    assert found <= {200, 400, 413, 415}, found
    report.say("h  OTLP, random bodies", "HTTP", f"{count:,} requests: each taken, or refused as it should be")


def _status(connection: http.client.HTTPConnection, body: bytes, chance: random.Random) -> int:
    path = chance.choice(["/v1/traces", "/v1/traces", "/v1/logs", "/v1/metrics"])
    headers = {"content-type": chance.choice(_KINDS), "content-encoding": chance.choice(_CODINGS)}
    connection.request("POST", path, body, {name: text for name, text in headers.items() if text})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _damaged(content: bytes, chance: random.Random) -> bytes:
    """Cut a piece out, or put one in twice, or neither."""
    start, end = sorted(chance.randrange(len(content)) for _ in range(2))
    return content[:start] + content[end:] * chance.randrange(3) + chance.randbytes(chance.randrange(8))


def _is_well(collector: Running) -> None:
    assert collector.get("/readyz") == '{"status":"ready"}'
    assert "Traceback" not in collector.log, collector.log[-4000:]
