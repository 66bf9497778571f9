"""A URL names the store, and a wrong one is said to be wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_llmcost.errors import ConfigError
from otel_llmcost.storage import open_store
from otel_llmcost.storage.memory import MemoryStore
from tests.storage.books import USD, Books
from tests.storage.processes import ROOT


def test_memory_is_a_store_of_this_process() -> None:
    assert isinstance(open_store("memory://"), MemoryStore)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        pytest.param("sqlite://{folder}/deep/er/ledger.db", "deep/er/ledger.db", id="absolute-in-folders-to-be-made"),
        pytest.param("sqlite://kept/ledger.db", "kept/ledger.db", id="relative-to-the-working-directory"),
        pytest.param("sqlite://a%20b.db", "a b.db", id="with-a-space"),
    ],
)
def test_a_file_is_made_where_the_url_says_when_it_is_first_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(url.format(folder=tmp_path))
    assert list(tmp_path.iterdir()) == []

    Books(store).spend(1)

    assert (tmp_path / path).is_file()
    store.close()


def test_a_relative_path_keeps_its_meaning_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite://ledger.db")
    (tmp_path / "elsewhere").mkdir()
    os.chdir(tmp_path / "elsewhere")

    Books(store).spend(1)

    assert (tmp_path / "ledger.db").is_file()
    store.close()


@pytest.mark.parametrize("url", ["ftp://localhost", "ledger.db", "", "sqlite:ledger.db"])
def test_a_url_of_no_store_of_ours_is_an_error_that_says_what_there_is(url: str) -> None:
    with pytest.raises(ConfigError, match="memory://, sqlite:///absolute/path") as caught:
        open_store(url)

    assert caught.value.key == "store"


def test_a_file_store_without_a_path_is_an_error() -> None:
    with pytest.raises(ConfigError, match="a path is missing"):
        open_store("sqlite://")


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        open_store("redis://somebody:geheim@localhost:x")

    assert "geheim" not in str(caught.value)


def test_a_store_in_memory_loads_no_database() -> None:
    program = "import sys, otel_llmcost.storage.memory, otel_llmcost.storage.writer; print('sqlite3' in sys.modules)"

    printed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "False"


def test_a_second_store_on_the_same_file_reads_what_the_first_wrote(open_file) -> None:
    Books(open_file()).spend(1)

    assert Books(open_file()).balance().settled_nano == USD
