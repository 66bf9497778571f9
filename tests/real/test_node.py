"""The OpenTelemetry SDK for Node sends to the collector."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.collector import collector, finished
from tests.real.servers import program, run

FOLDER = Path(__file__).parent / "node"

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    """Install the pinned packages, unless they are there."""
    installed, wanted = FOLDER / "node_modules" / ".package-lock.json", FOLDER / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=FOLDER, timeout=300)


@pytest.mark.parametrize("packing", ["none", "gzip"])
@pytest.mark.parametrize("protocol", ["http", "proto", "grpc"])
async def test_what_node_sends_is_priced_and_handed_on(protocol: str, packing: str) -> None:
    async with collector() as at:
        url = at.grpc if protocol == "grpc" else f"{at.http}/v1/traces"

        assert await finished(program("node"), str(FOLDER / "send.mjs"), protocol, url, packing) == (0, "")

        (charged,) = at.books.posted
        assert (charged.provider, charged.served_model) == ("openai", "gpt-4o-2024-08-06")
        assert charged.cost_nano == 3_500_000
        ((signal, content, is_json),) = at.sink.taken
        assert (signal, is_json, b"gen_ai.usage.cost" in content) == ("traces", protocol == "http", True)
