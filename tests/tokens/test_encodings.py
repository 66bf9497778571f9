"""Encodings are made once, offline, and beside the host's own tiktoken."""

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest
import tiktoken.registry
import tiktoken_ext.openai_public

from otel_llmcost.tokens import encodings


@pytest.fixture
def unmade(monkeypatch):
    """A process that has made no encoding yet."""
    monkeypatch.setattr(encodings, "_made", {})
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})


def test_an_encoding_is_there_once_it_was_made(unmade):
    assert encodings.made("cl100k_base") is None

    made = encodings.make("cl100k_base")

    assert encodings.made("cl100k_base") is made
    assert encodings.make("cl100k_base") is made


def test_many_threads_make_it_once(unmade, monkeypatch):
    calls = []
    define = encodings._definition
    monkeypatch.setattr(encodings, "_definition", lambda name: calls.append(name) or define(name))

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(encodings.make, ["cl100k_base"] * 8))

    assert len(set(map(id, made))) == 1
    assert calls == ["cl100k_base"]


def test_the_hosts_own_tiktoken_is_left_alone(unmade):
    fetch = tiktoken_ext.openai_public.load_tiktoken_bpe
    environment = dict(os.environ)

    encodings.make("cl100k_base")

    assert tiktoken.registry.ENCODINGS == {}
    assert tiktoken_ext.openai_public.load_tiktoken_bpe is fetch
    assert dict(os.environ) == environment


def test_an_encoding_of_the_host_is_shared(unmade, monkeypatch):
    of_the_host = encodings.make("cl100k_base")
    monkeypatch.setattr(encodings, "_made", {})
    monkeypatch.setitem(tiktoken.registry.ENCODINGS, "cl100k_base", of_the_host)

    assert encodings.make("cl100k_base") is of_the_host


def test_another_table_than_tiktoken_expects_is_refused():
    with pytest.raises(ValueError, match="expects another table 'o200k_base'"):
        encodings._table("https://example.com/o200k_base.tiktoken", "0" * 64)


def test_a_tiktoken_without_definitions_is_refused(unmade, monkeypatch):
    monkeypatch.setattr(encodings.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ValueError, match="no definitions"):
        encodings.make("cl100k_base")


def test_a_child_forked_while_a_thread_was_making_one_can_make_its_own(unmade):
    with encodings._making:
        child = os.fork()
        if child == 0:
            os._exit(0 if encodings._making.acquire(timeout=1) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_counting_needs_no_network_no_home_and_no_cache(tmp_path):
    """A process of its own, that can open no socket and write no file, counts with both encodings."""
    program = """
        import builtins, os, socket, sys
        opened = builtins.open
        def readonly(file, mode="r", *rest, **more):
            assert not set(mode) & set("wax+"), f"wrote to {file}"
            return opened(file, mode, *rest, **more)
        builtins.open = readonly
        os.makedirs = os.mkdir = None
        def refuse(*args): raise AssertionError("network")
        socket.socket.connect = socket.getaddrinfo = refuse

        from otel_llmcost.tokens import count_text, ready
        assert "tiktoken" not in sys.modules and not ready("gpt-4o")
        print(count_text("hello world, 你好", "gpt-4o"), count_text("hello world, 你好", "gpt-4"))
    """
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    environment = {"HOME": str(home), "TMPDIR": str(home), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}

    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.stderr) == ("5 6\n", "")
    assert not list(home.iterdir())
