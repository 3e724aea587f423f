"""The answers of a finished study in the terminal: per paper, what its claims found, as its report was made."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from touchstone.commands._verdicts import WIDTH, read_lines, table_of
from touchstone.messages import printable
from touchstone.provenance import sidecar_files
from touchstone.settings.study import load

INDENT = "  "


def papers_of(study: str) -> dict[str, dict[str, Any]]:
    """Return {paper: the content of its claims.yaml} as the report was made from.

    Without the report's sidecar it is that of the study's settings; empty if they cannot be read either.
    """
    page = Path("reports") / study / "report.html"
    if sidecar_files.sidecar_path(page).is_file():
        return dict(sidecar_files.read_sidecar(page)["settings"]["papers"])
    with suppress(ValueError):
        return dict(load(study)["papers"])
    return {}


def print_answers(study: str, paper: str | None = None) -> bool:
    """Print the answer of each paper of a finished study, within 80 columns; return whether there is one.

    Args:
        study: Its name.
        paper: Print only the answer of the paper of this title, and what its authors may call unfair.
    """
    printed = False
    for line in _answers(study, paper) if table_of(study).is_file() else ():
        print(printable(line))
        printed = True
    return printed


def _answers(study: str, paper: str | None) -> Iterator[str]:
    from touchstone.report.answers import answers, outcome

    papers = papers_of(study)
    lines = [line for line in read_lines(study)[1] if paper in (None, line["paper"])]
    for answer in answers(papers, lines):
        yield from textwrap.wrap(answer.heading, WIDTH)
        for line in answer.lines:
            text = f"{line['says']}. [{line['claim']}: {outcome(line)}]"
            yield from textwrap.wrap(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
    unfair = [reason for facts in papers.values() if facts["name"] == paper for reason in facts.get("unfair", ())]
    if unfair:
        yield from textwrap.wrap(f"What its authors may call unfair: {' '.join(unfair)}", WIDTH)
