# Every target sets up what it needs; Python >= 3.11, git and a C compiler are enough.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo demo-fleet test check format test-context test-oldest test-beside test-litellm test-frameworks test-slow test-real prove bench bench-budgets bench-collector prices docs dashboards clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-15s %s\n", $$1, $$2}'

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

.venv-oldest/installed: pyproject.toml
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-oldest/bin/python -m pip install --quiet --editable . --group oldest
	@touch $@

.venv-beside/installed: pyproject.toml
	$(PYTHON) -m venv .venv-beside
	.venv-beside/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-beside/bin/python -m pip install --quiet --editable . --group beside
	@touch $@

.venv-beside-older/installed: pyproject.toml
	$(PYTHON) -m venv .venv-beside-older
	.venv-beside-older/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-beside-older/bin/python -m pip install --quiet --editable . --group beside-older
	@touch $@

test-beside: .venv-beside/installed .venv-beside-older/installed ## Test beside other instrumentors, in two virtual environments of their own
	.venv-beside/bin/pytest -q tests/beside
	.venv-beside-older/bin/pytest -q tests/beside

.venv-litellm/installed: pyproject.toml
	$(PYTHON) -m venv .venv-litellm
	.venv-litellm/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-litellm/bin/python -m pip install --quiet --editable . --group litellm
	@touch $@

test-litellm: .venv-litellm/installed ## Test with litellm, in a virtual environment of its own
	.venv-litellm/bin/pytest -q tests/litellm

FRAMEWORKS := .venv-frameworks-openai .venv-frameworks-litellm .venv-frameworks-crewai

.venv-frameworks-%/installed: pyproject.toml
	$(PYTHON) -m venv .venv-frameworks-$*
	.venv-frameworks-$*/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-frameworks-$*/bin/python -m pip install --quiet --editable . --group frameworks-$*
	@touch $@

test-frameworks: $(FRAMEWORKS:=/installed) ## Test with agent frameworks, in three virtual environments of their own
	set -e; for venv in $(FRAMEWORKS); do $$venv/bin/pytest -q tests/frameworks; done

.venv-context/installed: pyproject.toml
	$(PYTHON) -m venv .venv-context
	.venv-context/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-context/bin/python -m pip install --quiet --editable . --group context
	@touch $@

test-context: .venv-context/installed ## Test who a call is for across services, queues and web servers
	.venv-context/bin/pytest -q -n 2 tests/context

test: .venv/installed .venv-oldest/installed ## Run the tests, on the newest and the oldest SDKs (under ten minutes)
	$(BIN)/pytest -q -n 2
	.venv-oldest/bin/pytest -q -n 2 tests/instrumentation tests/examples tests/replay

check: .venv/installed ## Check format, style, types and who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --project .
	$(BIN)/lint-imports

format: .venv/installed ## Write all code in one form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-slow: .venv/installed ## Run the tests that take long: processes that hammer one ledger, the demo as a test
	$(BIN)/pytest -q -m slow

# The demo needs less than the tests do, and takes what they have if they were set up before.
DEMO := $(if $(wildcard .venv/installed),.venv,.venv-demo)

.venv-demo/installed: pyproject.toml
	@echo 'Setting up .venv-demo. This is done once, and takes about half a minute.'
	@$(PYTHON) -m venv .venv-demo
	@.venv-demo/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	@.venv-demo/bin/python -m pip install --quiet --editable '.[prometheus]' --group sdks
	@touch $@

demo: $(DEMO)/installed ## Watch a team of agents use up its budgets, without API keys (a minute)
	@$(DEMO)/bin/otel-llmcost demo

.venv-fleet/installed: pyproject.toml
	@echo 'Setting up .venv-fleet. This is done once, and takes about half a minute.'
	@$(PYTHON) -m venv .venv-fleet
	@.venv-fleet/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	@.venv-fleet/bin/python -m pip install --quiet --editable '.[collector,redis,prometheus]' --group demo-fleet
	@touch $@

FLEET_NODE := examples/demo_fleet/agents/node_modules

$(FLEET_NODE)/installed: examples/demo_fleet/agents/package-lock.json
	@npm ci --prefix examples/demo_fleet/agents --ignore-scripts --no-audit --no-fund --loglevel=error > /dev/null
	@touch $@

# What of the fleet is not on this machine, and cannot be put there, the play does without, and says so.
demo-fleet: .venv-fleet/installed ## Watch agents in two languages, with and without the plugin, on one bill (a minute)
	@-tests/real/install.sh redis-server prometheus prometheus-alertmanager node npm
	@-command -v npm > /dev/null && $(MAKE) --no-print-directory $(FLEET_NODE)/installed
	@.venv-fleet/bin/python -m examples.demo_fleet

dashboards: .venv/installed ## Build the Grafana boards anew
	$(BIN)/python -m dashboards.builder

.venv-rotel/installed: pyproject.toml
	$(PYTHON) -m venv .venv-rotel
	.venv-rotel/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	-.venv-rotel/bin/python -m pip install --quiet --group rotel
	@touch $@

test-real: .venv/installed .venv-rotel/installed ## Test on real servers, and draw the boards into var/boards (root installs what is missing)
	tests/real/install.sh
	$(BIN)/pytest -q -m real

PROVE ?= full

# What looks for inputs that break us; where it is not to be had, the proofs do with less and say so.
.venv-fuzz/installed: pyproject.toml
	$(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-fuzz/bin/python -m pip install --quiet --editable '.[collector]'
	-.venv-fuzz/bin/python -m pip install --quiet --group fuzz
	@touch $@

prove: .venv/installed .venv-fuzz/installed ## Prove what budgets and collectors promise, about two hours (PROVE=small: minutes; PROVE_SEED=... as before)
	tests/real/install.sh
	PROVE=$(PROVE) $(BIN)/pytest -qs -m prove tests/prove

BENCH_COLLECTOR ?= codec intake ledger forward exposition whole

bench: ## Measure what we and others add to a call, about 40 minutes (BENCH=--quick: only we, 10 minutes; BENCH=--all)
	$(PYTHON) tests/bench/run.py $(BENCH)

bench-budgets: ## Measure what budgets add to a call, by how many are in force and how many match it (10 minutes)
	$(PYTHON) tests/bench/budgets.py

bench-collector: .venv/installed .venv-rotel/installed ## Measure the collector: its parts, and the whole of it beside Rotel (15 minutes)
	for each in $(BENCH_COLLECTOR); do $(BIN)/python -m tests.bench.collector.$$each || exit 1; done

prices: .venv/installed ## Compile the price book anew, from the versions that pyproject.toml names
	rm -rf build/prices
	$(BIN)/python -m pip download --quiet --no-deps --group price-judge --dest build/prices
	$(BIN)/python -m otel_llmcost.pricebook.compile --litellm build/prices/litellm-*.whl
	$(BIN)/python tests/pricebook/take_judge.py build/prices/litellm-*.whl

docs: .venv/installed ## Write anew what programs know of docs/: commands, settings, endpoints, how far off forecasts are
	$(BIN)/python -m tests.cli.pages
	$(BIN)/python -m tests.core.backtest

clean: ## Remove everything that was made
	rm -rf .venv .venv-* dist build .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
