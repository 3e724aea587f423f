"""report: metrics and figures as one self-contained page, tables and picture files."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from touchstone.claims import paper_files
from touchstone.claims.contrasts import Contrast, contrasts
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.verdicts import Verdict
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.records.metric_tables import Metrics, encode, left_out
from touchstone.report import methods, overview, packing, readme, variant_grid
from touchstone.report.attack_checks import grid
from touchstone.report.chapters import Question, chapters
from touchstone.report.claim_files import claim_rows, claims_csv, claims_json, claims_tex
from touchstone.report.claim_table import page_lines
from touchstone.report.origins import Maker, Source, table_of
from touchstone.report.page import Content, page
from touchstone.report.pictures import Drawing, pictures
from touchstone.report.summary import summary
from touchstone.report.tables import FIRST_LINE, numbered

CAPTION = (
    "Each method at the eps of its training, its networks after the last epoch. Its gain is how far a mark is right of the "
    "black bar; keeping half of it is a rule of this figure only, no verdict uses it. Lines are 95 % intervals over seeds "
    "of training and test images."
)


def report(
    *,
    study: str,
    settings: dict[str, Any],
    papers: dict[str, dict[str, Any]],
    evaluations: dict[str, Question],
    metrics: dict[str, Metrics],
    claims: StudyClaims,
    figures: dict[str, Drawing],
    provenance: dict[str, Source],
    components: Mapping[str, str],
    maker: Maker,
) -> dict[str, bytes]:
    """Return the files of the report, the same bytes for the same arguments.

    Args:
        study: its name.
        settings: of the whole study; its title is settings["study"]["title"].
        papers: {paper: the content of its claims.yaml}, in the order of the page's chapters.
        evaluations: {name: what it asks, and which paper it is about}.
        metrics: {evaluation: its rows}.
        claims: what the study says of the published claims.
        figures: what draws them. They are drawn here, so that each method has one colour in all of them.
        provenance: of the files that rows and figures name; other files are shown by their names.
        components: {component: what comes back from it}.
        maker: the code of this step.

    Returns:
        {name: bytes}: report.html, README.md, metrics.csv.gz (the claims' numbers are its last rows), metrics.json,
        claims.csv, claims.tex, figures/NAME.svg, .pdf unless `pdf` of the study is false, and .png of figures that show
        images.
    """
    rows = numbered({name: metrics[name] for name in evaluations})
    missing = left_out({name: metrics[name] for name in evaluations})
    claims = claims._replace(left_out=missing)
    book = paper_files.book(papers)
    verdicts = judge(book, claims, rows)
    judged = claim_rows(verdicts, FIRST_LINE + len(rows))
    doubts = Doubts(rows)
    opposed = contrasts(papers, claims, rows)
    figures = {**_grids(verdicts, evaluations), **figures}
    if opposed:
        figures = {overview.NAME: _overview(opposed)} | figures
    drawn, styles = pictures(figures, rows, doubts, settings["study"].get("pdf", True), claims.words)
    supervised = {name for name, detector in settings.get("detectors", {}).items() if detector.get("anomalous")}
    # A study without published claims, such as an assay, opens with a summary instead.
    shown, others = page_lines(book, verdicts, judged, doubts) if claims.claims else ([], [])
    every = [*rows, *judged]
    content = Content(
        study=study,
        settings=settings,
        papers=papers,
        chapters=chapters(evaluations, rows, doubts, drawn, supervised),
        overview=next((picture for picture in drawn if picture.name == overview.NAME), None),
        pictures=[picture for picture in drawn if picture.name != overview.NAME],
        styles=styles,
        claims=shown,
        other_claims=others,
        revised=[(one.id, after, change) for one in book.criteria.values() for change, after in one.changes if shown],
        summary=None if claims.claims else summary(rows, doubts),
        checks=grid(rows, doubts),
        doubts=doubts,
        rows=every,
        left_out=missing,
        table=packing.compressed(encode(Metrics(every))),
        tables=[file for name in evaluations if (file := table_of(name)) in provenance],
    )
    table = claims_csv(book, verdicts, doubts)
    summarised = readme.readme(
        study=study,
        title=settings["study"].get("title") or study,
        studied=methods.studied(settings, len(papers), len(rows)),
        papers=papers,
        lines=list(csv.DictReader(io.StringIO(table.decode()))) if claims.claims else [],
        contrasts=opposed if content.overview else (),
        measured=content.summary and content.summary.table,
    )
    return {
        "report.html": page(content, provenance, components, maker).encode(),
        readme.NAME: summarised.encode(),
        packing.METRICS: content.table,
        "metrics.json": claims_json(verdicts),
        "claims.csv": table,
        "claims.tex": claims_tex(book, verdicts, doubts),
        **{name: data for picture in drawn for name, data in picture.files.items()},
    }


def _grids(verdicts: list[Verdict], evaluations: Collection[str]) -> dict[str, Drawing]:
    """Return the picture of each claim that was tried in variants, which opens the chapter of its paper."""
    grids: dict[str, Drawing] = {}
    for verdict in verdicts:
        parts = [*verdict.parts, *(one.part for one in verdict.variants if one.part)]
        rows = [part.quantity.row for part in parts if part.quantity.row.evaluation in evaluations]
        if verdict.variants and rows:
            grids[variant_grid.name_of(verdict.claim.id)] = {
                "draw": partial(variant_grid.variant_grid, verdict),
                "caption": variant_grid.CAPTION,
                "evaluation": rows[0].evaluation,
                "files": list(dict.fromkeys(table_of(row.evaluation) for row in rows)),
                "component": "report/variant_grid",
            }
    return grids


def _overview(opposed: list[Contrast]) -> Drawing:
    """Return the picture at the head of the page, which belongs to no evaluation."""
    rows = [part.quantity.row for one in opposed for part in (one.unaware, one.aware, one.reference) if part]
    return {
        "draw": lambda: overview.overview(opposed),
        "caption": CAPTION,
        "evaluation": "",
        "files": list(dict.fromkeys(table_of(row.evaluation) for row in rows)),
        "component": "report/overview",
    }
