"""`touchstone compare FIRST SECOND`: show which numbers and verdicts differ between two reports."""

from __future__ import annotations

from pathlib import Path

import click

from touchstone import parsed_files
from touchstone.commands._command_line import COUNT, FILE, Command
from touchstone.commands._shared_arguments import studies, study_argument


@click.command("compare", cls=Command)
@click.argument(
    "first", shell_complete=studies, help="a study, a git revision, REVISION:STUDY, or a folder with metrics.csv.gz"
)
@study_argument("the same", "second")
@click.option("--most", type=COUNT, default=30, metavar="N", help="how many numbers to show (default: 30)")
@click.option(
    "--names", type=FILE, metavar="TABLE", help="a YAML file that says which rows were renamed or removed since"
)
@click.option("--json", "as_json", is_flag=True, help="print everything as JSON")
def main(first: str, second: str, most: int, names: str | None, as_json: bool) -> int:
    """Show which numbers and verdicts of two reports differ.

    The exit code is 1 if anything differs by more than rounding.

    \b
    Examples:
      touchstone compare HEAD~1
      touchstone compare HEAD~1:mnist mnist
      touchstone compare ../other/reports/digits digits --json
    """
    from touchstone.audit.chain.comparison import run_compare

    parsed_files.disable_cache()
    return run_compare(first, second, most, as_json, Path(names) if names is not None else None)
