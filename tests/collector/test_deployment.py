"""What a collector is deployed with: its image, the stack of containers, Kubernetes; read without any of it running."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from otel_llmcost.config import load as load_agent
from otel_llmcost_collector.settings import CollectorSettings, load

ROOT = Path(__file__).parents[2]
COLLECTOR = ROOT / "collector"
KUBERNETES = {
    (each["kind"], each["metadata"]["name"]): each
    for each in yaml.safe_load_all((COLLECTOR / "kubernetes" / "collector.yaml").read_text())
}
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DOCKERFILE = (COLLECTOR / "Dockerfile").read_text().replace("\\\n", " ")
DEFAULT = re.compile(r"\$\{\w+:-(.*?)\}")


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Reads settings as a collector does that is started so."""

    def settings(files: Mapping[str, str], environ: Mapping[str, str]) -> CollectorSettings:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        known = {**environ, "OTEL_LLMCOST_COLLECTOR_CONFIG": str(tmp_path / "collector.toml")}
        return load(known, cwd=tmp_path, home=tmp_path)

    return settings


def container() -> dict[str, Any]:
    (found,) = KUBERNETES["StatefulSet", "collector"]["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("name", KUBERNETES)
@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_kubernetes_knows_every_key(name: tuple[str, str], version: str) -> None:
    """By the schemas of its oldest and newest releases of interest."""
    assert kubernetes_validate.validate(KUBERNETES[name], version, strict=True).startswith(version)


def test_the_collector_of_kubernetes_starts_with_its_settings(read: Any) -> None:
    """Reachable by all, so with tokens and a certificate, which lie where they are mounted."""
    variables = {each["name"]: "postgresql://ledger/x" for each in container()["env"] if "LEDGER" in each["name"]}

    settings = read(KUBERNETES["ConfigMap", "collector"]["data"], variables)

    mounted = [each["mountPath"] for each in container()["volumeMounts"]]
    assert settings.settings_path is not None
    assert str(settings.access.tokens.parent) in mounted
    assert str(settings.access.certificate.parent) in mounted
    assert settings.ledger == "postgresql://ledger/x"


def test_every_variable_of_kubernetes_is_one_of_the_collectors(read: Any) -> None:
    """A misspelt one keeps it from starting."""
    ledger = {"OTEL_LLMCOST_COLLECTOR_LEDGER_URL": "postgresql://x"}
    variables = {each["name"]: "redis://x" for each in container()["env"]} | ledger

    assert read({"collector.toml": ""}, variables).balances == "redis://x"


def test_ports_and_probes_of_kubernetes_are_those_that_are_listened_on(read: Any) -> None:
    """Services and probes find them by their names."""
    settings = read(KUBERNETES["ConfigMap", "collector"]["data"], {})
    ports = {each["name"]: each["containerPort"] for each in container()["ports"]}
    named = {
        each["targetPort"] for kind, of in KUBERNETES for each in KUBERNETES[kind, of].get("spec", {}).get("ports", ())
    }

    assert ports == {
        "otlp-grpc": settings.receive.grpc[1],
        "otlp-http": settings.receive.http[1],
        "api": settings.api[1],
    }
    assert named == set(ports)
    assert {container()[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "liveness", "readiness")} == {"api"}


def test_the_budgets_of_kubernetes_can_be_read(read: Any, tmp_path: Path) -> None:
    """They stand beside the collector's settings."""
    read(KUBERNETES["ConfigMap", "collector"]["data"], {})

    found = load_agent({}, cwd=tmp_path, home=tmp_path)

    assert found.problems == ()
    assert [each.name for each in found.budgets] == ["everything-daily"]


def test_a_collector_in_kubernetes_may_write_to_nothing_but_its_volumes() -> None:
    """And is nobody there."""
    said = container()["securityContext"]

    assert said["readOnlyRootFilesystem"]
    assert not said["allowPrivilegeEscalation"]
    assert KUBERNETES["StatefulSet", "collector"]["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]


def test_the_image_starts_with_its_settings(read: Any) -> None:
    """What it must be given are tokens and a certificate, beside them."""
    settings = read({"collector.toml": (COLLECTOR / "collector.toml").read_text()}, {})

    assert (settings.access.tokens.name, settings.access.certificate.name) == ("tokens.toml", "server.pem")
    assert settings.receive.grpc == ("0.0.0.0", 4317)  # what containers listen on


def test_the_image_copies_what_is_there_and_runs_as_nobody() -> None:
    """Each path is one of the project's."""
    copied = [shlex.split(line)[1:-1] for line in re.findall(r"^COPY (?!--from).*$", DOCKERFILE, re.MULTILINE)]
    paths = [path for line in copied for path in line if not path.startswith("--")]

    assert paths
    assert [path for path in paths if not list(ROOT.glob(path))] == []
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["llmcost"]


def test_the_stacks_collector_knows_every_variable_it_is_given(read: Any) -> None:
    """As docker-compose fills them in where nobody says otherwise."""
    variables = {name: DEFAULT.sub(r"\1", value) for name, value in SERVICES["collector"]["environment"].items()}

    settings = read({"collector.toml": (COLLECTOR / "collector.toml").read_text()}, variables)

    assert settings.workers == 2
    assert settings.balances == "redis://redis:6379"
    assert settings.ledger == "sqlite:////var/lib/otel-llmcost/charges.db"
    assert str(settings.access.certificate) == "/shared/secrets/collector.pem"


def test_the_stacks_agent_keeps_its_books_at_the_collector(tmp_path: Path) -> None:
    """With the token that all containers share; its budgets come from there."""
    environ = {name: DEFAULT.sub(r"\1", value) for name, value in SERVICES["agent"]["environment"].items()}

    settings = load_agent({**environ, "LLMCOST_TOKEN": "shared"}, cwd=tmp_path, home=tmp_path)

    assert settings.problems == ()
    assert (settings.store, settings.store_token) == ("https://collector:4319", "shared")
    assert settings.attribution["team"] == "research"


def test_prometheus_scrapes_the_stacks_collector_and_reads_its_token() -> None:
    """Where with-secret.sh puts it."""
    (job,) = yaml.safe_load((COLLECTOR / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    made = (COLLECTOR / "with-secret.sh").read_text()

    assert job["dns_sd_configs"][0]["names"] == ["collector"]
    for path in (job["authorization"]["credentials_file"], job["tls_config"]["ca_file"]):
        assert Path(path).parent == Path("/shared/secrets")
        assert Path(path).name.removeprefix("metrics") in made
    assert "shared:/shared:ro" in SERVICES["prometheus"]["volumes"]


@pytest.mark.parametrize("name", ["agent.yaml", "gateway.yaml"])
def test_the_opentelemetry_collector_is_built_of_what_its_configuration_names(name: str) -> None:
    """`make test-real` has the real one read it, where Go is at hand."""
    config = yaml.safe_load((COLLECTOR / "otelcol" / name).read_text())
    parts = (COLLECTOR / "otelcol" / "builder.yaml").read_text()

    for kind in ("receivers", "processors", "exporters", "extensions"):
        for part in config[kind]:
            module = {"otlp_grpc": "otlp"}.get(part.partition("/")[0], part).replace("_", "")
            assert re.search(f"/{module}({kind.removesuffix('s')})? v", parts)
    for pipeline in config["service"]["pipelines"].values():
        assert set(pipeline["exporters"]) <= set(config["exporters"])
