"""`touchstone papers`: list the papers with their claims, and the verdicts of every finished study."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from touchstone.commands._paper_check import is_check
from touchstone.commands.claims import coloured, read_lines
from touchstone.messages import nearest, unguarded
from touchstone.pipeline.settings.papers import shipped_facts
from touchstone.pipeline.settings.study import load
from touchstone.statistics.wording import of_line

PARTS = ("published", "criteria")
Verdicts = dict[str, dict[str, dict[str, str]]]  # study -> claim -> its line of claims.csv


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `papers`."""
    parser.add_argument("paper", nargs="?", metavar="NAME", help="print the claims of this paper in full")
    parser.add_argument("--study", help="list the papers of this study instead of the shipped ones")


def main(options: argparse.Namespace) -> int:
    """Print the papers, or one paper's claims in full."""
    papers = load(options.study)["papers"] if options.study else shipped_facts()
    if options.paper is not None and options.paper not in papers:
        place = f"the study {options.study} lists" if options.study else "touchstone has"
        own = "" if options.study else " --study S looks among the papers of a study."
        listed = f"{place} {', '.join(papers)}.{nearest(options.paper, papers)}{own}"
        raise ValueError(f"papers: no paper {options.paper}; {listed}")
    verdicts = _verdicts()
    if options.paper is None:
        for name, facts in papers.items():
            Console(file=unguarded(sys.stdout)).print(_overview(name, facts, verdicts))
    else:
        _print_in_full(papers[options.paper], verdicts)
    return 0


def _verdicts() -> Verdicts:
    """Return the verdicts of each finished study; trial runs of `check` are left out."""
    studies = [path.parent.name for path in sorted(Path("reports").glob("*/claims.csv"))]
    return {study: {line["claim"]: line for line in read_lines(study)[1]} for study in studies if not is_check(study)}


def _studies(claims: dict[str, Any], verdicts: Verdicts) -> list[str]:
    """Return the studies that say something of these claims."""
    return [study for study, lines in verdicts.items() if lines.keys() & claims.keys()]


def _overview(name: str, facts: dict[str, Any], verdicts: Verdicts) -> Table:
    """Return a paper's criteria as a table, with a column for each finished study."""
    criteria = facts.get("criteria") or {}
    studies = _studies(criteria, verdicts)
    title = Text(f"{name}: {facts['name']}", "table.title")
    table = Table("claim", "setting", *studies, box=box.SIMPLE, title=title, title_justify="left")
    for claim, block in criteria.items():
        statuses = [coloured(verdicts[study].get(claim, {}).get("status", "")) for study in studies]
        table.add_row(claim, Text(block["setting"]), *statuses)
    return table


def _print_in_full(facts: dict[str, Any], verdicts: Verdicts) -> None:
    """Print what a paper states, what is asked of it, and what each finished study measured."""
    console = Console(highlight=False)
    console.print(Text(f"{facts['cite']}\n{facts['url']}"), soft_wrap=True)
    for part in PARTS:
        claims = facts.get(part) or {}
        studies = _studies(claims, verdicts)
        table = Table("claim", "setting", "figure" if part == "published" else "criterion", *studies, box=box.SIMPLE)
        for claim, block in claims.items():
            words = f"{block['figure']} ({block['source']})" if part == "published" else block["criterion"]
            cells = [Text("\n").join(_cell(verdicts[study].get(claim))) for study in studies]
            table.add_row(claim, Text(block["setting"]), Text(words), *cells)
        console.print(table)


def _cell(line: dict[str, str] | None) -> Iterator[Text]:
    """Yield the status of a claim in a study, and what was measured."""
    if line is not None:
        yield coloured(line["status"])
        if measured := of_line(line, "measured"):
            yield Text(measured)
