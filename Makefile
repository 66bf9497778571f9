# Every target sets up what it needs; Python >= 3.11, git and a C compiler are enough.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo test check format test-oldest test-slow test-real bench prices docs dashboards clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

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

bench: ## Measure what we and others add to a call, about 30 minutes (BENCH=--quick: only we, 3 minutes)
	$(PYTHON) tests/bench/run.py $(BENCH)

prices: .venv/installed ## Compile the price book anew, from the versions that pyproject.toml names
	rm -rf build/prices
	$(BIN)/python -m pip download --quiet --no-deps --group price-judge --dest build/prices
	$(BIN)/python -m otel_llmcost.pricebook.compile --litellm build/prices/litellm-*.whl
	$(BIN)/python tests/pricebook/take_judge.py build/prices/litellm-*.whl

docs: .venv/installed ## Write docs/cli.md and docs/settings.md anew
	$(BIN)/python -m tests.cli.pages

clean: ## Remove everything that was made
	rm -rf .venv .venv-* dist build .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
