"""`touchstone run STUDY`: run a study and show its progress."""

from __future__ import annotations

import argparse

from touchstone.commands._command_line import add_cores, add_study
from touchstone.pipeline.orchestration import snakemake_run


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run`."""
    add_study(parser, "a study's name or an overlay's path (default: digits)")
    add_cores(parser)


def main(options: argparse.Namespace) -> int:
    """Run the study with Snakemake, in the current folder, and return the exit code."""
    return snakemake_run.run(options.study, options.cores)
