#!/usr/bin/env bash
# Fills the conda environment with the hash-locked packages of `make run`. touchstone itself is never installed here:
# the command of each job sets PYTHONPATH, because Snakemake deletes that variable for jobs in conda.
# Snakemake makes a new environment when this file changes; so it holds the digest of the lock, which `make locks` renews.
# requirements.lock: sha256:12ae0a9ddd71f4928c42eda2915241f439c9f0b473b0567e49acc9b41e151c41
set -euo pipefail
# The workflow sets TOUCHSTONE_LOCK. Next to this script may be another project's lock: Snakemake runs a copy of it.
lock="${TOUCHSTONE_LOCK:-}"
[ -f "$lock" ] || lock="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/../../requirements.lock"
python -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes -r "$lock"
