"""`touchstone trace FILE`: print what a file or a number was made from, back to raw data."""

from __future__ import annotations

import argparse

from touchstone import parsed_files
from touchstone.commands._command_line import count
from touchstone.pipeline.auditing.trace import run_trace


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `trace`."""
    parser.add_argument(
        "file",
        nargs="?",
        help="an artefact by its path or name, the folder of a job, or a page of a report; with --number a study",
    )
    parser.add_argument("--number", help="a claim's id, or a line of the report's metrics.csv.gz")
    parser.add_argument("--picture", metavar="SVG", help="also draw the chain into this file")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--depth", type=count, help="how many links back from the file or the number (default: all)")
    form.add_argument("--json", action="store_true", help="print the sidecars as JSON")


def main(options: argparse.Namespace) -> int:
    """Print the tree of inputs; return 1 if bytes were altered and 4 if the data is not here."""
    parsed_files.distrust()
    return run_trace(options.file, options.number, options.json, options.picture, options.depth)
