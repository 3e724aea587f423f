"""`touchstone check WHAT`: check a study, a paper or a component of the user's own before a run."""

from __future__ import annotations

import click

from touchstone.commands._command_line import Command, refuse_together, refuse_unused
from touchstone.commands._shared_arguments import cores_option, study_argument


@click.command("check", cls=Command)
@study_argument(
    "a study, a paper (a folder with a / in it, or a shipped paper's name), or a component's FILE.py", "what"
)
@click.option(
    "--entry", metavar="NAME", help="of a study: print the settings of this entry or section, with every default"
)
@click.option("--no-run", is_flag=True, help="of a paper: only read it")
@cores_option("of a paper: ", default=None)
@click.option("--trace", is_flag=True, help="of a component: print pytest's own output of what failed")
def main(what: str, entry: str | None, no_run: bool, cores: str | None, trace: bool) -> int:
    """Check a study, a paper or a component before a run.

    Of a study it checks the settings, and counts the jobs that a run would start. It reads a paper's folder and runs it on
    tiny data. A component is held to the promises of its kind, one test each. The exit code is 1 if anything is wrong.

    \b
    Examples:
      touchstone check digits
      touchstone check digits --entry pgd
      touchstone check ./my_paper --no-run
      touchstone check plugins/attacks/nudge.py
    """
    # They take half a second, which --help and a shell that completes words do without.
    from touchstone.commands import _component_check, _paper_check, _study_check

    of_study, of_component = {"--entry": entry is not None}, {"--trace": trace}
    of_paper = {"--no-run": no_run, "--cores": cores is not None}
    if what.endswith(".py"):
        refuse_unused(of_study, f"is only for a study, and {what} is a component")
        refuse_unused(of_paper, f"is only for a paper, and {what} is a component")
        return _component_check.check(what, trace)
    if _paper_check.is_paper(what):
        refuse_unused(of_study, f"is only for a study, and {what} is a paper")
        refuse_unused(of_component, f"is only for a component, and {what} is a paper")
        refuse_together(of_paper)
        return _paper_check.check(what, None if no_run else cores or "all")
    refuse_unused(of_paper, f"is only for a paper, and {what} is a study")
    refuse_unused(of_component, f"is only for a component, and {what} is a study")
    return _study_check.print_entry(what, entry) if entry is not None else _study_check.check(what)
