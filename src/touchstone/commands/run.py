"""`touchstone run STUDY`: run a study and show its progress."""

from __future__ import annotations

import argparse

from touchstone.commands._command_line import add_cores, add_study
from touchstone.pipeline.orchestration import pruning, snakemake_run
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance.store import Store
from touchstone.pipeline.settings.study import load


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run`."""
    add_study(parser, "a study's name or its file's path (default: digits)")
    add_cores(parser)
    parser.add_argument(
        "--prune", action="store_true", help="then delete the results of other settings and code; they stay otherwise"
    )


def main(options: argparse.Namespace) -> int:
    """Run the study with Snakemake, in the current folder, and return the exit code."""
    exit_code = snakemake_run.run(options.study, options.cores)
    if exit_code == 0 and options.prune:
        study = load(options.study)
        count = pruning.prune(Plan(study), Store(study.name))
        print(f"Deleted {count} results that today's settings and code do not make.")
    return exit_code
