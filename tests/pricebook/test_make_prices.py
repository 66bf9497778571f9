"""`make prices`, with small sources."""

import json
import zipfile

import pytest

from otel_llmcost.core.prices import SoldModel
from otel_llmcost.pricebook import compile as compiler
from otel_llmcost.pricebook import sources
from otel_llmcost.pricebook.book import header_of, parse

RAW = [{"id": "openai", "models": [{"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": "2", "odd": "1"}}]}]
MAP = {
    "m": {"litellm_provider": "text-completion-openai", "mode": "completion", "max_output_tokens": 77},
    "x": {"litellm_provider": "openai", "mode": "chat", "max_output_tokens": 99},
}


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    path = tmp_path / "litellm-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"litellm/{sources.LITELLM_MAP}", json.dumps(MAP))
    monkeypatch.setattr(compiler, "installed_prices", lambda: (RAW, "9.8.7"))
    return path


def test_a_book_is_made_of_both_sources(wheel, tmp_path, capsys):
    out = tmp_path / "rates.json"

    assert compiler.main(["--litellm", str(wheel), "--out", str(out)]) == 0

    header = header_of(out)
    assert (header.name, header.ceilings) == ("genai-prices 9.8.7", "litellm 1.2.3")
    book = parse(out.read_bytes())
    assert book.find("openai", "m") == SoldModel("openai", "m")
    assert [rate.max_output_tokens for rate in book.show("openai", "m")] == [77]
    assert capsys.readouterr().out.startswith("left out: price odd (1)\n")


def test_making_it_again_changes_nothing_not_even_the_day(wheel, tmp_path):
    out = tmp_path / "rates.json"
    compiler.main(["--litellm", str(wheel), "--out", str(out)])
    day = header_of(out).compiled_on
    out.write_bytes(out.read_bytes().replace(day.encode(), b"2020-01-01"))

    compiler.main(["--litellm", str(wheel), "--out", str(out)])

    assert header_of(out).compiled_on == "2020-01-01"


def test_a_new_version_of_the_source_is_named_even_if_no_price_changed(wheel, tmp_path, monkeypatch):
    out = tmp_path / "rates.json"
    compiler.main(["--litellm", str(wheel), "--out", str(out)])
    monkeypatch.setattr(compiler, "installed_prices", lambda: (RAW, "9.9.0"))

    compiler.main(["--litellm", str(wheel), "--out", str(out)])

    assert header_of(out).version == "9.9.0"


def test_without_the_source_it_says_so(wheel, monkeypatch, capsys):
    monkeypatch.setattr(compiler, "installed_prices", lambda: None)

    with pytest.raises(SystemExit):
        compiler.main(["--litellm", str(wheel)])

    assert "genai-prices is not installed" in capsys.readouterr().err


def test_a_package_that_is_not_there_is_none(monkeypatch):
    monkeypatch.setattr(sources, "GENAI_PRICES", "no-such-package-of-prices")

    assert sources.installed_prices() is None
