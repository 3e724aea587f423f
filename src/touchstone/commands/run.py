"""`touchstone run STUDY`: run a study with Snakemake and show its progress."""

from __future__ import annotations

import argparse

from touchstone.commands._command_line import add_cores, add_study
from touchstone.pipeline.orchestration import snakemake_run


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run`."""
    add_study(parser, "a study's name or an overlay's path (default: digits)")
    add_cores(parser)
    parser.add_argument("--lock", choices=("keep", "rerun"), default="keep",
                        help="what to do with files made under another requirements.lock (default: keep)")  # fmt: skip


def main(options: argparse.Namespace) -> int:
    """Run the study and return Snakemake's exit code."""
    return snakemake_run.run(options.study, options.cores, options.lock)
