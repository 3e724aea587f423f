"""`touchstone trace FILE`: print what a file or a number was made from, back to raw data."""

from __future__ import annotations

import click

from touchstone import parsed_files
from touchstone.commands._command_line import COUNT, FILE, Command, refuse_together, refuse_unused
from touchstone.commands._shared_arguments import claims, studies


@click.command("trace", cls=Command)
@click.argument(
    "file",
    required=False,
    shell_complete=studies,
    help="an artefact by its path or name, the folder of a job, or a page of a report; with --number a study",
)
@click.option(
    "--number", metavar="NUMBER", shell_complete=claims, help="a claim's id, or a line of the report's metrics.csv.gz"
)
@click.option("--picture", type=FILE, metavar="SVG", help="also draw the chain into this file")
@click.option("--depth", type=COUNT, metavar="N", help="how many links back from the file or the number (default: all)")
@click.option("--all", "whole", is_flag=True, help="of a number: every file by itself, not folded by network")
@click.option("--json", "as_json", is_flag=True, help="print the sidecars as JSON")
def main(
    file: str | None, number: str | None, picture: str | None, depth: int | None, whole: bool, as_json: bool
) -> int:
    """Print what a file or a number was made from, back to raw data.

    Of a number it prints a line for each network and rule, and with --all or --depth each file. The exit code is 1 if bytes
    were altered, and 4 if the data is not here.

    \b
    Examples:
      touchstone trace digits --number F1
      touchstone trace reports/digits/report.html --depth 1
      touchstone trace results/digits/attack/cnn.0 --picture chain.svg
    """
    from touchstone.audit.chain.trace import run_trace

    refuse_together({"--depth": depth is not None, "--all": whole, "--json": as_json})
    if number is None:
        refuse_unused({"--all": whole}, "is only for a number; a file is always shown file by file")
    parsed_files.disable_cache()
    return run_trace(file, number, as_json, picture, depth, folded=number is not None and depth is None and not whole)
