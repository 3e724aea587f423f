# Short doors to the tools; the tools hold the logic.
STUDY ?= digits
CORES ?= all
PYTHON3 := $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run setup test check ci locks

run: .venv/run-time                     ## run a study: make run STUDY=digits CORES=all
	@$(BIN)/touchstone run $(STUDY) --cores $(CORES)

setup: .venv/run-time                   ## make .venv from the hash-locked requirements

.venv/run-time: requirements.lock pyproject.toml
	@echo "Setting up .venv (once; a few minutes, several GB: torch as PyPI ships it) ..."
	@$(PYTHON3) -m venv .venv
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/development: .venv/run-time requirements-dev.lock
	@echo "Adding the development tools to .venv ..."
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

test: .venv/development                 ## run the tests
	@$(BIN)/python -m pytest

check: .venv/development                ## lint, format, types, workflow lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakefmt --check Snakefile workflow
	@$(BIN)/snakemake --lint

ci: check test                          ## what .ci/run runs

locks: .venv/development                ## resolve the locks again from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --group dev --constraint requirements.lock --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements-dev.lock
