"""`touchstone compare FIRST SECOND`: show which numbers and verdicts differ between two reports."""

from __future__ import annotations

import argparse
from pathlib import Path

from touchstone import parsed_files
from touchstone.commands._command_line import count
from touchstone.pipeline.auditing.comparison import run_compare
from touchstone.pipeline.settings.files import DEFAULT_STUDY


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `compare`."""
    parser.add_argument("first", help="a study, a git revision, REVISION:STUDY, or a folder with metrics.csv.gz")
    parser.add_argument("second", nargs="?", default=DEFAULT_STUDY, help="the same (default: digits)")
    parser.add_argument("--most", type=count, default=30, help="how many numbers to show (default: 30)")
    parser.add_argument(
        "--names", type=Path, metavar="TABLE", help="a YAML file that says which rows were renamed or removed since"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def main(options: argparse.Namespace) -> int:
    """Print the differences; return 1 if anything differs by more than rounding."""
    parsed_files.distrust()
    return run_compare(options.first, options.second, options.most, options.json, options.names)
