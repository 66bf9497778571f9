"""What is installed: the wheel's content, its entry points, and the names it offers."""

import inspect
import subprocess
import sys
from importlib.metadata import distribution, entry_points
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import pytest

import otel_llmcost

ROOT = Path(__file__).parent.parent
COLLECTOR = "otel_llmcost_collector"
DATA = "otel_llmcost-{version}.data/data/share/otel-llmcost/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Name all files of a wheel that is built from this tree, with their bytes."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    with ZipFile(built) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def version(wheel):
    (name,) = {name.split("/")[0] for name in wheel if ".dist-info/" in name}
    return name.removeprefix("otel_llmcost-").removesuffix(".dist-info")


def test_the_wheel_brings_our_packages_and_nothing_else(wheel, version):
    """A stray `tests` or `examples` would be importable for everybody who installs us."""
    packages = {"otel_llmcost"} | ({COLLECTOR} if (ROOT / "collector" / COLLECTOR).exists() else set())

    top = {name.split("/")[0] for name in wheel}

    assert top == packages | {f"otel_llmcost-{version}.dist-info", f"otel_llmcost-{version}.data"}


def test_every_module_of_the_tree_is_in_the_wheel(wheel):
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "otel_llmcost").rglob("*.py")}

    assert modules == {name for name in wheel if name.startswith("otel_llmcost/") and name.endswith(".py")}


def test_what_modules_read_at_run_time_is_in_the_wheel(wheel):
    others = {name for name in wheel if name.startswith("otel_llmcost/") and not name.endswith(".py")}

    assert {
        "otel_llmcost/py.typed",
        "otel_llmcost/pricebook/rates.json",
        "otel_llmcost/tokens/data/o200k_base.ranks",
        "otel_llmcost/tokens/data/cl100k_base.ranks",
    } <= others


def test_every_dashboard_and_the_rules_are_shared(wheel, version):
    shared = {name.removeprefix(DATA.format(version=version)): content for name, content in wheel.items()}

    for board in (ROOT / "dashboards").glob("*.json"):
        assert shared[f"dashboards/{board.name}"] == board.read_bytes()
    rules = ROOT / "collector" / "prometheus" / "rules.yml"
    assert shared["prometheus/rules.yml"] == rules.read_bytes()


def test_the_licence_and_the_credits_come_along(wheel, version):
    licences = f"otel_llmcost-{version}.dist-info/licenses/"

    assert {name.removeprefix(licences) for name in wheel if name.startswith(licences)} == {"LICENSE", "NOTICE"}


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("opentelemetry_pre_instrument", "llmcost"),
        ("opentelemetry_instrumentor", "llmcost"),
        ("opentelemetry_environment_variables", "llmcost"),
        ("console_scripts", "otel-llmcost"),
    ],
)
def test_every_entry_point_leads_somewhere(group, name):
    (found,) = entry_points(group=group, name=name)

    loaded = found.load()

    assert found.dist.name == "otel-llmcost"
    assert isinstance(loaded, ModuleType) or callable(loaded)


def test_no_other_entry_points_are_registered():
    """A distro or a configurator of ours would stand in the way of the user's own."""
    ours = {(each.group, each.name) for each in distribution("otel-llmcost").entry_points}

    assert ours == {
        ("opentelemetry_pre_instrument", "llmcost"),
        ("opentelemetry_instrumentor", "llmcost"),
        ("opentelemetry_environment_variables", "llmcost"),
        ("console_scripts", "otel-llmcost"),
    }


def test_the_package_offers_what_it_says_and_nothing_else():
    loaded_late = {"instrument", "uninstrument"}
    offered = loaded_late | {
        name
        for name, value in vars(otel_llmcost).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "TYPE_CHECKING"
    }
    assert all(callable(getattr(otel_llmcost, name)) for name in loaded_late)

    assert offered == set(otel_llmcost.__all__)
    assert offered == {
        "BudgetExceededError",
        "RateLimitedError",
        "RefusedError",
        "attribute",
        "instrument",
        "summary",
        "uninstrument",
    }


@pytest.mark.parametrize("name", otel_llmcost.__all__)
def test_everything_offered_says_what_it_is_for(name):
    assert inspect.getdoc(getattr(otel_llmcost, name))
