#!/usr/bin/env bash
# Fills the conda environment with the hash-locked packages of `make run`. touchstone itself is never installed here:
# jobs inherit PYTHONPATH from the workflow.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lock="$here/../../requirements.lock"
[ -f "$lock" ] || lock="$TOUCHSTONE_ROOT/requirements.lock"  # Snakemake runs a copy of this script
python -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes -r "$lock"
