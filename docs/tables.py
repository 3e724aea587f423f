"""Rewrite the tables of README and of these pages, each by the command above it: make tables.

A table is between `<!-- COMMAND -->` and `<!-- end -->`; a test fails if it differs from the output of the command. The
command is `touchstone ...`, `table STUDY EVALUATION METRIC [--entries ...] [--examples ...]` for numbers of a report, or
`sentences STUDY CLAIM ...` for what claims found. In docs/papers, `<!-- published of PAPER -->` and
`<!-- criteria of PAPER -->` come from the papers' claims.yaml.
reports/README.md is made from those of the reports in git.
`<!-- five ideas of STUDY -->` takes each paper's sentence from docs/papers/index.md, the rest from the report in git;
`<!-- STUDY beside OTHER -->` says which of the verdicts in that table of OTHER are others in STUDY, within a line.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from touchstone.__main__ import main
from touchstone.claims.criteria import COUNTER
from touchstone.claims.words import BROKEN, DOES_NOT_APPLY, SURVIVES, UPPER_BOUND
from touchstone.commands._number_table import number_table
from touchstone.commands._verdicts import read_lines, wanted_lines
from touchstone.messages import listed
from touchstone.report.answers import Answer, Line, answers, outcome
from touchstone.report.readme import index
from touchstone.settings import papers
from touchstone.settings.files import read_yaml

ROOT = Path(__file__).parents[1]
REPORTS = ("fashion_mnist", "digits", "fashion_mnist_multiverse")  # in git, the most important first
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TABLE = re.compile(
    r"<!-- (?P<command>(?:touchstone|table|sentences) [^\n]*?) -->\n\n(?P<table>.*?)\n?<!-- end -->", re.DOTALL
)
CLAIMS = re.compile(
    r"<!-- (?P<part>published|criteria) of (?P<paper>\w+) -->\n\n(?P<table>.*?)\n?<!-- end -->", re.DOTALL
)
IDEAS = re.compile(r"<!-- five ideas of (?P<study>\w+) -->\n\n(?P<table>.*?)\n?<!-- end -->", re.DOTALL)
BESIDE = re.compile(r"<!-- (?P<study>\w+) beside (?P<other>\w+) -->(?P<table>.*?)<!-- end -->")
IDEA = re.compile(
    r"^\| \[(?P<name>[^\]]+)\]\((?P<page>[\w.]+)\), (?P<link>\[[^|]+\)) \| (?P<sentence>[^|]+?) \|", re.MULTILINE
)
SENTENCE = re.compile(r"\. (?=[A-Z])")
UNBROKEN = {
    "upper bound only": "It keeps this gain under all our attacks, the worst for each image. Attacks cannot prove a"
    " gain: a stronger one may lower either method",
    "not attacked": "Nobody who knows the method attacked it",
}
ATTACKED = (BROKEN, UPPER_BOUND, SURVIVES)  # what an attacker who knows may have made of a claim
READ = {"P": "text", "C": "code", "R": "review thread", "K": "notes"}  # where a published figure was read


def printed(command: str) -> str:
    """Return what belongs below a command; ValueError if it fails."""
    word, *arguments = shlex.split(command)
    if word == "table":
        return number_table(**vars(_table_arguments().parse_args(arguments)))
    if word == "sentences":
        return sentences(arguments[0], arguments[1:])
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        if main(arguments) != 0:
            raise ValueError(f"{command} failed")
    return output.getvalue()


def reads_settings(command: str) -> bool:
    """Return whether a command reads the settings of a study too, which may be newer than the study's report in git."""
    return command.startswith("touchstone power ")


def _table_arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("table")
    for name in ("study", "evaluation", "metric"):
        parser.add_argument(name)
    for name in ("--entries", "--examples"):
        parser.add_argument(name, nargs="+", default=[])
    return parser


def sentences(study: str, wanted: list[str]) -> str:
    """Return what claims of a study found, one Markdown item each, with their verdicts."""
    path, lines = read_lines(study)
    shown = wanted_lines(lines, wanted, path)
    return "".join(f"- {line['claim']}: {line['says'] or line['note']}. **{outcome(line)}**\n" for line in shown)


