"""The report's page: one self-contained HTML file that asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from touchstone import digests
from touchstone.claims.criteria import KINDS, SHARED, Revision
from touchstone.records.metric_tables import MetricRow
from touchstone.report import packing
from touchstone.report.chapters import SHORT, Chapter
from touchstone.report.claim_table import ClaimLine, typeset
from touchstone.report.docstrings import sections
from touchstone.report.names import who_is_who
from touchstone.report.origins import Maker, Source, compact, remarks, rows_behind, with_origins
from touchstone.report.pictures import Picture
from touchstone.report.summary import Summary
from touchstone.report.tables import FIRST_LINE, Number
from touchstone.statistics.sanity_checks import Doubts

CLAIM = re.compile(r"\b([PS][a-z0-9]+-\d+)\b")  # the name of one
PAPER = KINDS[0]


@dataclass(frozen=True)
class Content:
    """All that the page shows, computed."""

    study: str
    settings: dict[str, Any]  # of the whole study
    papers: dict[str, dict[str, Any]]  # {paper: the content of its paper.yaml}
    chapters: list[Chapter]
    pictures: list[Picture]
    styles: Markup  # the style sheet of the pictures
    claims: list[ClaimLine]  # judged by numbers
    other_claims: list[ClaimLine]
    revised: list[tuple[str, str, Revision]]  # changed criteria: name, what it says, the change
    summary: Summary | None
    doubts: Doubts
    rows: list[MetricRow]  # of metrics.csv.gz, those of the claims last
    table: bytes  # metrics.csv.gz
    tables: list[str]  # the files that it was gathered from

    def numbers(self) -> list[Number]:
        """Return every number that the page shows."""
        in_claims = [number for line in self.claims for _, number, _ in line.numbers]
        return in_claims + [number for chapter in self.chapters for number in chapter.numbers()]


def page(
    content: Content,
    provenance: Mapping[str, Source],
    components: Mapping[str, str] | None = None,
    maker: Maker | None = None,
) -> str:
    """Return the page as HTML, the same for the same arguments: it names no clock and no host.

    Args:
        content: what it shows.
        provenance: {file: where it came from}; other files are shown by their names.
        components: {component: what comes back from it}.
        maker: the code of the report itself.
    """
    study, claims, others = content.study, content.claims, content.other_claims
    numbers = content.numbers()
    rows = rows_behind(numbers, content.rows)
    named = [file for row in rows for file in row.files]
    drawn = [file for picture in content.pictures for file in picture.sources]
    files = with_origins([*content.tables, *named, *drawn], provenance)
    data = compact(rows, files, study) | remarks(numbers, claims, content.doubts, maker)
    about = content.settings.get("study", {})
    return (
        _environment()
        .get_template("report.html")
        .render(
            study=study,
            title=about.get("title") or study,
            styles=content.styles,
            absent=about.get("absent", []),
            settings=_as_yaml(content.settings),
            papers=content.papers,
            systems=_by_system(content),
            files={file: place for place, file in enumerate(files)},
            provenance=provenance,
            names=who_is_who(content.settings, components),
            tally=Counter(line.word for line in (*claims, *others) if line.kind == PAPER),
            attackers=Counter(line.attacker for line in claims if line.kind == PAPER),
            revised=content.revised,
            below=[line.claim for line in others if line.kind == PAPER],
            maker=maker,
            metrics_digest=digests.sha256(content.table),
            metrics_lines=len(content.rows) + FIRST_LINE - 1,
            checks=content.doubts.evaluation,
            claims=claims,
            summary=content.summary,
            other_claims=others,
            rows=packing.packed(json.dumps(data, separators=(",", ":"), allow_nan=False)),
            command=f"snakemake --cores all --config study={study} --force reports/{study}/report.html",
            short=SHORT,
        )
    )


def _as_yaml(settings: dict[str, Any]) -> str:
    plain = json.loads(json.dumps(settings))
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100))


def _by_system(content: Content) -> dict[str, list[Chapter]]:
    """Return {heading: chapters} of the papers in their order, then of what belongs to none."""
    systems = {name: facts.get("title", facts["name"]) for name, facts in content.papers.items()}
    systems[SHARED] = "Data and common ground"
    groups = {title: [c for c in content.chapters if c.system == system] for system, title in systems.items()}
    return {title: group for title, group in groups.items() if group}


# --- filters of the templates -------------------------------------------------------------------------------------


def _packed(part: str) -> Markup:
    """Return a part of the page that is unpacked when it is unfolded."""
    return Markup('<script type="text/plain" class="packed">{}</script>').format(packing.packed(part.strip()))


def _allowed(text: str) -> Markup:
    """Return the source of a content security policy that allows only this inline script or style sheet."""
    return Markup("'sha256-{}'").format(base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())


def _breakable(text: str) -> Markup:
    """Return a name that may wrap after its slashes, pluses and underscores."""
    return Markup(re.sub(r"([/+_])", r"\1<wbr>", str(escape(text))))


def _linked(text: str) -> Markup:
    """Return a text in which each claim's name leads to its line."""
    return Markup(CLAIM.sub(r'<a href="#claim-\1">\1</a>', str(escape(text))))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("touchstone", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["allowed"] = _allowed
    environment.filters["breakable"] = _breakable
    environment.filters["linked"] = _linked
    environment.filters["packed"] = _packed
    environment.filters["sections"] = sections
    environment.filters["typeset"] = typeset
    return environment
