"""`touchstone audit STUDY`: check the chain of files from raw data to report."""

from __future__ import annotations

import argparse

from touchstone import parsed_files
from touchstone.commands._command_line import add_study, check_digest, count, refuse_unused
from touchstone.pipeline.auditing.audit import run_audit
from touchstone.pipeline.auditing.findings import is_artefact
from touchstone.pipeline.auditing.report_pages import ExpectedRoot


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `audit`."""
    add_study(parser, "a study, an artefact by its path or name, or the folder of a job")
    parser.add_argument("--root", help="also check that the report has this root digest")
    parser.add_argument("--cpu", metavar="PATHS",
                        help="compare --root as if the records named these code paths of a processor")  # fmt: skip
    parser.add_argument("--render", action=argparse.BooleanOptionalAction, default=True,
                        help="build the page again from the chain and compare its bytes")  # fmt: skip
    parser.add_argument("--recompute", type=count, default=0, metavar="N", help="also compute N random artefacts again")
    parser.add_argument("--seed", type=count, help="which artefacts --recompute draws (default: random, printed)")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def main(options: argparse.Namespace) -> int:
    """Print every broken link of the chain.

    Returns 0 if the chain is whole, 1 if it is broken, 4 if not everything could be checked. Files that other code built are
    named; that alone does not change the exit code.
    """
    parsed_files.distrust()
    if is_artefact(options.study):
        typed = {"--root": options.root is not None, "--cpu": bool(options.cpu), "--no-render": not options.render}
        typed |= {"--recompute": options.recompute > 0, "--seed": options.seed is not None}
        refuse_unused(typed, f"is only for a study, and {options.study} is an artefact")
    refuse_unused({"--cpu": bool(options.cpu) and options.root is None}, "needs --root DIGEST")
    refuse_unused({"--seed": options.seed is not None and not options.recompute}, "needs --recompute N")
    check_digest("--root", options.root)
    what, root = options.study, ExpectedRoot(options.root, options.cpu) if options.root else None
    return run_audit(what, options.json, root, options.render, options.recompute, options.seed)
