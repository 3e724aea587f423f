"""`touchstone evidence STUDY`: write one file from which anybody can verify the study's claims."""

from __future__ import annotations

import argparse
from pathlib import Path

from touchstone.commands._command_line import add_study
from touchstone.messages import say
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `evidence`."""
    add_study(parser)
    parser.add_argument("--claims", nargs="+", default=[], metavar="CLAIM", help="only of these claims (default: all)")
    parser.add_argument("-o", "--out", metavar="FILE", help="the file to write (default: build/STUDY.evidence)")
    parser.add_argument("--weights", action=argparse.BooleanOptionalAction, default=True,
                        help="include the networks; without them only who has them can verify")  # fmt: skip


def main(options: argparse.Namespace) -> int:
    """Write the evidence, and print its size, its digest and the study's root digest."""
    # They import scipy, which --help does not need.
    from touchstone.evidence import study_evidence
    from touchstone.evidence.selection import Selection

    selection = Selection(Plan(load(options.study)), tuple(options.claims))
    target = Path(options.out or f"build/{selection.plan.study.name}.evidence")
    written = study_evidence.write(selection, options.study, target, options.weights)
    say(f"{target}: {len(written.entries):,} files, {target.stat().st_size / 1e6:,.1f} MB")
    say(f"Evidence: {written.digest}. Root digest of the study: {written.about['root']}")
    return 0
