"""`touchstone run STUDY`: run a study and show its progress; with --settle, extend it for an open claim."""

from __future__ import annotations

import argparse

from touchstone.commands._command_line import add_cores, add_study, refuse_unused
from touchstone.pipeline.orchestration import study_run


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run`."""
    add_study(parser, "a study's name or an overlay's path (default: digits)")
    parser.add_argument("--settle", metavar="CLAIM",
                        help="extend a finished study, once, by what settles this inconclusive claim")  # fmt: skip
    add_cores(parser)
    parser.add_argument("--lock", choices=("keep", "rerun"), default="keep",
                        help="what to do with files made under another requirements.lock (default: keep)")  # fmt: skip


def main(options: argparse.Namespace) -> int:
    """Run the study, or its extension, and return the exit code.

    In a clone Snakemake runs it, in any other folder touchstone itself, as `assay` does.
    """
    if not study_run.in_clone():
        refuse_unused(
            {"--lock": options.lock != "keep"}, "is only for a clone of touchstone, which has a requirements.lock"
        )
    if options.settle is not None:
        from touchstone.commands import _second_look  # it imports the plan and scipy

        return _second_look.settle(options.study, options.settle, options.cores, options.lock)
    return study_run.run(options.study, options.cores, options.lock)
