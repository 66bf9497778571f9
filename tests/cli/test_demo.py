"""`demo` needs the repository, and says so."""

import sys

from otel_llmcost.cli import demo


def test_without_the_examples_the_way_to_them_is_said(shell, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "_ROOT", tmp_path)

    result = shell.run("demo")

    assert result.exit_code == 1
    assert "run `make demo` in the repository" in result.stderr


def test_with_them_the_demo_takes_over(shell, tmp_path, monkeypatch):
    began = []
    monkeypatch.chdir(tmp_path)  # and back afterwards
    monkeypatch.setattr(demo.os, "execv", lambda *words: began.append(words))

    shell.run("demo", "--local", "--speed", "7")

    assert began == [(sys.executable, [sys.executable, "-m", "examples.demo", "--speed", "7.0", "--local"])]
