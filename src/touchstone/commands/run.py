"""`touchstone run STUDY`: run a study and show its progress; with --settle, extend it for an open claim."""

from __future__ import annotations

import argparse

from touchstone.commands._command_line import add_cores, add_study
from touchstone.pipeline.orchestration import study_run


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run`."""
    add_study(parser, "a study's name or an overlay's path (default: digits)")
    parser.add_argument("--settle", metavar="CLAIM",
                        help="extend a finished study, once, by what settles this inconclusive claim")  # fmt: skip
    add_cores(parser)


def main(options: argparse.Namespace) -> int:
    """Run the study, or its extension, and return the exit code.

    In a clone Snakemake runs it, in any other folder touchstone itself, as `assay` does.
    """
    if options.settle is not None:
        from touchstone.commands import _second_look  # it imports the plan and scipy

        return _second_look.settle(options.study, options.settle, options.cores)
    return study_run.run(options.study, options.cores)
