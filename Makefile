# Short names for commands. The tools that they call contain the logic.
STUDY ?= digits
CORES ?= all
PYTHON ?= 3.13
SNAKEMAKE ?= 9.3.5
KILLS ?= 20
SINCE ?= HEAD
# Recipes read these from the environment, so that neither make nor a shell expands what a user typed.
override STUDY := $(value STUDY)
override CORES := $(value CORES)
override PYTHON := $(value PYTHON)
override SNAKEMAKE := $(value SNAKEMAKE)
override KILLS := $(value KILLS)
override SINCE := $(value SINCE)
export STUDY CORES PYTHON SNAKEMAKE KILLS SINCE
PYTHON3 := $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
CLUSTER := slurm-wlm munge gcc libc6-dev python3.11-dev
BENCH := $(BIN)/python benchmarks
TEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
RUN_TIME := --extra workflow --extra data --extra reports
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run setup cluster test test-pipeline quick test-library test-snakemake test-faults test-studies test-cluster check edition bench bench-full docs ci tables locks

run: .venv/run-time                     ## run a study: make run STUDY=digits CORES=all
	@$(BIN)/touchstone run --cores "$$CORES" -- "$$STUDY"

setup: .venv/run-time                   ## make .venv from the hash-locked requirements

.venv/run-time: requirements.lock pyproject.toml
	@echo "Setting up .venv (once; a few minutes, several GB: torch as PyPI ships it) ..."
	@"$(PYTHON3)" -m venv .venv
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

cluster: .venv/cluster                  ## install the Slurm plugin; then: .venv/bin/snakemake --workflow-profile profiles/slurm

.venv/cluster: .venv/run-time requirements-cluster.lock
	@$(PIP) install --no-deps --require-hashes -r requirements-cluster.lock
	@touch $@

.venv/development: .venv/run-time requirements-dev.lock
	@echo "Adding the development tools to .venv ..."
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

test: .venv/development                 ## run the tests of single parts; some six minutes
	@$(TEST) tests/unit tests/properties

test-pipeline: .venv/development        ## test the workflow and its commands on whole studies, and the benchmarks; some twenty minutes
	@$(TEST) tests/workflow tests/end_to_end tests/benchmarks

quick: .venv/development                ## run the unit tests that uncommitted changes touch; a minute. SINCE=main: changes since then
	@$(BIN)/python tests/quick.py "$$SINCE"

test-library: .venv/development         ## test the library without the workflow, on another Python: make test-library PYTHON=3.13
	@PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python tests/library.py "$$PYTHON"

test-snakemake: .venv/development       ## run the workflow's tests on another Snakemake: make test-snakemake SNAKEMAKE=9.3.5
	@rm -rf build/snakemake && mkdir -p build && cp -al .venv build/snakemake
	@build/snakemake/bin/python -m pip --disable-pip-version-check --quiet install "snakemake==$$SNAKEMAKE"
	@PYTHONPATH="$$PWD/src" PATH="$$PWD/build/snakemake/bin:$$PATH" build/snakemake/bin/python -m pytest tests/unit/pipeline tests/workflow

test-faults: .venv/development          ## kill runs at random moments and fill disks: make test-faults KILLS=20
	@$(BIN)/python -m pytest -m faults tests/faults

test-studies: .venv/development         ## run a whole study, with its report and audit, on small files in the formats of its downloads; minutes
	@$(BIN)/python tests/whole_studies.py --cores "$$CORES" -- "$$STUDY"

test-cluster: .venv/development .venv/cluster  ## test on a real Slurm with one node and with a real conda; minutes; needs root on Debian
	@dpkg -s $(CLUSTER) >/dev/null 2>&1 || (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(CLUSTER) >/dev/null)
	@$(BIN)/python -m pytest -m cluster tests/cluster

check: .venv/development                ## check lint, format, types and the workflow
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PATH="$$PWD/$(BIN):$$PATH" $(BIN)/snakefmt --check Snakefile workflow
	@$(BIN)/snakemake --lint

edition: .venv/development              ## before the commit of an edition: are dvc.lock and reports those of this code and these settings?
	@$(BIN)/dvc status --quiet || ($(BIN)/dvc status; false)
	@$(BIN)/python -m pytest -m edition tests/edition

