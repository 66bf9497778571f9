"""What docs/stores.md says of Redis is so."""

from __future__ import annotations

import re
import tomllib

from otel_llmcost.storage import _OPENERS, open_store
from otel_llmcost.storage.redis_address import _KNOWN, Address, parse
from tests.storage.processes import ROOT

_PAGE = (ROOT / "docs/stores.md").read_text(encoding="utf-8")
_PART = _PAGE[_PAGE.index("## Redis") : _PAGE.index("## A server for many machines")]


def test_every_url_of_the_page_names_a_store() -> None:
    urls = [re.sub(r"\[[^]]*\]|…", "", url) for url in re.findall(r"`(rediss?(?:\+\w+)?://[^`]*)`", _PART)]

    for url in urls:
        whole = url + ("host/name" if "sentinel" in url else "host") if url.endswith("//") else url
        assert open_store(whole).is_local is False

    schemes = {url.partition("://")[0] for url in urls}
    assert schemes == {scheme for scheme in _OPENERS if scheme.startswith("redis")}


def test_every_option_is_on_the_page_with_its_default() -> None:
    rows = dict(re.findall(r"(?m)^\| (`[a-z_`, ]+`) \| ([^|]+) \|", _PART[_PART.index("| option |") :]))
    named = {name for names in rows for name in re.findall(r"`([a-z_]+)`", names)}
    defaults = "&".join(f"{names[1:-1]}={said[1:-1]}" for names, said in rows.items() if said.startswith("`"))

    assert named == set(_KNOWN)
    assert parse("single", f"host?{defaults}", is_tls=False) == parse("single", "host", is_tls=False)
    assert isinstance(parse("single", "host", is_tls=False), Address)


def test_the_extra_is_there() -> None:
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert 'pip install "otel-llmcost[redis]"' in _PART
    assert facts["project"]["optional-dependencies"]["redis"]
