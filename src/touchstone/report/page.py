"""The report's page: one self-contained HTML file that asks the network for nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from touchstone import __version__, digests
from touchstone.claims.criteria import CLAIM, MARKS, Revision
from touchstone.claims.words import ATTACKERS, FAILS, HOLDS, INCONCLUSIVE, NOT_RUN
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.messages import listed
from touchstone.records.metric_tables import MetricRow
from touchstone.report import markup, methods, packing
from touchstone.report.answers import KNOWN, OURS
from touchstone.report.attack_checks import Grid
from touchstone.report.chapters import Chapter
from touchstone.report.claim_table import ClaimLine, typeset
from touchstone.report.data_sets import cited
from touchstone.report.docstrings import sections
from touchstone.report.names import who_is_who
from touchstone.report.origins import Maker, Source, compact, index, remarks, rows_behind, with_origins
from touchstone.report.pictures import Picture
from touchstone.report.summary import Summary
from touchstone.report.systems import systems
from touchstone.report.tables import FIRST_LINE, Number
from touchstone.report.workflow_picture import workflow_picture

ORDER = (HOLDS, FAILS, INCONCLUSIVE, NOT_RUN)  # of the scorecard's columns


@dataclass(frozen=True)
class Content:
    """All that the page shows, computed; the templates read its fields by their names."""

    study: str
    settings: dict[str, Any]  # of the whole study
    papers: dict[str, dict[str, Any]]  # {paper: the content of its claims.yaml}
    chapters: list[Chapter]
    overview: Picture | None  # the one at the head of the page
    pictures: list[Picture]  # all others
    styles: Markup  # the style sheet of the pictures
    claims: list[ClaimLine]  # that were measured
    other_claims: list[ClaimLine]  # that were not run
    revised: list[tuple[str, str, Revision]]  # of changed criteria: name, what it said then, the change
    summary: Summary | None
    checks: Grid | None
    doubts: Doubts
    rows: list[MetricRow]  # of metrics.csv.gz, those of the claims last
    left_out: tuple[str, ...]  # what could not be measured, with the reasons
    table: bytes  # metrics.csv.gz
    tables: list[str]  # the files that it was gathered from

    def numbers(self) -> list[Number]:
        """Return every number that the page shows."""
        shown = [part.number for line in self.claims for part in line.numbers]
        shown += [number for chapter in self.chapters for number in chapter.numbers()]
        if self.checks:
            shown += [result.number for line in self.checks.lines for result in line.results if result]
        return shown


def page(content: Content, provenance: Mapping[str, Source], components: Mapping[str, str], maker: Maker) -> str:
    """Return the page as HTML, the same for the same arguments: it names no clock and no host.

    Args:
        content: what it shows.
        provenance: {file: where it came from}; other files are shown by their names.
        components: {component: what comes back from it}.
        maker: the code of the report itself.
    """
    study, claims, others, settings = content.study, content.claims, content.other_claims, content.settings
    numbers = content.numbers()
    pictures = [*([content.overview] if content.overview else []), *content.pictures]
    lines = [number.line for number in numbers] + [line for picture in pictures for line in picture.lines]
    rows = rows_behind(lines, content.rows)
    named = [file for row in rows for file in row.files]
    files = with_origins([*content.tables, *named, *(file for each in pictures for file in each.sources)], provenance)
    data = compact(rows, files) | remarks(numbers, claims, maker)
    about = settings.get("study", {})
    measured = sum(row.evaluation != packing.OF_CLAIMS for row in content.rows)
    names = who_is_who(settings, components)
    chapters = systems(content.papers, content.chapters, content.pictures, claims)
    steps = methods.stages(files, provenance)
    return (
        _environment()
        .get_template("report.html")
        .render(
            vars(content),
            version=__version__,
            title=about.get("title") or study,
            studied=methods.studied(settings, len(content.papers), measured),
            facts=methods.facts(settings),
            seeds=methods.seeds(settings),
            workflow=workflow_picture(steps, {step.step: _files(step.files) for step in steps}),
            absent=about.get("absent", []),
            settings=_as_yaml(settings),
            data=cited(settings.get("sources", {})),
            systems=chapters,
            ids=[line.claim for line in (*claims, *others)],
            figures={picture.name: " ".join(filter(None, (picture.title, picture.caption))) for picture in pictures},
            files_count=len(files),
            names=names,
            cards={
                entry.name: f"{entry.use}: {entry.about or entry.settings}" for each in names.values() for entry in each
            },
            tally=_tally(claims, others),
            maker=maker,
            metrics_digest=digests.sha256(content.table),
            metrics_lines=len(content.rows) + FIRST_LINE - 1,
            checks_of=content.doubts.evaluation,
            doubted=[line for line in claims if any(part.number.doubt for part in line.numbers)],
            rows=_packed(data),
            index=_packed(index(files, provenance)),
            command=f"snakemake --cores all --config study={study} --force reports/{study}/report.html",
        )
    )


@dataclass(frozen=True)
class Tally:
    """How many claims have each verdict; counter-claims have none here.

    Attributes:
        papers: {paper: (verdicts, what became of them under an attacker who knows)}.
        words: the verdicts of all of them, the most frequent first. attackers: the same of the second axis.
        unjudged: the claims that no number judges.
        together: the claims that hold, and stand if all are judged together.
        known: the claims that hold, and whose bound was fixed or changed after an outcome was known.
        ours: the claims that no figure of a paper stands behind.
    """

    papers: dict[str, tuple[Counter[str], Counter[str]]]
    words: Counter[str]
    attackers: Counter[str]
    unjudged: list[ClaimLine]
    together: int
    known: int
    ours: list[str]

    @property
    def columns(self) -> tuple[list[str], list[str]]:
        """The words of both axes that occur, in a fixed order."""
        return [word for word in ORDER if self.words[word]], [word for word in ATTACKERS if self.attackers[word]]


def _tally(claims: list[ClaimLine], others: list[ClaimLine]) -> Tally:
    judged = [line for line in claims if line.kind == CLAIM]
    unjudged = [line for line in others if line.kind == CLAIM]
    papers = {
        paper: (
            Counter(line.word for line in (*judged, *unjudged) if line.paper == paper),
            Counter(line.shown_attacker for line in judged if line.paper == paper),
        )
        for paper in dict.fromkeys(line.paper for line in (*judged, *unjudged))
    }
    words = Counter(line.word for line in (*judged, *unjudged))
    holding = [line for line in judged if line.word == HOLDS]
    return Tally(
        papers,
        words,
        Counter(line.shown_attacker for line in judged),
        unjudged,
        together=sum(line.holm is not False for line in holding),
        known=sum(line.known for line in holding),
        ours=[line.claim for line in (*judged, *unjudged) if not line.published],
    )


def _files(count: int) -> str:
    return f"{count:,} file{'s' if count != 1 else ''}"


def _as_yaml(settings: dict[str, Any]) -> str:
    plain = json.loads(json.dumps(settings))
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100))


def _packed(data: Any) -> str:
    return packing.packed(json.dumps(data, separators=(",", ":"), allow_nan=False))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("touchstone", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = {"sections": sections, "typeset": typeset, "pack": _packed, "listed": listed}
    pieces = ("allowed", "breakable", "interval", "linked", "number", "packed", "web_link")
    filters |= {name: getattr(markup, name) for name in pieces}
    environment.filters.update(filters)
    environment.globals |= {"NOT_RUN": NOT_RUN, "MARKS": MARKS, "KNOWN": KNOWN, "OURS": OURS}
    return environment
