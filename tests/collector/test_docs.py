"""What the pages say of the budget API is what it does."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector import store_server
from otel_llmcost_collector.store_api import ROUTES, StoreApi
from otel_llmcost_collector.tokens import load
from tests.collector.asking import aask
from tests.test_docs import blocks

DOCS = Path(__file__).parents[2] / "docs"
API = (DOCS / "store-api.md").read_text()
STORES = (DOCS / "stores.md").read_text()
BUDGETS = {"budget": [{"name": "support-daily", "limit": 10, "window": "day", "per": ["user"]}]}
DELIVERY = re.compile("msg_[0-9a-f]{32}")


def examples() -> Iterator[tuple[str, str, str, list[str]]]:
    """Find each endpoint's method, path, text and JSON."""
    for found in re.finditer(r"^### `(GET|POST) (\S+)`\n(.*?)(?=^##|\Z)", API, re.MULTILINE | re.DOTALL):
        yield found[1], found[2], found[3], blocks("json", found[3])


def test_every_example_is_answered_as_the_page_says() -> None:
    """In the page's order, on one store; only the ids of deliveries are made by chance."""
    api = StoreApi(MemoryStore(), budgets=lambda: BUDGETS)
    ids: dict[str, str] = {}

    for method, path, _, (*asked, expected) in examples():
        body = DELIVERY.sub(lambda found: ids.get(found[0], found[0]), asked[0]) if asked else ""
        said = asyncio.run(aask(api, method, path, body.encode())).content.decode()
        ids.update(zip(DELIVERY.findall(expected), DELIVERY.findall(said), strict=True))
        assert _known(said, ids) == json.loads(expected), path

    api.close()


def test_every_endpoint_is_on_the_page_with_its_rights() -> None:
    said = {(method, path): re.findall(r"^Rights: (.*)\.$", text, re.MULTILINE) for method, path, text, _ in examples()}

    assert set(said) == {*ROUTES, ("GET", "/v1/config"), ("GET", "/healthz"), ("GET", "/readyz")}
    for place, route in ROUTES.items():
        assert said[place] == [", ".join(sorted(route.rights))]


def test_the_commands_make_a_token_and_a_file_that_knows_it(tmp_path: Path) -> None:
    (make,) = [block for block in blocks("sh", STORES) if "sha256sum" in block]

    subprocess.run(["bash", "-euc", make], cwd=tmp_path, check=True)

    (token,) = load(tmp_path / "tokens.toml")
    assert token.sha256 == sha256((tmp_path / "agents.token").read_text().strip().encode()).hexdigest()
    assert token.rights == {"agent"}


def test_the_file_of_tokens_that_is_shown_can_be_read(tmp_path: Path) -> None:
    (shown,) = [block for block in blocks("text", STORES) if "[[token]]" in block]
    (tmp_path / "tokens.toml").write_text(shown)

    assert [sorted(token.rights) for token in load(tmp_path / "tokens.toml")] == [
        ["agent"],
        ["agent", "reader"],
        ["operator"],
    ]


@pytest.mark.parametrize(
    "command", re.findall(r"^python -m otel_llmcost_collector\.store_server(.*)$", STORES, re.MULTILINE)
)
def test_the_commands_that_start_the_server_are_known_to_it(command: str) -> None:
    store_server._parser().parse_args(command.split())


def _known(said: str, ids: dict[str, str]) -> Any:
    theirs = {actual: shown for shown, actual in ids.items()}
    return json.loads(DELIVERY.sub(lambda found: theirs[found[0]], said))
