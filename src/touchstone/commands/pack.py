"""`touchstone pack STUDY`: write one file from which anybody can verify the study's claims."""

from __future__ import annotations

from pathlib import Path

import click

from touchstone.commands._command_line import FILE, Command, Several
from touchstone.commands._shared_arguments import claims as claims_of_study
from touchstone.commands._shared_arguments import study_argument
from touchstone.messages import say
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.study import load


@click.command("pack", cls=Command)
@study_argument()
@click.option(
    "--claims", cls=Several, multiple=True, metavar="CLAIM...", shell_complete=claims_of_study,
    help="only of these claims (default: all)",
)  # fmt: skip
@click.option(
    "-o",
    "--out",
    type=FILE,
    metavar="FILE",
    help="the file to write (default: build/STUDY.pack, or build/STUDY.crate.zip)",
)
@click.option(
    "--no-weights", "weights", is_flag=True, flag_value=False, default=True,
    help="leave the networks out; then only who has them can verify",
)  # fmt: skip
@click.option(
    "--rocrate", is_flag=True, help="include the report, the workflow and the metadata of a Provenance Run RO-Crate"
)
def main(study: str, claims: tuple[str, ...], out: str | None, weights: bool, rocrate: bool) -> int:
    """Write one file from which anybody can verify a study's claims.

    It prints the digest of the pack's manifest, which lists those of all its files, and the study's root digest.

    \b
    Examples:
      touchstone pack digits
      touchstone pack digits --claims F1 T1 -o gradients.pack
      touchstone pack digits --rocrate
    """
    # They import scipy, which --help does not need.
    from touchstone.audit import study_evidence
    from touchstone.audit.selection import Selection

    selection = Selection(Plan(load(study)), claims)
    target = Path(out or f"build/{selection.plan.study.name}.{'crate.zip' if rocrate else 'pack'}")
    written = study_evidence.write(selection, study, target, weights, crate=rocrate)
    say(f"{target}: {len(written.entries):,} files, {target.stat().st_size / 1e6:,.1f} MB")
    say(f"Manifest of the pack: {written.digest}. Root digest of the study: {written.about['root']}")
    return 0
