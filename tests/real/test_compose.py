"""docker-compose.yml, read by docker-compose."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.real.servers import run

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, object]]:
    """The services as docker-compose understands them; no engine is needed for that."""
    return yaml.safe_load(run("docker-compose", "config", cwd=ROOT))["services"]


def test_the_whole_stack_is_there(services: dict[str, dict[str, object]]) -> None:
    """Everything that `docker-compose up` promises."""
    assert set(services) == {
        *("agent", "alertmanager", "collector", "grafana", "postgres", "prometheus", "provider", "redis", "webhook"),
    }


def test_only_the_ledger_for_several_collectors_waits_to_be_asked_for(services: dict[str, dict[str, object]]) -> None:
    """By `--profile postgres`."""
    assert {name: each["profiles"] for name, each in services.items() if "profiles" in each} == {
        "postgres": ["postgres"]
    }


def test_every_mounted_file_exists(services: dict[str, dict[str, object]]) -> None:
    """Docker makes an empty folder of a path that is misspelt, and the service starts without its configuration."""
    mounts = [str(volume).split(":")[0] for service in services.values() for volume in service.get("volumes", ())]

    assert [path for path in mounts if path.startswith("/") and not Path(path).exists()] == []


def test_every_service_says_when_it_is_ready(services: dict[str, dict[str, object]]) -> None:
    """Others wait for it."""
    assert [name for name, service in services.items() if "healthcheck" not in service] == []


def test_nothing_is_open_to_the_network(services: dict[str, dict[str, object]]) -> None:
    """Ports are published on the loopback address only: none of the services asks who is there."""
    ports = [str(port) for service in services.values() for port in service.get("ports", ())]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_images_are_pinned(services: dict[str, dict[str, object]]) -> None:
    """A tag that moves makes a demo that breaks by itself."""
    images = [str(service["image"]) for service in services.values() if "build" not in service]

    assert [image for image in images if not any(part.isdigit() for part in image.rpartition(":")[2])] == []
