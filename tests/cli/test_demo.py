"""`demo` needs the repository, and says so."""

from otel_llmcost.cli import demo


def test_without_the_examples_the_way_to_them_is_said(shell, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "_ROOT", tmp_path)

    result = shell.run("demo")

    assert result.exit_code == 1
    assert "run `make demo` in the repository" in result.stderr


def test_how_the_stage_ends_is_how_the_command_ends(shell, tmp_path, monkeypatch):
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "stage.py").write_text("import sys; sys.exit(int(sys.argv[2]))")
    monkeypatch.setattr(demo, "_ROOT", tmp_path)

    assert shell.run("demo", "--rounds", "7").exit_code == 7
