"""What `collector.toml`, variables and arguments say, and that nothing wrong in them is passed over."""

from datetime import timedelta
from pathlib import Path

import pytest

from otel_llmcost.errors import ConfigError
from otel_llmcost_collector import setting_rows
from otel_llmcost_collector.settings import NAME, CollectorSettings, load


def _load(folder: Path, text: str = "", environ: dict[str, str] | None = None, **arguments: str) -> CollectorSettings:
    if text:
        (folder / NAME).write_text(text)
    return load(environ or {}, cwd=folder, home=folder / "home", arguments=arguments)


def test_without_a_file_everything_is_of_this_machine(tmp_path: Path) -> None:
    """The first start needs no settings, and opens nothing to others."""
    settings = _load(tmp_path)

    assert settings.receive.grpc == ("127.0.0.1", 4317)
    assert settings.receive.http == ("127.0.0.1", 4318)
    assert settings.api == ("127.0.0.1", 4319)
    assert settings.ledger == f"sqlite://{tmp_path}/home/.local/state/otel-llmcost/collector/charges.db"
    assert settings.backends == ()


def test_all_that_can_be_said_is_read(tmp_path: Path) -> None:
    """Every section of the file, with paths that start from where it lies."""
    settings = _load(
        tmp_path,
        """
        node = "c-1"
        workers = 2
        balances = "redis://r:6379"
        [ledger]
        url = "postgresql://u@h/db"
        keep = "30d"
        [receive]
        grpc = "off"
        http = "[::1]:14318"
        most_body_mib = 1
        [access]
        tokens = "tokens.toml"
        behind_proxy = true
        [[forward]]
        name = "tempo"
        endpoint = "https://tempo:4318"
        headers = { Authorization = "env:T" }
        signals = ["traces"]
        ca = "ca.pem"
        timeout = "3s"
        """,
        {"T": "secret"},
    )

    assert (settings.node, settings.workers, settings.keep) == ("c-1", 2, timedelta(days=30))
    assert (settings.receive.grpc, settings.receive.http) == (None, ("::1", 14318))
    assert settings.access.tokens == tmp_path / "tokens.toml"
    (backend,) = settings.backends
    assert backend.headers == (("authorization", "secret"),)
    assert (backend.tls.ca, backend.timeout_seconds, backend.signals) == (tmp_path / "ca.pem", 3, {"traces"})
    assert "secret" not in repr(settings)


def test_arguments_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    """As for agents."""
    text = "workers = 1\n[receive]\nhttp = '127.0.0.1:1'\n"
    environ = {"OTEL_LLMCOST_COLLECTOR_WORKERS": "2", "OTEL_LLMCOST_COLLECTOR_RECEIVE_HTTP": "127.0.0.1:2"}

    settings = _load(tmp_path, text, environ, workers="3")

    assert settings.workers == 3
    assert settings.receive.http == ("127.0.0.1", 2)


def test_all_faults_are_told_at_once_with_file_line_and_key(tmp_path: Path) -> None:
    """Whoever mends one must not find the next at the next start."""
    text = '[receive]\nhttp = 4318\nbody = 1\n[[forward]]\nname = "a b"\nendpoint = "tempo"\n[ledgers]\n'

    with pytest.raises(ConfigError) as raised:
        _load(tmp_path, text, {"OTEL_LLMCOST_COLLECTOR_WORKER": "1"}, nodes="x")

    told = str(raised.value)
    assert f"{tmp_path / NAME}:2: receive.http: found 4318" in told
    assert f"{tmp_path / NAME}:3: receive.body" in told
    assert "forward[0].name" in told
    assert '"ledger" is meant' in told
    assert '"OTEL_LLMCOST_COLLECTOR_WORKERS" is meant' in told
    assert '"node" is meant' in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param('[[forward]]\nname = "t"\nendpoint = "tempo:4318"', "is no URL", id="http-needs-a-url"),
        pytest.param(
            '[[forward]]\nname = "t"\nendpoint = "tempo:4317"\nprotocol = "grpc"\nkey = "k"', "stands alone", id="key"
        ),
        pytest.param(
            '[[forward]]\nname = "t"\nendpoint = "http://t"\nheaders = { a = "env:NOT_THERE" }',
            "NOT_THERE",
            id="variable",
        ),
        pytest.param(
            '[[forward]]\nname = "t"\nendpoint = "http://t"\nheaders = { "a b" = "c" }', "no name", id="header"
        ),
        pytest.param('[[forward]]\nname = "t"\nendpoint = "http://t"\nsignals = ["spans"]', "signals", id="signal"),
        pytest.param('[[forward]]\nname = "t"\nendpoint = "http://t"\n' * 2, "is taken", id="twice"),
        pytest.param("ledger = 1", "a table headed [ledger]", id="no-table"),
        pytest.param("workers = -1", "a whole number", id="negative"),
        pytest.param("receive.most_body_mib = -1", "a whole number", id="negative-size"),
        pytest.param("queue.memory_mib = 'much'", "a whole number", id="no-size"),
        pytest.param("balances = 'mysql://geheim@host'", "a URL such as sqlite", id="balances"),
        pytest.param("ledger.url = 'redis://host'", "a URL such as sqlite", id="ledger"),
        pytest.param('api = { listen = "here:99999" }', "HOST:PORT", id="port"),
        pytest.param("nonsense", "not valid TOML", id="toml"),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """A collector that starts on half of its settings loses what the other half was for."""
    with pytest.raises(ConfigError, match=told.replace("[", r"\[")):
        _load(tmp_path, text)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    """A typing error must not mean the defaults."""
    with pytest.raises(ConfigError, match="no such file"):
        _load(tmp_path, config="elsewhere.toml")


def test_a_wrong_variable_does_not_show_a_secret(tmp_path: Path) -> None:
    """Logs are read by many."""
    with pytest.raises(ConfigError) as raised:
        _load(tmp_path, environ={"OTEL_LLMCOST_COLLECTOR_LEDGER_URL": "user:password@host"})

    assert "password" not in str(raised.value)


def test_budgets_lie_beside_the_file(tmp_path: Path) -> None:
    """Both are of one owner; where there are none, they are looked for as agents do."""
    assert _load(tmp_path, "workers = 0").settings_path is None

    (tmp_path / "llmcost.toml").touch()

    assert _load(tmp_path).settings_path == tmp_path / "llmcost.toml"


def test_every_row_has_a_name_of_its_own() -> None:
    """Two rows of one key would read one value."""
    assert len({row.key for row in setting_rows.ROWS}) == len({row.variable for row in setting_rows.ROWS})
    assert len({row.key for row in setting_rows.ROWS}) == len(setting_rows.ROWS)
