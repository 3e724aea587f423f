"""`touchstone audit STUDY`: check the chain of files from raw data to report."""

from __future__ import annotations

import sys

import click

from touchstone import parsed_files
from touchstone.commands._command_line import COUNT, Command, is_own_process, refuse_together, refuse_unused
from touchstone.commands._shared_arguments import check_digest, study_argument
from touchstone.pipeline.jobs import environment


@click.command("audit", cls=Command)
@study_argument("a study, an artefact by its path or name, or the folder of a job", "what")
@click.option("--root", metavar="DIGEST", help="also check that the report has this root digest")
@click.option("--cpu", metavar="PATHS", help="compare --root as if the records named these code paths of a processor")
@click.option(
    "--render/--no-render",
    default=True,
    help="build the page again from the chain and compare its bytes (default: yes)",
)
@click.option(
    "--recompute",
    type=COUNT,
    metavar="N",
    help="compute N random artefacts again; by default as many as take a few seconds, 0 for none",
)
@click.option("--all", "every", is_flag=True, help="compute all artefacts again, which takes as long as the study took")
@click.option("--seed", type=COUNT, metavar="N", help="which artefacts --recompute draws (default: random, printed)")
@click.option("--json", "as_json", is_flag=True, help="print the findings as JSON")
def main(
    what: str,
    root: str | None,
    cpu: str | None,
    render: bool,
    recompute: int | None,
    every: bool,
    seed: int | None,
    as_json: bool,
) -> int:
    """Check the chain of files from raw data to report.

    Every broken link is printed. The exit code is 0 if the chain is whole, 1 if it is broken, 4 if not everything could be
    checked. Files that other code built are named; that alone does not change the exit code.

    \b
    Examples:
      touchstone audit digits
      touchstone audit digits --recompute 0
      touchstone audit digits --all
      touchstone audit results/digits/attack/cnn.0
    """
    if is_own_process():  # it computes, as jobs do
        environment.prepare_command(1)
    from touchstone.audit.chain.findings import is_artefact
    from touchstone.audit.chain.report_pages import ExpectedRoot
    from touchstone.audit.own_audit import run_audit

    parsed_files.disable_cache()
    if is_artefact(what):
        typed = {"--root": root is not None, "--cpu": bool(cpu), "--no-render": not render}
        typed |= {"--recompute": recompute is not None, "--all": every, "--seed": seed is not None}
        refuse_unused(typed, f"is only for a study, and {what} is an artefact")
    refuse_unused({"--cpu": bool(cpu) and root is None}, "needs --root DIGEST")
    refuse_unused({"--seed": seed is not None and recompute == 0}, "has no effect with --recompute 0")
    refuse_together({"--all": every, "--recompute": recompute is not None})
    refuse_together({"--all": every, "--seed": seed is not None})
    check_digest("--root", root)
    return run_audit(
        what, as_json, ExpectedRoot(root, cpu) if root else None, render, sys.maxsize if every else recompute, seed
    )
