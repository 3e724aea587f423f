"""`touchstone run STUDY`: run a study, show its progress, and end with what its report answers."""

from __future__ import annotations

import click

from touchstone.commands._command_line import Command
from touchstone.commands._shared_arguments import cores_option, study_argument


@click.command("run", cls=Command)
@study_argument()
@cores_option()
@click.option("--prune", is_flag=True, help="then delete the results of other settings and code; they stay otherwise")
def main(study: str, cores: str, prune: bool) -> int:
    """Run a study with Snakemake, show its progress, and print what the claims of each paper found.

    What an earlier run has made stays, and an interrupted run goes on where it stopped. The exit code is Snakemake's, or 3
    if another run works in this folder.

    \b
    Examples:
      touchstone run tiny
      touchstone run digits --cores 4
      touchstone run mine.yaml --prune
    """
    # They take half a second, which --help and a shell that completes words do without.
    from touchstone import extras
    from touchstone.commands import _answers, _durations
    from touchstone.pipeline.orchestration import pruning, snakemake_run
    from touchstone.pipeline.planning.plan import Plan
    from touchstone.provenance.store import Store
    from touchstone.settings.study import load

    exit_code = snakemake_run.run(study, cores)
    if exit_code:
        return exit_code
    settings = load(study)
    _durations.note_train_set(settings)
    if extras.is_installed("reports") and _answers.print_answers(settings.name):
        print(f"More: touchstone show {settings.name}")
    if prune:
        count = pruning.prune(Plan(settings), Store(settings.name))
        print(f"Deleted {count} results that today's settings and code do not make.")
    return 0
