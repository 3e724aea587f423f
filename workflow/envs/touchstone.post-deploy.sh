#!/usr/bin/env bash
# Fills the conda environment with the hash-locked packages of `make run`. touchstone itself is never installed here:
# the command of each job sets PYTHONPATH, because Snakemake deletes that variable for jobs in conda.
# Snakemake makes a new environment when this file changes; so it holds the digest of the lock, which `make locks` renews.
# requirements.lock: sha256:5a1a9469029dc8def5a9928c416ef78bb5f9d25b1eb71140ecab621d864a648e
set -euo pipefail
# The workflow sets TOUCHSTONE_ROOT. Next to this script may be another project's lock: Snakemake runs a copy of it.
lock="${TOUCHSTONE_ROOT:-}/requirements.lock"
[ -f "$lock" ] || lock="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/../../requirements.lock"
python -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes -r "$lock"
