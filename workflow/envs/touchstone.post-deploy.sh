#!/usr/bin/env bash
# Fills the conda environment with the hash-locked packages of `make run`. touchstone itself is never installed here:
# the command of each job sets PYTHONPATH, because Snakemake deletes that variable for jobs in conda.
set -euo pipefail
# The workflow sets TOUCHSTONE_ROOT. Next to this script may be another project's lock: Snakemake runs a copy of it.
lock="${TOUCHSTONE_ROOT:-}/requirements.lock"
[ -f "$lock" ] || lock="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/../../requirements.lock"
python -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes -r "$lock"