bench: .venv/development                ## run the races at a small size, into build/bench; minutes
	@$(BENCH)/gradient_features.py --rounds 3 --cnn-batch 128 --resnet-batch 8 --attention-batch 32 --skip loop --out build/bench
	@$(BENCH)/pgd_speed.py --images 128 --rounds 3 --out build/bench
	@$(BENCH)/attack_strength.py --images 64 --networks plain --norms linf --out build/bench
	@$(BENCH)/newer_attacks.py --images 32 --networks plain --eps 0.15 --out build/bench
	@$(BENCH)/fallen_defences --rebuilds distillation --kinds fallen --images 20 --training 500 --epochs 1 --keep build/bench/fallen_defences --out build/bench
	@$(BENCH)/evaluate_call.py --images 20 --rounds 1 --out build/bench
	@$(BENCH)/margin_excess.py --images 64 --rounds 1 --out build/bench
	@$(BENCH)/stored_detectors.py --rows 2000 --width 128 --rounds 3 --out build/bench
	@$(BENCH)/training_epochs.py --images 4000 --epochs 2 --rounds 3 --out build/bench
	@$(BENCH)/bootstrap_auroc.py --looped 50 --rounds 3 --out build/bench
	@$(BENCH)/pipeline_overhead.py --out build/bench
	@$(BENCH)/first_convolution.py --rounds 5 --out build/bench
	@$(BENCH)/growth.py --times 1 2 4 --rounds 1 --out build/bench
	@$(BENCH)/profiles.py --images 64 --rows 2000 --width 128 --scores 2000 --rounds 1 --out build/bench
	@$(BENCH)/imagenet_costs.py --images 1 --rounds 1 --out build/bench
	@$(BENCH)/one_gpu.py --device cpu --images 32 --width 4 --rounds 1 --out build/bench
	-@$(BENCH)/known_answers.py --seeds 1 --out build/bench
	@$(BENCH)/all_races.py --out build/bench

bench-full: .venv/development           ## run the races at full size, into benchmarks/results; needs an idle machine
	@$(BENCH)/gradient_features.py
	@$(BENCH)/pgd_speed.py
	@$(BENCH)/attack_strength.py
	@$(BENCH)/newer_attacks.py
	@$(BENCH)/evaluate_call.py
	@$(BENCH)/margin_excess.py
	@$(BENCH)/stored_detectors.py
	@$(BENCH)/training_epochs.py
	@$(BENCH)/bootstrap_auroc.py
	@$(BENCH)/pipeline_overhead.py --study digits
	@$(BENCH)/first_convolution.py
	@$(BENCH)/growth.py
	@$(BENCH)/profiles.py
	@$(BENCH)/imagenet_costs.py
	@$(BENCH)/one_gpu.py
	@$(BENCH)/interval_coverage.py
	-@$(BENCH)/known_answers.py
	@$(BENCH)/all_races.py --picture docs/races.svg

docs: .venv/development                 ## write the site of docs/ to build/docs; a broken link fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

ci: check test test-pipeline            ## run what .ci/run runs first; it then runs test-studies, test-faults and test-cluster

tables: .venv/development               ## rewrite the tables and pictures of README and docs, and what API.md and the files of a citation say
	@$(BIN)/python docs/tables.py
	@$(BIN)/python docs/house.py
	@$(BIN)/python docs/release.py

locks: .venv/development                ## resolve the locks again from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml $(RUN_TIME) --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock
	@sed -i "s/^# requirements.lock: .*/# requirements.lock: sha256:$$(sha256sum requirements.lock | cut -d' ' -f1)/" workflow/envs/touchstone.post-deploy.sh
	@$(BIN)/uv pip compile pyproject.toml --group library-tests --constraint requirements.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements-library.lock
	@$(BIN)/uv pip compile pyproject.toml $(RUN_TIME) --extra dev --constraint requirements.lock --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements-dev.lock
	@$(BIN)/uv pip compile --group pyproject.toml:cluster --no-deps --constraint requirements.lock --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements-cluster.lock