def claims_of(part: str, paper: str) -> str:
    """Return the published figures that a study measures, or the claims of one paper, as a table, from its claims.yaml."""
    claims = read_yaml(papers.SHIPPED / paper / "claims.yaml")[part]
    rows: list[tuple[str, ...]]
    if part == "published":
        rows = [("id", "setting", "figure", "read in")]
        rows += [
            (name, c["setting"], str(c["figure"]), _place(c["source"], c["marks"]))
            for name, c in claims.items()
            if "unmeasured" not in c
        ]
    else:
        rows = [("id", "what is measured", "criterion")]
        rows += [(name, c["setting"], c["criterion"]) for name, c in claims.items() if c.get("kind") != "number"]
    lines = [[re.sub(r"([|*\[\]_])", r"\\\1", cell).replace("<", "&lt;") for cell in row] for row in rows]
    lines.insert(1, ["---"] * len(rows[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _place(source: str, marks: list[str]) -> str:
    """Return where a figure was read; what it was read in only if that is not the published text or named already."""
    read = [READ[mark] for mark in marks if mark != "P" and READ[mark] not in source]
    return f"{source} ({', '.join(read)})" if read else source


def five_ideas(study: str) -> str:
    """Return what each paper promises, and what a report in git says of it, and of an attacker who knows it."""
    ideas = IDEA.finditer((ROOT / "docs" / "papers" / "index.md").read_text())
    facts = _facts()
    found = {answer.lines[0]["paper"]: answer for answer in _answers(study)}
    rows = ["| idea | it promises | what we found | an attacker who knows it |\n| --- | --- | --- | --- |\n"]
    for idea in ideas:
        answer = found.get(facts[idea["page"].removesuffix(".md")]["name"], Answer("", []))
        own = [line for line in answer.lines if line["kind"] != COUNTER]
        counter = [line for line in answer.lines if line["kind"] == COUNTER]
        unbroken = (
            f"{UNBROKEN.get(own[0]['attacker'], 'Not asked')}. **{_linked(study, own[0])}: {own[0]['attacker']}**"
        )
        broken = "".join(f"; {line['claim']} {line['attacker']}" for line in own if line["attacker"] in ATTACKED)
        cells = (
            f"[{idea['name']}](docs/papers/{idea['page']}), {idea['link']}",
            idea["sentence"],
            f"**{answer.worth}.**<br>" + " ".join(_short(study, line | {"attacker": DOES_NOT_APPLY}) for line in own),
            " ".join(_short(study, line, broken) for line in counter) or unbroken,
        )
        rows.append(f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in cells)} |\n")
    return "".join(rows)


def _short(study: str, line: Line, broken: str = "") -> str:
    """Return the first sentence of what a claim found, which holds by itself, its verdict, and what that breaks."""
    first, *_ = SENTENCE.split(line["says"], maxsplit=1)
    carried = _variants(f"{study}_multiverse").get(line["claim"])
    return f"{first}. **{_linked(study, line)}: {outcome(line)}{broken}**{carried or ''}"


def _variants(study: str) -> dict[str, str]:
    """Return, of each claim that a report in git tries in variants of its experiment, in how many it holds."""
    if not (ROOT / "reports" / study).is_dir():
        return {}
    found = {line["claim"]: line["variants"] for line in read_lines(study)[1] if line["variants"]}
    return {claim: f" In [variants](reports/{study}/README.md): {counts}." for claim, counts in found.items()}


def _facts() -> dict[str, dict[str, Any]]:
    return {paper: read_yaml(papers.SHIPPED / paper / "claims.yaml") for paper in papers.shipped()}


def _answers(study: str) -> list[Answer]:
    return answers(_facts(), read_lines(study)[1])


def _linked(study: str, line: Line) -> str:
    """Return a claim's id as a link to its paper's chapter in the report in git."""
    titles = {facts["name"]: facts.get("title", facts["name"]) for facts in _facts().values()}
    return f"[{line['claim']}](reports/{study}/README.md#{titles[line['paper']].lower().replace(' ', '-')})"


def beside(study: str, other: str) -> str:
    """Return in one sentence how many of another study's opening verdicts a study has otherwise, and what it has."""
    opening = [line for answer in _answers(other) for line in answer.lines]
    own = {line["claim"]: line for line in read_lines(study)[1]}
    differ = [line["claim"] for line in opening if own[line["claim"]]["status"] != line["status"]]
    words = listed([f"{name} {own[name]['status']}" for name in differ]) or "none"
    title = f"[{study.replace('_', ' ')}](reports/{study}/README.md)"
    return f"In the small study {title}, {len(differ)} of these {len(opening)} verdicts differ: {words}."


def rewritten(text: str) -> str:
    """Return a page with all its tables up to date."""
    text = IDEAS.sub(
        lambda match: f"<!-- five ideas of {match['study']} -->\n\n{five_ideas(match['study'])}\n<!-- end -->",
        text,
    )
    text = BESIDE.sub(
        lambda match: (
            f"<!-- {match['study']} beside {match['other']} -->{beside(match['study'], match['other'])}<!-- end -->"
        ),
        text,
    )
    text = CLAIMS.sub(
        lambda match: (
            f"<!-- {match['part']} of {match['paper']} -->\n\n{claims_of(match['part'], match['paper'])}\n<!-- end -->"
        ),
        text,
    )
    return TABLE.sub(lambda match: f"<!-- {match['command']} -->\n\n{printed(match['command'])}\n<!-- end -->", text)


def reports_page() -> str:
    """Return what reports/README.md should hold; "" if no report in git has a README."""
    files = {study: ROOT / "reports" / study / "README.md" for study in REPORTS}
    readmes = {study: file.read_text() for study, file in files.items() if file.is_file()}
    return index(readmes) if readmes else ""


if __name__ == "__main__":
    if page := reports_page():
        (ROOT / "reports/README.md").write_text(page)
    for page in PAGES:
        text = page.read_text()
        if (new := rewritten(text)) != text:
            page.write_text(new)
            sys.stdout.write(f"{page.relative_to(ROOT)} rewritten\n")
